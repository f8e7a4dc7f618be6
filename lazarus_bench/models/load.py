"""Loading: a Hugging Face id or a directory in, a verified model out.

Through mlx-lm only: safetensors, no pickles, no remote code.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lazarus_bench import backend
from lazarus_bench.backend import mx, nn
from lazarus_bench.errors import UserError
from lazarus_bench.models import mlp, precision
from lazarus_bench.models.anatomy import Anatomy, blocks, unembed
from lazarus_bench.models.families import Family, family_of
from lazarus_bench.models.files import (
    check_adapter,
    check_files,
    older_rope,
    read_config,
    read_json,
    resolve,
    tokenizer_config,
)
from lazarus_bench.models.lenses import FittedLens
from lazarus_bench.models.prompts import Tokenizer
from lazarus_bench.models.quirks import Quirk, with_quirk
from lazarus_bench.models.taps import residual_stream, tapped

LENS_TOLERANCE = 1e-3
"""Largest |last lens layer − logits|, relative to the logits' spread; float32 reaches 1e-6, half
precision 1e-3."""


@dataclass(frozen=True, kw_only=True)
class LoadedModel:
    """A model with its tokenizer, configuration and verified anatomy.

    `quirk` is the defect that is switched on in it or in what reads it; None, and the model is read
    as it should be. `lens` is what its layers are read through; None is the logit lens.
    """

    name: str
    model: nn.Module
    tokenizer: Tokenizer
    config: dict[str, Any]
    anatomy: Anatomy
    quirk: Quirk | None = None
    lens: FittedLens | None = None

    @property
    def depth(self) -> int:
        """Number of blocks."""
        return len(blocks(self.model, self.anatomy))

    @property
    def classifier_layer(self) -> int:
        """The middle layer, ⌊0.55 · layers⌋: L8 of 16, L12 of 22, L13 of 24, L22 of 40.

        The published experiments say "55% depth" and use L8 of 16, where rounding would give L9.
        """
        return int(0.55 * self.depth)

    def encode(self, text: str) -> list[int]:
        """Token ids of a prompt, with the tokenizer's own special tokens."""
        return list(self.tokenizer.encode(text))

    @property
    def lens_layers(self) -> tuple[int, ...]:
        """The layers that its lens reads: those that were fitted, and the last; or all."""
        last = self.depth - 1
        fitted = range(last) if self.lens is None else self.lens.layers
        return tuple(sorted({*fitted, last}))

    def lens_logits(self, layer: int, hidden: mx.array) -> mx.array:
        """What its lens reads of residuals `[..., d]` after `layer`, `[..., vocabulary]`."""
        moved = hidden if self.lens is None else self.lens(layer, hidden)
        return unembed(self.model, self.anatomy, moved)


def load(
    source: str | Path,
    adapter: Path | None = None,
    name: str | None = None,
    quirk: Quirk | None = None,
    family: Family | None = None,
    dtype: str | None = None,
) -> LoadedModel:
    """Load a model directory or Hugging Face id, with an adapter in mlx-lm's format on top.

    `family` stands for the record that config.json's `model_type` names. `dtype` is the type that
    the model's float weights are turned into, an adapter's not; without one it is that of the
    surrounding `weights_as`, or the stored one.

    With a `quirk`, the model is loaded or read as the public source with that defect would have.

    Raises:
        UserError: it does not exist, is not a model, is damaged, lacks a tokenizer, belongs to an
            unknown family, its anatomy does not reproduce its logits, or the quirk is none of its.
    """
    backend.start()
    import mlx_lm

    directory = resolve(str(source))
    config = read_config(directory)
    rope = older_rope(config)
    config |= rope
    anatomy = (family or family_of(config)).anatomy_for(config)
    check_files(directory, config)
    mlp.install_gates()
    try:
        model, tokenizer = mlx_lm.load(
            str(directory),
            tokenizer_config=tokenizer_config(directory, config),
            model_config=rope,
            lazy=True,  # so that no weight is in memory in two types
            trust_remote_code=False,
        )[:2]
        if wanted := dtype or precision.asked_for():
            precision.cast(model, wanted)
        mx.eval(model.parameters())
    except Exception as error:
        raise UserError(
            f"{name or directory} could not be loaded by mlx-lm: {_first_line(error)}: correct its "
            f"config.json or its tokenizer's files, or copy it again"
        ) from error
    if adapter is not None:
        put_adapter(model, adapter, name or str(directory))
    loaded = LoadedModel(
        name=name or str(source), model=model, tokenizer=tokenizer, config=config, anatomy=anatomy
    )
    loaded = loaded if quirk is None else with_quirk(loaded, quirk)
    verify_anatomy(loaded, adapter)
    return loaded


