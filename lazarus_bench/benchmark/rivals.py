"""Side by side with what a user would run instead: same weights, data, batch, BLAS and threads.

Rivals run as they are shipped: `as_shipped` gives mlx-lm its own gates back, and its `train`
compiles its step, as `mlx_lm.lora` does. Arms take turns in one process.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lazarus_bench import backend
from lazarus_bench.analysis.lens import batches_by_length, read_lens
from lazarus_bench.analysis.probe import classifier_for, permutation_null, probe
from lazarus_bench.analysis.probe_prompts import ProbePrompts, in_symbols
from lazarus_bench.analysis.splits import Ints, permuted, split
from lazarus_bench.analysis.states import States, read_states
from lazarus_bench.analysis.tokens import prompt_tokens
from lazarus_bench.backend import optim
from lazarus_bench.benchmark.document import Ratio
from lazarus_bench.benchmark.intervals import Floats, ratio_of_medians
from lazarus_bench.benchmark.stopwatch import Arm, interleaved, timed
from lazarus_bench.benchmark.trainings import (
    RATE,
    SETTLING,
    adapted,
    arithmetic,
    chunks_of,
    dual,
    peak_bytes,
    random_text,
    sft,
    step_seconds,
)
from lazarus_bench.models import activations
from lazarus_bench.models.load import LoadedModel, load
from lazarus_bench.models.prompts import Example
from lazarus_bench.tasks.arithmetic import held_out
from lazarus_bench.training.arithmetic_data import end_tokens
from lazarus_bench.training.sampling import sample

Pairs = Sequence[tuple[list[int], int]]
"""mlx-lm's data: tokens of a text and how many of them are the prompt's."""


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How much a comparison spends: `rounds` of every arm, `steps` in a block of training."""

    rounds: int = 15
    steps: int = 12
    prompts: int = 200


@contextlib.contextmanager
def as_shipped() -> Iterator[None]:
    """Within the block, mlx-lm's families compute their gates as mlx-lm does."""
    with _gates(_shipped_gates()):
        yield


@contextlib.contextmanager
def _gates(wanted: Mapping[str, Any]) -> Iterator[None]:
    changed: list[tuple[Any, str, Any]] = []
    for name, module in list(sys.modules.items()):
        if name.startswith("mlx_lm.models."):
            for gate, function in wanted.items():
                if vars(module).get(gate) is getattr(activations, gate):
                    changed.append((module, gate, vars(module)[gate]))
                    setattr(module, gate, function)
    try:
        yield
    finally:
        for module, gate, function in changed:
            setattr(module, gate, function)


_FRESH: dict[str, Any] = {}


def _shipped_gates() -> Mapping[str, Any]:
    """mlx-lm's own gates, from a second copy of their module, once a process."""
    if not _FRESH:
        from mlx_lm.models import activations as patched

        spec = importlib.util.spec_from_file_location("_shipped_activations", patched.__file__)
        assert spec is not None
        assert spec.loader is not None
        fresh = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(fresh)
        _FRESH.update({name: getattr(fresh, name) for name in ("swiglu", "swiglu_oai")})
    return _FRESH


def pairs_of(examples: Sequence[Example]) -> Pairs:
    """Examples as mlx-lm's trainer takes them."""
    return [(list(example.tokens), len(example.prompt)) for example in examples]


def mlx_lm_step_seconds(loaded: LoadedModel, pairs: Pairs, batch: int, steps: int) -> float:
    """Median seconds of a step of `mlx_lm.tuner.trainer.train`, as its own report times them."""
    from mlx_lm.tuner.callbacks import TrainingCallback
    from mlx_lm.tuner.trainer import TrainingArgs, train

    base: Any = TrainingCallback

    class Clock(base):  # type: ignore[misc]
        def __init__(self) -> None:
            self.seconds: list[float] = []

        def on_train_loss_report(self, train_info: dict[str, float]) -> None:
            self.seconds.append(1.0 / train_info["iterations_per_second"])

    clock, never, taken = Clock(), 10**9, steps + SETTLING
    with tempfile.TemporaryDirectory() as folder, as_shipped():
        arguments = TrainingArgs(
            batch_size=batch,
            iters=taken,
            steps_per_report=1,
            steps_per_eval=never,
            steps_per_save=never,
            adapter_file=str(Path(folder, "adapters.safetensors")),
        )
        with contextlib.redirect_stdout(io.StringIO()):
            train(
                loaded.model,
                optim.Adam(RATE, bias_correction=True),
                pairs,
                args=arguments,
                training_callback=clock,
            )
    return float(np.median(clock.seconds[SETTLING:]))


