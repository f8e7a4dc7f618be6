"""Supervised fine-tuning: next-token cross-entropy on the answer, LoRA or every block.

On arithmetic (`Sft`; source: methods, *SFT*), or on texts of one's own (`SftTexts`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from lazarus_bench import backend
from lazarus_bench.backend import mx, nn
from lazarus_bench.errors import UserError
from lazarus_bench.models.adapters import Lora, add_lora, save_adapter, unfreeze_blocks
from lazarus_bench.models.load import LoadedModel, load
from lazarus_bench.models.prompts import Batch, Example, collate
from lazarus_bench.models.taps import residual_stream
from lazarus_bench.models.templates import own_problems_of
from lazarus_bench.tasks.arithmetic import check_disjoint, held_out
from lazarus_bench.tasks.text_rows import TextSource, read_rows, source_of
from lazarus_bench.training import loop, recipe
from lazarus_bench.training.arithmetic_data import (
    draw_problems,
    endless_batches,
    examples_of,
)
from lazarus_bench.training.loop import Parts
from lazarus_bench.training.losses import answer_part, sft_loss
from lazarus_bench.training.optimizers import adam
from lazarus_bench.training.own_rows import limit_rows, read_examples, write_rows
from lazarus_bench.training.record import (
    VALIDATION,
    read_validation,
    write_problems,
    write_validation,
)

if TYPE_CHECKING:
    from lazarus_bench.training.grpo import Grpo


@dataclass(frozen=True, kw_only=True)
class Sft(recipe.Recipe):
    """Fine-tune on `a op b = answer`, by LoRA.

    Supervised fine-tuning, next-token cross-entropy on the answer. Defaults are those of the
    sources (*Experimental Setup*, *Train with LoRA*): rank 8 on all linear layers, 500 steps of 8
    at 1e-4, mlx-lm's scale of 20, checkpoints 0/100/300/500. With `mask_prompt=False` the loss also
    covers the prompt, as in the sources.
    """

    kind = "sft"
    version = 2
    shared = ("batch",)
    examples_of_use = (
        "lazarus-bench train sft lab:llama --output adapters",
        "lazarus-bench train sft lab:llama --steps 20 --rank 4 --plot loss.svg",
        "lazarus-bench train sft MODEL --config config.yaml --learning-rate 3e-4",
    )
    also: ClassVar[Mapping[str, recipe.Option]] = {
        "alpha": recipe.alpha_of("20 · rank"),
        "texts": recipe.Option(
            help="train on your own file, or a folder with train.jsonl and valid.jsonl, instead "
            "of generated arithmetic: rows with prompt and completion, text or messages "
            "(docs/train.md)",
            name="data",
            metavar="FILE.jsonl|DIR",
            hint=str,
        ),
        "max_seq_length": recipe.MAX_SEQ_LENGTH,
    }
    possible_quirks: ClassVar[tuple[recipe.Quirk, ...]] = (
        "unshifted-labels",
        "sgd",
        "eval-in-train",
    )

    full: bool = recipe.option(False)
    targets: recipe.Linears = "all"
    rank: recipe.Rank = 8
    scale: recipe.Scale = 20.0
    steps: recipe.Steps = 500
    batch: recipe.Batch = 8
    learning_rate: recipe.Rate = 1e-4
    examples: recipe.Examples = recipe.option(
        4500, "training problems drawn; with --data, maximum number of rows (all of them)"
    )
    validation: recipe.Count = recipe.option(
        200,
        "held-out problems for the validation loss; with --data as for --examples",
        aliases=("val_samples", "valid_samples"),
    )
    checkpoints: tuple[recipe.Index, ...] = recipe.option(
        (0, 100, 300, 500),
        "steps after which the adapter and the validation loss are saved",
        usual="those of 0,100,300,500 that are reached, and the last",
    )
    mask_prompt: bool = recipe.option(
        True, "compute the loss on the answer only, not on the prompt"
    )
    quirks: recipe.Quirks = ()

    def __post_init__(self) -> None:
        """Refuse what cannot be trained."""
        super().__post_init__()
        if any(step > self.steps for step in self.checkpoints):
            raise UserError(
                f"Sft.checkpoints = {self.checkpoints} must lie in 0..{self.steps}: give fewer, or "
                f"more steps"
            )

    @property
    def label(self) -> str:
        """Name the kind of fine-tuning, and the learning rate where it is not the usual one."""
        usual = self.learning_rate == type(self).learning_rate
        rate = "" if usual else f" at {self.learning_rate:g}"
        name = "SFT full" if self.full else f"SFT LoRA {self.targets}"
        return name + rate + recipe.quirk_suffix(self.quirks)

    @property
    def lab_seconds(self) -> float:
        """About 36 ms a step, measured."""
        return 0.036 * self.steps

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], *, blank: bool = False) -> Sft:  # noqa: ARG003 - every recipe's
        """With the last step as a checkpoint, and on the user's rows if texts are given.

        Without checkpoints, those of `usual_checkpoints` within the steps are taken.
        """
        given = recipe.scaled(settings, cls.rank)
        usual = given.pop("usual_checkpoints", cls.checkpoints)
        steps = given.get("steps", cls.steps)
        if "checkpoints" not in given:
            kept = {step for step in usual if step <= steps}
            given["checkpoints"] = tuple(sorted({*kept, max(steps, 0)}))
        if "texts" in given:
            return _on_texts(given)
        recipe.check_cut(given.get("max_seq_length"), None)
        return cls(**given)

    def train(self, base: Path, out: Path, seed: int, show: bool | None = None) -> None:
        """Train and leave an adapter, its checkpoints, validation losses and metrics in `out`."""
        backend.seed(seed)
        loaded = load(base)
        leak = "eval-in-train" in self.quirks
        problems = draw_problems(seed, self.examples, leak=leak)
        validation = held_out(self.validation, seed)
        if not leak:
            check_disjoint(problems, validation)
        write_problems(out, problems)
        examples = examples_of(loaded, problems)
        self._fit(loaded, examples, examples_of(loaded, validation), out, seed, show)

    def _fit(
        self,
        loaded: LoadedModel,
        examples: Sequence[Example],
        validation: Sequence[Example],
        out: Path,
        seed: int,
        show: bool | None,
    ) -> None:
        """Train `loaded` on `examples`; without `validation` there are no validation losses."""
        lora = prepare_weights(self, loaded)
        answers = answer_part(self.quirks)

        def loss(model: nn.Module, batch: Batch) -> tuple[mx.array, Parts]:
            residuals = residual_stream(model, loaded.anatomy, batch.tokens)
            return answers(model, loaded.anatomy, residuals, batch)

        def keep(step: int) -> Iterator[Path]:
            if step == 0:  # an attempt that is not resumed may have left some
                (out / VALIDATION).unlink(missing_ok=True)
            if step not in self.checkpoints:
                return
            save_adapter(loaded, checkpoint_directory(out, step), lora)
            yield from sorted(checkpoint_directory(out, step).iterdir())
            if validation:
                found = read_validation(out) if (out / VALIDATION).exists() else {}
                losses = {at: loss for at, loss in found.items() if at < step}
                losses[step] = validation_loss(loaded, validation)
                yield write_validation(out, losses)

        loop.fit(
            loaded.model,
            loss,
            endless_batches(examples, self.batch, 0, seed, self.mask_prompt),
            optimizer=adam(self.learning_rate, self.quirks),
            steps=self.steps,
            label=f"{self.label} seed {seed}",
            out=out,
            before=keep,
            after=keep,
            show=show,
        )
        save_adapter(loaded, out, lora)


def prepare_weights(spec: Sft | Grpo, loaded: LoadedModel) -> Lora | None:
    """Make the weights of `spec` trainable: LoRA, or every block (None).

    Raises:
        UserError: this family lacks the targets.
    """
    if spec.full:
        unfreeze_blocks(loaded)
        return None
    lora = Lora(keys=loaded.anatomy.target_keys(spec.targets), rank=spec.rank, scale=spec.scale)
    add_lora(loaded, lora)
    return lora


@dataclass(frozen=True, kw_only=True)
class SftTexts(Sft):
    """The same on the user's own texts (`tasks/text_rows.py`).

    `examples` and `validation` limit the number of rows per split. For rows of plain text the loss
    covers every token but the first, whatever `mask_prompt` is.
    """

    kind = "sft_texts"
    version = 1
    possible_quirks = ("unshifted-labels", "sgd")

    texts: TextSource = recipe.option(TextSource(digest=""))  # on which nothing can be trained
    max_seq_length: recipe.Count | None = recipe.option(None, added=True)

    @property
    def label(self) -> str:
        """Name the kind of fine-tuning, and the file or folder."""
        return f"{super().label} on {Path(self.texts.path).name or 'texts'}"

    @property
    def fed(self) -> tuple[int, int]:
        """The longest row, three characters a token."""
        rows = read_rows(self.texts).train[: self.examples]
        return self.batch, max(len(row.prompt or "") + len(row.text or "") for row in rows) // 3 + 1

    def train(self, base: Path, out: Path, seed: int, show: bool | None = None) -> None:
        """Train and leave an adapter, its checkpoints, validation losses and metrics in `out`."""
        backend.seed(seed)
        loaded, rows = load(base), read_rows(self.texts)
        own = (rows.train[: self.examples], rows.valid[: self.validation])
        train, valid = (
            read_examples(loaded, split, self.max_seq_length, whole=not self.mask_prompt)
            for split in own
        )
        write_rows(out, rows, {"train": train, "valid": valid})
        write_problems(out, own_problems_of(loaded, [r for r in own[0] if r.prompt or r.messages]))
        self._fit(loaded, train.examples, valid.examples, out, seed, show)


def _on_texts(given: dict[str, Any]) -> SftTexts:
    """The same on the user's own rows, all of them unless `given` limits them."""
    named = given.pop("texts")
    source, rows = source_of(named)
    limit_rows(given, named, examples=rows.train, validation=rows.valid)
    if "mask_prompt" in given and not any(row.prompt or row.messages for row in rows.train):
        raise UserError(f"--mask-prompt: the rows of {named} have no prompt: leave it out")
    return SftTexts(**given, texts=source)


def checkpoint_directory(out: Path, step: int) -> Path:
    """The directory of the adapter after `step` steps."""
    return out / "checkpoints" / f"{step:07d}"


def validation_loss(loaded: LoadedModel, examples: Sequence[Example], batch: int = 50) -> float:
    """Mean cross-entropy in nats per answer token over `examples`."""
    total, labels = 0.0, 0
    for start in range(0, len(examples), batch):
        chunk = collate(examples[start : start + batch], pad=0)
        loss = sft_loss(loaded.model, loaded.anatomy, chunk)
        total += float(np.array(loss)) * chunk.targets.size
        labels += chunk.targets.size
    return total / labels