def put_adapter(model: nn.Module, adapter: Path, name: str) -> None:
    """Put the adapter in mlx-lm's format on `model`, which is called `name`.

    Raises:
        UserError: it is damaged, lacks a tensor or does not fit the model.
    """
    from mlx_lm.tuner.utils import load_adapters

    named = check_adapter(adapter)
    try:
        load_adapters(model, str(adapter))
    except Exception as error:
        raise UserError(
            f"{name} with the adapter {adapter} could not be loaded by mlx-lm: "
            f"{_first_line(error)}: give an adapter that was trained on this model"
        ) from error
    missing = _adapted(model, read_json(adapter / "adapter_config.json")) - named
    if missing:
        raise UserError(
            f"the adapter {adapter} lacks {len(missing)} tensors, as {min(missing)}: copy it again"
        )
    model.eval()


def _adapted(model: nn.Module, config: dict[str, Any]) -> set[str]:
    """The names of the tensors that an adapter on `model` has by its configuration."""
    from mlx.utils import tree_flatten

    if config.get("fine_tune_type") == "full":
        model.freeze()
        for block in model.layers[-max(config.get("num_layers", 0), 0) :]:
            block.unfreeze()
        trained: dict[str, mx.array] = dict(tree_flatten(model.trainable_parameters()))
        model.unfreeze()
        return set(trained)
    parameters: dict[str, mx.array] = dict(tree_flatten(model.parameters()))
    adapted = {name.rpartition(".")[0] for name in parameters if name.endswith(".lora_b")}
    own = (".lora_a", ".lora_b", ".m")
    return {n for n in parameters if n.rpartition(".")[0] in adapted and n.endswith(own)}


def _first_line(error: Exception) -> str:
    said = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(": ")
    # Errors of Python's own name what they are about, and not what is wrong with it.
    own = isinstance(error, LookupError | TypeError | AttributeError | ArithmeticError)
    return f"{type(error).__name__}: {said}" if own else said


def lens_error(
    model: nn.Module, anatomy: Anatomy, tokens: mx.array, lens: FittedLens | None = None
) -> float:
    """Largest |last layer's lens − logits| over the logits' standard deviation."""
    with tapped(model, anatomy) as residuals:
        logits = model(tokens)
    last = residuals[-1] if lens is None else lens(len(residuals) - 1, residuals[-1])
    projected = unembed(model, anatomy, last).astype(mx.float32)
    own = np.array(logits.astype(mx.float32))
    return float(np.abs(np.array(projected) - own).max() / max(float(own.std()), 1e-12))


def _few_tokens(loaded: LoadedModel) -> mx.array:
    return mx.array([[1, 2, 3, 4, 5]]) % int(loaded.config.get("vocab_size", 6))


def with_lens(loaded: LoadedModel, lens: FittedLens) -> LoadedModel:
    """The same model, read through `lens`.

    Raises:
        UserError: the lens is of another width or depth, or the last layer's readout of a Jacobian
            lens, whose matrix there is the identity, differs from the logits.
    """
    tokens = _few_tokens(loaded)
    width = residual_stream(loaded.model, loaded.anatomy, tokens)[-1].shape[-1]
    sizes = {t.shape[-1] for t in (*lens.weights.values(), *lens.biases.values())}
    if sizes != {width} or lens.layers[-1] >= loaded.depth:
        raise UserError(
            f"the lens is for {max(lens.layers, default=-1) + 1} layers of {max(sizes, default=0)} "
            f"dimensions, and {loaded.name} has {loaded.depth} of {width}: fit one for this model"
        )
    checked = lens if lens.kind == "jacobian" else None
    error = lens_error(loaded.model, loaded.anatomy, tokens, checked)
    if not error <= LENS_TOLERANCE:
        raise UserError(
            f"{loaded.name}: the Jacobian lens of the last layer differs from the logits by "
            f"{error:.2g} standard deviations, so it is damaged: fit it again"
        )
    return replace(loaded, lens=lens)


def verify_anatomy(loaded: LoadedModel, adapter: Path | None = None) -> None:
    """Check that the last lens layer equals the model's logits on a short sequence.

    Raises:
        UserError: it does not, so every lens measurement would be wrong; or they are not finite.
    """
    try:
        error = lens_error(loaded.model, loaded.anatomy, _few_tokens(loaded))
    except (TypeError, ValueError) as wrong:
        raise UserError(
            f"{loaded.name} cannot read a text as its config.json describes it: "
            f"{_first_line(wrong)}: correct the entry, or copy the model again"
        ) from wrong
    if math.isnan(error):
        with_it = f" with the adapter {adapter}" if adapter else ""
        raise UserError(
            f"{loaded.name}{with_it}: its logits are not finite: copy its weights again"
        )
    if not error <= LENS_TOLERANCE:
        raise UserError(
            f"{loaded.name}: the last lens layer differs from the logits by {error:.2g} standard "
            f"deviations, so the anatomy of {loaded.config['model_type']!r} is wrong for it: fix "
            f"its record in lazarus_bench/models/families.py"
        )