def sft_against_mlx_lm(
    base: Path, *, batch: int, effort: Effort, length: int | None = None
) -> list[Ratio]:
    """SFT beside `mlx_lm.lora`: LoRA of rank 8 on all linears, Adam, the same examples and batch.

    mlx-lm pads every batch to 33 tokens or more; with `length` all texts have 33 random ones, every
    one a label, so that neither pads nor masks: then only the work itself differs.
    """
    ours, theirs = adapted(base), adapted(base)
    count = batch * (effort.steps + SETTLING)
    examples = arithmetic(ours, count) if length is None else random_text(length, count)
    training, pairs = sft(ours, chunks_of(examples, batch)), pairs_of(examples)
    peaks: dict[str, list[int]] = {"ours": [], "mlx-lm": []}

    def kept(name: str, work: Arm) -> Arm:
        def arm() -> float:
            seconds, peak = peak_bytes(work)
            peaks[name].append(peak)
            return float(seconds) / training.tokens

        return arm

    found = interleaved(
        {
            "ours": kept("ours", lambda: step_seconds(training, effort.steps)),
            "mlx-lm": kept(
                "mlx-lm", lambda: mlx_lm_step_seconds(theirs, pairs, batch, effort.steps)
            ),
        },
        effort.rounds,
    )
    data = "arithmetic" if length is None else f"{length} random tokens a text"
    about = {"batch": batch, "data": data, "tokens a step": training.tokens}
    where = f"{data}, batch {batch}"
    return [
        _speed(f"SFT over mlx_lm.lora: {where}", found, "ours", "mlx-lm", "tok/s", 1.5, about),
        Ratio(
            name=f"SFT's peak memory over mlx_lm.lora's: {where}",
            found=ratio_of_medians(peaks["ours"][1:], peaks["mlx-lm"][1:]),
            rounds=effort.rounds,
            at_most=1.0,
            about=about
            | {name: f"{np.median(peak) / 2**20:.1f} MiB" for name, peak in peaks.items()},
        ),
    ]


def _speed(
    name: str,
    seconds: Mapping[str, Floats],
    ours: str,
    theirs: str,
    unit: str,
    at_least: float | None,
    about: Mapping[str, str | float],
    units: float = 1.0,
) -> Ratio:
    """How many times as fast `ours` is: seconds of theirs over ours."""
    rates = {arm: f"{units / np.median(cost):,.0f} {unit}" for arm, cost in seconds.items()}
    return Ratio(
        name=name,
        found=ratio_of_medians(seconds[theirs], seconds[ours]),
        rounds=len(seconds[ours]),
        at_least=at_least,
        about={**about, **rates},
    )


def dual_against_sft(base: Path, *, batch: int, effort: Effort) -> list[Ratio]:
    """Dual reward beside SFT: the same LoRA on V and O, data and batch; cost of a token."""
    models = {name: adapted(base, targets="vo", rank=16, scale=2.0) for name in ("dual", "SFT")}
    chunks = chunks_of(arithmetic(models["SFT"], batch * effort.steps), batch)
    trainings = {
        "dual": dual(models["dual"], chunks),
        "SFT": sft(models["SFT"], chunks),
    }
    arms: dict[str, Arm] = {
        name: (lambda t=training: step_seconds(t, effort.steps) / t.tokens)
        for name, training in trainings.items()
    }
    found = interleaved(arms, effort.rounds)
    rates = {name: f"{1 / np.median(cost):,.0f} tok/s" for name, cost in found.items()}
    return [
        Ratio(
            name=f"dual reward over SFT: seconds a token, batch {batch}",
            found=ratio_of_medians(found["dual"], found["SFT"]),
            rounds=effort.rounds,
            at_most=1.25,
            about={"batch": batch, "LoRA": "V and O, rank 16", **rates},
        )
    ]


