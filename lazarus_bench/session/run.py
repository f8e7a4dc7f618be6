"""One run: what a claim's test sees of one trained model, each measurement taken once.

An *instrument* is a plain function with a return annotation. Its first parameter says what it
measures, the others are what it is asked:

    def probe(states, prompts, held_out="pairs") -> Probe     residuals of `prompts.texts`
    def ablated(run, problems, layer) -> Behaviour            a run: for more than one model, or for
                                                              what another instrument measures of it
    def read_likelihood(loaded, problems) -> Likelihood       any other name: the model in memory

`run.read(instrument, ...)` measures once a session and keeps the result in the store, whoever wrote
the instrument (`session.memory` says under which digest). Ours also have short names, `NAMES`, for
convenience: `run.lens(problems)` is `run.read(read_operations, problems)`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from lazarus_bench.analysis.measured import States
from lazarus_bench.analysis.prompts import read_states
from lazarus_bench.jobs.sources import name_of
from lazarus_bench.models.adapters import largest_weight
from lazarus_bench.models.lenses import FittedLens, read_fitted
from lazarus_bench.models.load import LoadedModel, with_lens
from lazarus_bench.models.precision import weights_as
from lazarus_bench.models.quirks import Quirk, check_quirk, told
from lazarus_bench.session.codec import UnwritableError, canonical
from lazarus_bench.session.loaded import in_memory, middle_layer, number_of_blocks
from lazarus_bench.session.memory import Memory
from lazarus_bench.tasks.labelled_data import DataSource, LabelledData, digest_of, read_data
from lazarus_bench.tasks.text_rows import AnyProblem
from lazarus_bench.training import Engram, Recipe
from lazarus_bench.training.engram import read_training_texts
from lazarus_bench.training.finetune_cost import Costs, read_costs
from lazarus_bench.training.record import (
    PROBLEMS,
    Step,
    StepMetrics,
    read_metrics,
    read_problems,
    read_steps,
    read_validation,
)
from lazarus_bench.training.sft import checkpoint_directory

Result = TypeVar("Result")
Notice = Callable[[str], None]


NAMES: Mapping[str, str] = {
    "lens": "operations.read_operations",
    "lens_moved": "operations.lens_moved",
    "lens_null": "operations.read_null",
    "synonyms": "operations.read_synonyms",
    "synonym_mass": "operations.synonym_mass",
    "collapse": "operations.collapse",
    "constant_predictor": "operations.constant_collapse",
    "substring": "operations.substring",
    "task_signal": "operations.signal",
    "answers": "answers.answer",
    "word_answers": "answers.answer_in_words",
    "likelihood": "answers.read_likelihood",
    "logits": "logits.last_logits",
    "probe": "probe.probe",
    "probe_null": "probe.permutation_null",
    "probe_control": "probe.control_task",
    "probe_transfer": "probe.probe_transfer",
    "probe_confidence": "probe.probe_confidence",
    "untrained_accuracy": "probe.untrained_accuracy",
    "nonlinear_probe": "nonlinear_probe.nonlinear_probe",
    "directions": "geometry.directions",
    "separation": "geometry.separation",
    "separation_null": "geometry.permuted_separation",
    "silhouettes": "geometry.class_silhouettes",
    "words_along_probe": "vocabulary.words_along_probe",
    "behaviour": "behaviour.behaviour",
    "ablated": "ablation.ablated",
    "ablation": "ablation.ablation",
    "patched": "patching.patched",
    "attributed": "attribution.attributed",
    "steered": "steering.steered",
    "erasure": "erasure.erasure",
    "interchange": "interchange.interchange",
    "router_projection": "router.project_gates",
    "random_projection": "router.project_random",
    "random_gates": "router.random_gates",
    "router_chance": "router.router_null",
    "experts_naming": "router.experts_naming",
    "routing": "routing.routing",
    "routes": "routing.routes",
    "token_experts": "routing.token_experts",
    "engrams": "engrams.engrams",
    "clusters": "engrams.engram_clusters",
    "engram_cosines": "engrams.engram_cosines",
    "engram_silhouettes": "engrams.engram_silhouettes",
    "cluster_draws": "engrams.cluster_draws",
}


def instrument_named(name: str) -> Callable[..., Any]:
    """Our instrument with the short name `name`.

    Raises:
        AttributeError: there is none.
    """
    if name not in NAMES:
        near = get_close_matches(name, NAMES, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise AttributeError(f"a run has no {name!r}, and no instrument is called so{hint}")
    module, function = NAMES[name].split(".")
    found: Callable[..., Any] = getattr(import_module(f"lazarus_bench.analysis.{module}"), function)
    return found


@dataclass(frozen=True, kw_only=True)
class Run:
    """One model of one seed: a whole model, or one with an adapter or a lens from a training.

    `directory` is the model's, `adapter` what lies on top; `artifact` the training's (None for a
    given checkpoint) and `recipe` what was run there, `base` the run it started from; `memory`
    keeps measurements beyond the session. With a `quirk` it is measured as the defective code would
    have measured it, and `noticed` is called when one is switched on. `dtype` is the type that the
    model's weights are turned into, None where they are as stored.
    """

    name: str
    seed: int
    directory: Path
    adapter: Path | None = None
    artifact: Path | None = None
    recipe: Recipe | None = None
    base: Run | None = None
    random: bool = False
    quirk: Quirk | None = None
    dtype: str | None = None
    memory: Memory | None = field(default=None, compare=False, repr=False)
    noticed: Notice | None = field(default=None, compare=False, repr=False)
    _session: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    def read(self, instrument: Callable[..., Result], *args: Any, **kwargs: Any) -> Result:
        """What `instrument` measures of this model: taken once a session, and kept in the store.

        Raises:
            TypeError: the arguments are not the instrument's.
        """
        subject, asked = arguments(instrument, args, kwargs)

        def measure() -> Result:
            with weights_as(self.dtype):  # of what an instrument loads itself
                if subject == "run":
                    return instrument(self, *args, **kwargs)
                if subject == "states":
                    prompts = asked[next(iter(asked))]
                    return instrument(self.states(prompts.texts), *args, **kwargs)
                return instrument(self.loaded, *args, **kwargs)

        name = name_of(instrument)
        try:
            # What needs a run may use its seed, which the model's files do not show.
            key = canonical([asked, self.seed if subject == "run" else None])
        except UnwritableError:
            name = None
        if name is None:
            return measure()
        memory = self.memory
        if memory is None:
            return self._once((name, key), measure)
        if self.quirk is not None:
            memory = memory.of(f"quirk {self.quirk}")
        if self.dtype is not None:
            memory = memory.of(f"weights {self.dtype}")
        return self._once((name, key), lambda: memory.recall(name, instrument, key, measure))

    def __getattr__(self, name: str) -> Any:
        """`run.NAME(...)` measures with our instrument of that short name."""
        return partial(self.read, instrument_named(name))

    def states(self, texts: Sequence[str]) -> States:
        """Residual after every block at the last position of each prompt `[prompt, layer, d]`.

        Large and quick to compute, so the store keeps what is made of them instead.
        """
        key = ("states", tuple(texts))
        return self._once(key, lambda: read_states(self.loaded, texts))

    @property
    def loaded(self) -> LoadedModel:
        """The model in memory, by this run's name."""
        seed = self.seed if self.random else None
        found = in_memory(self.directory, self.adapter, seed, self.quirk, self.dtype)
        return replace(found, name=self.name, lens=self._lens(found))

    def _lens(self, found: LoadedModel) -> FittedLens | None:
        """What the training here fitted for the model `found`, checked once; None without a fit."""
        made = self.artifact
        if made is None or self.recipe is None or self.recipe.leaves != "lens":
            return None
        return self._once("lens", lambda: with_lens(found, read_fitted(made, self.directory)).lens)

    @property
    def plain(self) -> LoadedModel:
        """The same model without this run's quirk."""
        return replace(self, quirk=None).loaded

    def with_quirk(self, quirk: Quirk) -> Run:
        """The same run, measured with a known defect: its name and its memory are not this one's.

        Raises:
            UserError: there is no such quirk, or this run has one; when it is measured, the model
                has nothing that the quirk would change.
        """
        check_quirk(self.name, self.quirk, quirk)
        if self.noticed is not None:
            self.noticed(quirk)
        return self._once(
            ("quirk", quirk),
            lambda: replace(self, name=self.name + told(quirk), quirk=quirk, _session={}),
        )

    @property
    def classifier_layer(self) -> int:
        """The classifier layer, ⌊0.55 · layers⌋, 0-based."""
        return self.read(middle_layer)

    @property
    def depth(self) -> int:
        """Number of blocks."""
        return self.read(number_of_blocks)

    @property
    def before(self) -> Run:
        """The run this training started from.

        Raises:
            ValueError: this is a base itself.
        """
        if self.base is None:
            raise ValueError(f"{self.name} is a base; nothing came before it")
        return self.base

    def checkpoint(self, step: int) -> Run:
        """The same run after `step` steps (SFT)."""
        adapter = checkpoint_directory(self.made, step)
        return self._other(f"step {step}", f" step {step}", adapter=adapter, artifact=self.artifact)

    def randomised(self) -> Run:
        """A randomly initialised model of the same configuration and seed: a number's control."""
        return self._other(f"random weights {self.seed}", ", random weights", random=True)

    def _other(self, told: str, name: str, **more: Any) -> Run:
        """Another model in this run's place, which `told` keeps apart in memory."""
        return self._once(
            told,
            lambda: Run(
                name=self.name + name,
                seed=self.seed,
                directory=self.directory,
                quirk=self.quirk,
                memory=self.memory and self.memory.of(told),
                noticed=self.noticed,
                **more,
            ),
        )

    @property
    def made(self) -> Path:
        """The artifact of the training.

        Raises:
            ValueError: this was not trained here.
        """
        if self.artifact is None:
            raise ValueError(f"{self.name} was not trained here, so it left no log")
        return self.artifact

    @property
    def made_by(self) -> Recipe:
        """The recipe that was run.

        Raises:
            ValueError: this was not trained here.
        """
        if self.recipe is None:
            raise ValueError(f"{self.name} was not trained here, so it has no recipe")
        return self.recipe

    @property
    def steps(self) -> tuple[Step, ...]:
        """Every step in the training's log."""
        return self._once("steps", lambda: read_steps(self.made))

    @property
    def metrics(self) -> tuple[StepMetrics, ...]:
        """The training's log: the first step, then means over ten."""
        return self._once("metrics", lambda: read_metrics(self.made))

    @property
    def validation(self) -> dict[int, float]:
        """Validation loss by step, nats per answer token (SFT)."""
        return read_validation(self.made)

    @property
    def largest_adapter_weight(self) -> float:
        """The largest entry in size of a LoRA's B, which starts at 0."""
        return self._once("adapter", lambda: largest_weight(self.made))

    @property
    def costs(self) -> Costs:
        """What was measured of LoRA and full fine-tuning (FinetuneCost)."""
        return read_costs(self.made)

    @property
    def trained_on(self) -> tuple[AnyProblem, ...]:
        """The distinct problems the training saw."""
        return self._once("problems", lambda: read_problems(self.made))

    @property
    def trainings(self) -> tuple[Run, ...]:
        """This training and those below it, as far as they trained on problems."""
        own = self.artifact is not None and (self.artifact / PROBLEMS).exists()
        return ((self,) if own else ()) + (self.base.trainings if self.base else ())

    @property
    def data_source(self) -> DataSource:
        """The labelled data that it was trained on and is evaluated on.

        Raises:
            TypeError: it was trained by another recipe.
        """
        recipe = self.made_by
        if not isinstance(recipe, Engram):
            raise TypeError(f"{recipe.label} has no labelled data")
        return recipe.data

    @property
    def data(self) -> LabelledData:
        """The same, read."""
        return self._once("data", lambda: read_data(self.data_source))

    @property
    def can_be_resampled(self) -> bool:
        """Whether the classes have the examples that `cluster_draws` takes."""
        from lazarus_bench.analysis.engrams import LEAST_TO_RESAMPLE

        return min(judged for _, judged in self.data.balance) >= LEAST_TO_RESAMPLE

    @property
    def learnt_its_split(self) -> bool:
        """Whether it learnt the training split as it is today, which evaluation shares no text of.

        Generated examples change with the code that draws them, and an artifact does not.
        """
        return read_training_texts(self.made).digest == digest_of(self.data.train)

    def _once(self, key: Any, read: Callable[[], Result]) -> Result:
        if key not in self._session:
            self._session[key] = read()
        value: Result = self._session[key]
        return value


@cache
def _signature(instrument: Callable[..., Any]) -> inspect.Signature:
    return inspect.signature(instrument)


def arguments(
    instrument: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    """The name of an instrument's first parameter, and the values of the others by name."""
    bound = _signature(instrument).bind(None, *args, **kwargs)
    bound.apply_defaults()
    subject, *others = bound.arguments
    return subject, {name: bound.arguments[name] for name in others}
