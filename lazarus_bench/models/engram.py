"""Engram: a classifier, its bottleneck and the way back, on the backbone of any loaded model.

Source: methods, *Engram*.

The classifier reads the last token of the text, the only one that has seen all of it under a causal
mask, and reads it after the final norm, where the unembedding reads too, so that both heads share
one state. The compressor reads the classifier's hidden layer after its GELU and before its dropout.
The projector has no bias, so that a zero engram is a zero prefix: the texts that are read with one
do not depend on the projector. The prefix comes before every token of the tokenizer's, in the place
of an embedding (`taps.prefixed`); the language model's head is the backbone's own unembedding.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from lazarus_bench.backend import mx, nn
from lazarus_bench.errors import UserError
from lazarus_bench.models.anatomy import Anatomy, blocks, part
from lazarus_bench.models.files import read_json
from lazarus_bench.models.load import LoadedModel, load, put_adapter
from lazarus_bench.models.taps import prefixed, residual_stream
from lazarus_bench.models.texts import TextBatch

HEADS = "heads.safetensors"
SETTINGS = "engram.json"
GROUPS = (64, 32)


@dataclass(frozen=True, kw_only=True)
class EngramSettings:
    """What the heads of an artifact need to be read again.

    `engram`: the engram is fed back as a prefix. `max_length` cuts texts, and `bits` quantises the
    base, as the training did.
    """

    classes: tuple[str, ...]
    classifier_width: int
    engram_width: int
    dropout: float
    engram: bool
    max_length: int | None
    bits: int | None


class Heads(nn.Module):
    """What stands on a backbone of `width` dimensions; weights as mlx draws them."""

    def __init__(self, width: int, settings: EngramSettings) -> None:
        nn.Module.__init__(self)
        self.hidden = nn.Linear(width, settings.classifier_width)
        self.classify = nn.Linear(settings.classifier_width, len(settings.classes))
        self.compress = nn.Linear(settings.classifier_width, settings.engram_width)
        self.project = nn.Linear(settings.engram_width, width, bias=False)
        self.dropout = nn.Dropout(settings.dropout)

    def __call__(self, states: mx.array) -> tuple[mx.array, mx.array]:
        """Class logits `[text, class]` and engrams `[text, engram]` of states `[text, d]`."""
        hidden = nn.gelu(self.hidden(states.astype(mx.float32)))
        return self.classify(self.dropout(hidden)), mx.tanh(self.compress(hidden))

    def prefix(self, engrams: mx.array) -> mx.array:
        """Embeddings `[text, d]` of engrams `[text, engram]`; zero for a zero engram."""
        projected: mx.array = self.project(engrams)
        return projected

    def no_engrams(self, count: int) -> mx.array:
        """`count` zero engrams."""
        return mx.zeros((count, self.compress.weight.shape[0]))


class EngramModel(nn.Module):
    """A backbone and its heads, as one module to train."""

    def __init__(self, backbone: nn.Module, heads: Heads) -> None:
        nn.Module.__init__(self)
        self.backbone = backbone
        self.heads = heads


@dataclass(frozen=True, kw_only=True)
class TextReading:
    """What one forward says of texts.

    `logits` `[text, class]`, `engrams` `[text, engram]`, and `residual` `[text, time, d]` after the
    last block at each token of the text.
    """

    logits: mx.array
    engrams: mx.array
    residual: mx.array


def read_texts(
    model: nn.Module, anatomy: Anatomy, batch: TextBatch, engrams: mx.array | None
) -> TextReading:
    """One forward of an `EngramModel` over `batch`, differentiable.

    `engrams` `[text, engram]` go before the texts as their prefix; without them there is no prefix
    at all (models 1 and 2).
    """
    if engrams is None:
        residual = residual_stream(model.backbone, anatomy, batch.tokens)[-1]
    else:
        tokens = mx.pad(batch.tokens, [(0, 0), (1, 0)])
        with prefixed(model.backbone, anatomy, model.heads.prefix(engrams)):
            residual = residual_stream(model.backbone, anatomy, tokens)[-1][:, 1:]
    last = residual[mx.arange(batch.last.size), batch.last]
    logits, made = model.heads(part(model.backbone, anatomy.norm)(last))
    return TextReading(logits=logits, engrams=made, residual=residual)


def make_heads(loaded: LoadedModel, settings: EngramSettings) -> Heads:
    """Untrained heads that fit the model, drawn from `mx.random`."""
    return Heads(int(part(loaded.model, loaded.anatomy.norm).weight.shape[0]), settings)


def quantise_blocks(loaded: LoadedModel, bits: int) -> None:
    """Quantise the linear layers of every block in place, in groups of 64 or else of 32 inputs.

    Embedding, unembedding, norms and routers stay as they are, as in QLoRA. A model that is
    quantised already is left alone if its width is `bits`.

    Raises:
        UserError: it is quantised with another width, or a layer's inputs fill no whole groups.
    """
    anatomy = loaded.anatomy
    found = {m.bits for _, m in loaded.model.named_modules() if isinstance(m, nn.QuantizedLinear)}
    if found:
        if found != {bits}:
            widths = ", ".join(map(str, sorted(found)))
            raise UserError(
                f"{loaded.name} is quantised to {widths} bits already: give bits={min(found)}, or "
                f"None to take it as it is"
            )
        return

    def how(path: str, module: nn.Module) -> bool | dict[str, object]:
        if path == anatomy.router or not hasattr(module, "to_quantized"):
            return False
        inputs = int(module.weight.shape[-1])
        for size in GROUPS:
            if inputs % size == 0:
                return {"group_size": size, "bits": bits, "mode": "affine"}
        raise UserError(
            f"{loaded.name}: {path} has {inputs} inputs, which groups of {GROUPS[-1]} do not "
            f"divide: train on the base without bits"
        )

    for block in blocks(loaded.model, anatomy):
        nn.quantize(block, class_predicate=how)


@dataclass(frozen=True, kw_only=True)
class TrainedEngram:
    """An artifact of the recipe in memory, on the base it was trained on."""

    loaded: LoadedModel
    model: EngramModel
    settings: EngramSettings


def save_heads(heads: nn.Module, settings: EngramSettings, directory: Path) -> None:
    """Write the heads' weights and settings."""
    from mlx.utils import tree_flatten

    mx.save_safetensors(str(directory / HEADS), dict(tree_flatten(heads.parameters())))
    text = json.dumps(asdict(settings), indent=1, sort_keys=True)
    (directory / SETTINGS).write_text(text + "\n", encoding="utf-8")


def load_engram(base: Path, artifact: Path) -> TrainedEngram:
    """The model of an artifact: adapter and heads on the base, which is quantised as it was then.

    Raises:
        UserError: the base cannot be loaded.
    """
    kept = read_json(artifact / SETTINGS)
    settings = EngramSettings(**kept | {"classes": tuple(kept["classes"])})
    loaded = load(base, None if settings.bits else artifact)
    if settings.bits:
        quantise_blocks(loaded, settings.bits)
        put_adapter(loaded.model, artifact, loaded.name)
    heads = make_heads(loaded, settings)
    heads.load_weights(str(artifact / HEADS))
    model = EngramModel(loaded.model, heads)
    model.eval()
    return TrainedEngram(loaded=loaded, model=model, settings=settings)