TOP = 20


def transformers_lens(
    model: Any, prompts: Sequence[Sequence[int]], targets: Sequence[int], top: int = TOP
) -> tuple[Floats, Floats]:
    """Every layer's lens by transformers: hidden states through final norm and head, in torch.

    Prompts of one length share a forward, and each layer's softmax is taken and reduced before the
    next one's, as a careful user would write it; of a llama, whose last hidden state is normed.

    Returns:
        Probabilities of the targets `[prompt, layer]` and of the top tokens `[prompt, layer, k]`.
    """
    import torch

    depth = model.config.num_hidden_layers
    wanted = np.zeros((len(prompts), depth))
    best = np.zeros((len(prompts), depth, top))
    for rows, tokens in batches_by_length(prompts, len(prompts)):
        with torch.no_grad():
            ids = torch.tensor(np.array(tokens), dtype=torch.long)
            hidden = model.model(ids, output_hidden_states=True).hidden_states
            gold = torch.tensor([targets[row] for row in rows])[:, None]
            for layer, states in enumerate(hidden[1:]):
                last = states[:, -1]
                normed = last if layer + 1 == depth else model.model.norm(last)
                p = torch.softmax(model.lm_head(normed).float(), dim=-1)
                wanted[rows, layer] = p.gather(1, gold)[:, 0].numpy()
                best[rows, layer] = p.topk(top, dim=-1).values.numpy()
    return wanted, best


def lens_against_transformers(base: Path, *, what: str, effort: Effort) -> list[Ratio]:
    """The lens of all prompts and layers beside transformers on the CPU, with the same threads.

    Raises:
        ModuleNotFoundError: torch is not installed (`pip install 'lazarus-bench[oracle]'`).
        RuntimeError: the two readings differ.
    """
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(backend.set_threads())
    loaded = load(base)
    theirs = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32).eval()
    prompts = prompt_tokens(loaded, [p.symbols for p in held_out(effort.prompts, 0)])
    gold = [int(t) for t in np.random.default_rng(0).integers(3, 1000, len(prompts))]
    targets = np.array(gold, dtype=np.int64)[:, None]
    _same_lens(read_lens(loaded, prompts, targets, TOP), transformers_lens(theirs, prompts, gold))
    found = interleaved(
        {
            "ours": timed(lambda: read_lens(loaded, prompts, targets, TOP)),
            "transformers": timed(lambda: transformers_lens(theirs, prompts, gold)),
        },
        effort.rounds,
    )
    about: dict[str, str | float] = {
        "model": what,
        "prompts": len(prompts),
        "layers": loaded.depth,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    name = f"lens over transformers on torch: {what}"
    units = float(len(prompts))
    return [_speed(name, found, "ours", "transformers", "prompts/s", 1.0, about, units)]


def _same_lens(ours: Any, theirs: tuple[Floats, Floats]) -> None:
    pairs = ((ours.probability[:, :, 0], theirs[0]), (ours.top_probability, theirs[1]))
    worst = max(float(np.abs(one - other).max()) for one, other in pairs)
    if not worst < 1e-4:
        raise RuntimeError(f"the two lenses differ by {worst:.2g}: not the same is compared")


ANSWERS, ANSWER_TOKENS = 8, 6


def sampling_against_mlx_lm(base: Path, *, what: str, effort: Effort) -> list[Ratio]:
    """GRPO's sampling beside `mlx_lm.batch_generate`: as many answers to the same prompts.

    Eight answers of at most six tokens each, temperature 1, all at once in one batch for mlx-lm
    (its default of 32 at a time is an arm too). Ours also keeps the log-probabilities that GRPO
    needs; mlx-lm is not asked for them.
    """
    from mlx_lm import batch_generate
    from mlx_lm.sample_utils import make_sampler

    ours, theirs = load(base), load(base)
    prompts = prompt_tokens(ours, [p.symbols for p in held_out(64, 0)])
    repeated = [prompt for prompt in prompts for _ in range(ANSWERS)]
    draws = iter(range(10**9))

    def own() -> object:
        return sample(
            ours.model,
            ours.anatomy,
            prompts,
            group=ANSWERS,
            tokens=ANSWER_TOKENS,
            ends=end_tokens(ours),
            seed=(100, next(draws)),
        )

    def other(**sizes: int) -> Callable[[], object]:
        def generate() -> object:
            with as_shipped():
                return batch_generate(
                    theirs.model,
                    theirs.tokenizer,
                    repeated,
                    max_tokens=ANSWER_TOKENS,
                    sampler=make_sampler(temp=1.0),
                    **sizes,
                )

        return generate

    whole = {"completion_batch_size": len(repeated), "prefill_batch_size": len(repeated)}
    found = interleaved(
        {"ours": timed(own), "one batch": timed(other(**whole)), "as shipped": timed(other())},
        effort.rounds,
    )
    about: dict[str, str | float] = {
        "model": what,
        "prompts": len(prompts),
        "answers": ANSWERS,
        "tokens": ANSWER_TOKENS,
    }
    units = float(len(repeated))
    names = {"one batch": "all in one batch", "as shipped": "its default batch of 32"}
    return [
        _speed(
            f"sampling over mlx-lm's batched generation, {words}: {what}",
            {arm: found[arm] for arm in ("ours", rival)},
            "ours",
            rival,
            "answers/s",
            1.0,
            about,
            units,
        )
        for rival, words in names.items()
    ]


def sklearn_accuracy(states: States, prompts: ProbePrompts, labels: Ints) -> Floats:
    """Held-out accuracy `[layer]` by a plain loop over the layers with scikit-learn."""
    from sklearn.model_selection import PredefinedSplit, cross_val_predict

    folds = PredefinedSplit(split(prompts, "pairs").folds)
    predicted = [
        cross_val_predict(classifier_for("pairs"), states[:, layer], labels, cv=folds)
        for layer in range(states.shape[1])
    ]
    return np.array([(p == labels).mean() for p in predicted])


def sklearn_null(states: States, prompts: ProbePrompts, permutations: int) -> Floats:
    """The same under permuted labels `[permutation, layer]`, one labelling after the other."""
    gold, rng = np.array(prompts.labels), np.random.default_rng(0)
    drawn = permuted(gold, split(prompts, "pairs"), permutations, rng)
    return np.array([sklearn_accuracy(states, prompts, labels) for labels in drawn])


PERMUTATIONS = 4
"""Of the null beside a plain loop, which takes a second and more for each."""


def probe_against_sklearn(base: Path, *, what: str, effort: Effort) -> list[Ratio]:
    """The probe of every layer, and its null, beside a plain scikit-learn loop over both."""
    loaded, prompts = load(base), in_symbols(held_out(effort.prompts, 0))
    states, gold = read_states(loaded, prompts.texts), np.array(prompts.labels)
    once = interleaved(
        {
            "ours": timed(lambda: probe(states, prompts)),
            "loop": timed(lambda: sklearn_accuracy(states, prompts, gold)),
        },
        max(3, effort.rounds // 3),
    )
    null = interleaved(
        {
            "ours": timed(lambda: permutation_null(states, prompts, permutations=PERMUTATIONS)),
            "loop": timed(lambda: sklearn_null(states, prompts, PERMUTATIONS)),
        },
        max(3, effort.rounds // 5),
        warm=0,
    )
    about: dict[str, str | float] = {"model": what, "prompts": len(prompts), "layers": loaded.depth}
    fits = float(loaded.depth)
    return [
        _speed("probe over a plain loop", once, "ours", "loop", "layers/s", 1.0, about, fits),
        _speed(
            f"probe's null over a plain loop, {PERMUTATIONS} permutations",
            null,
            "ours",
            "loop",
            "fits/s",
            1.0,
            about,
            fits * PERMUTATIONS,
        ),
    ]
