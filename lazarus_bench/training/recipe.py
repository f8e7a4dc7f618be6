"""Recipes: frozen specs whose fields carry their own bounds, options and names.

A recipe is one file: a subclass of `Recipe` with its fields and its `train`. Every field enters the
artifact's digest, except the places of files. Its annotation says what it may hold, which is
checked when the spec is made, and how a person sets it (`Option`): the flags, the configuration
keys and the help of `lazarus-bench train` are derived from that. Nothing here imports mlx until
something is trained.

NumPy's numbers become Python's, and an integer in a float field becomes a float, so that equal
specs share a digest. A bool for a number, a float for an integer and a float of fewer than 64 bits,
whose value differs from what it prints, are refused.

Quirks reproduce defects of public code, each a switch of the recipes it fits, off by default. A
quirk that is on is a field of the spec, so it shows in the digest, the recipe's label, the
artifact's manifest and every report on it.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ClassVar,
    Literal,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

import numpy as np

from lazarus_bench.errors import UserError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from lazarus_bench.tasks.text_rows import TextSource


@dataclass(frozen=True, kw_only=True)
class Bound:
    """The range of a number, and the reason for it where that is not obvious."""

    least: float = -math.inf
    above: float = -math.inf
    most: float = math.inf
    because: str = ""

    def holds(self, value: float) -> bool:
        """Whether `value` lies in the range."""
        return self.least <= value <= self.most and value > self.above

    def __str__(self) -> str:
        """In words that follow "a number"."""
        limits = {"of at least": self.least, "above": self.above, "of at most": self.most}
        words = " and ".join(f"{how} {at:g}" for how, at in limits.items() if math.isfinite(at))
        return words + (f", as {self.because}" if self.because else "")


MOST = 10**7
"""The largest number of anything in a training: lists of so many examples still fit in memory."""

Count = Annotated[int, Bound(least=1)]
Index = Annotated[int, Bound(least=0)]
Positive = Annotated[float, Bound(above=0)]
NonNegative = Annotated[float, Bound(least=0)]
Share = Annotated[float, Bound(least=0, most=1)]


class _UnfitError(Exception):
    """A value does not fit its annotation; the message adds to the words for the annotation."""


def check_fields(spec: DataclassInstance) -> None:
    """Check every field of the frozen `spec` against its annotation; make its numbers Python's.

    Raises:
        UserError: a field does not fit; the message names it, its value and what to give.
    """
    hints = _hints(type(spec))
    for each in fields(spec):
        given, hint = getattr(spec, each.name), hints[each.name]
        try:
            value = _fitting(given, hint)
        except _UnfitError as error:
            usual = None if each.default is MISSING else each.default
            such = "" if usual is None else f": give one such as {usual!r}"
            raise UserError(
                f"{type(spec).__name__}.{each.name} = {given!r} must be {_words(hint)}{error}{such}"
            ) from None
        object.__setattr__(spec, each.name, value)


@cache
def _hints(kind: type) -> Mapping[str, Any]:
    return get_type_hints(kind, include_extras=True)


def _bounds(hint: Any) -> list[Bound]:
    return [each for each in get_args(hint) if isinstance(each, Bound)]


def _must(fits: bool) -> None:
    if not fits:
        raise _UnfitError


def _fitting(value: Any, hint: Any) -> Any:
    """`value` as a plain Python value; raises _UnfitError if it does not fit."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        value = _fitting(value, arguments[0])
        _must(all(bound.holds(value) for bound in _bounds(hint)))
        return value
    if origin is Literal:
        _must(isinstance(value, str) and value in arguments)
        return str(value)
    if origin is tuple:
        _must(isinstance(value, tuple | list))
        return tuple(_fitting(item, arguments[0]) for item in value)
    if origin in (Union, UnionType):
        empty = value is None and NoneType in arguments
        return None if empty else _fitting(value, arguments[0])
    if hint not in _PLAIN:  # a nested record, checked like the spec
        _must(isinstance(value, hint))
        copy = replace(value)
        check_fields(copy)
        return copy
    if hint is float and isinstance(value, np.floating) and value.dtype != np.float64:
        raise _UnfitError(f", of Python's or of 64 bits (this {value.dtype} is {float(value)})")
    _must(isinstance(value, _PLAIN[hint][1]) and (hint is bool or not isinstance(value, bool)))
    try:
        made = hint(value)
    except OverflowError:  # an integer beyond all floats
        raise _UnfitError from None
    _must(hint is not float or math.isfinite(made))
    if hint is int and made > MOST:
        raise _UnfitError(f", and of at most {MOST}")
    return made


_PLAIN: Mapping[Any, tuple[str, tuple[type, ...]]] = {
    int: ("an integer", (int, np.integer)),
    float: ("a finite number", (int, float, np.integer)),
    bool: ("True or False", (bool, np.bool_)),
    str: ("text", (str,)),
}
"""The name of each kind of plain value, and the types accepted for it."""


def _words(hint: Any) -> str:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return " ".join([_words(arguments[0]), *map(str, _bounds(hint))])
    if origin is Literal:
        return "one of " + ", ".join(arguments)
    if origin is tuple:
        return f"a tuple, each item {_words(arguments[0])}"
    if origin in (Union, UnionType):
        return _words(arguments[0]) + (" or None" if NoneType in arguments else "")
    return _PLAIN[hint][0] if hint in _PLAIN else f"a {hint.__name__}"


@dataclass(frozen=True, kw_only=True)
class Option:
    """How a person sets a field, or a setting in `Recipe.also` that fields are computed from.

    Attributes:
        help: what it sets; a field without help is set by code only.
        name: the name of flag and configuration key, if not the field's.
        aliases: further keys in a configuration file, with dots between levels; those without a
            dot are flags too, which the help does not list.
        metavar: the value's placeholder in the help, if the annotation does not imply one.
        usual: the default in words, if the value alone says too little; "" shows none.
        hint: the annotation of a setting that is not a field.
        instead: the field that this setting is an alternative to.
    """

    help: str = ""
    name: str = ""
    aliases: tuple[str, ...] = ()
    metavar: str = ""
    usual: str | None = None
    hint: Any = None
    instead: str = ""


def option(default: Any, help: str = "", *, added: bool = False, **about: Any) -> Any:
    """A field with its default and the parts of its `Option` that its annotation lacks.

    A field that is `added` to a recipe which has artifacts already is no part of the digest while
    it has its default, so that they are still found.
    """
    own = about | ({"help": help} if help else {})
    return field(default=default, metadata={"option": own, "added": added})


def options_of(recipe: type[Recipe]) -> dict[str, tuple[Any, Any, Option]]:
    """Annotation, default and option of every setting of `recipe`: its fields, then `also`.

    `option(...)` overrides the `Option` in the annotation, and a subclass that gives a field
    another default inherits it. A field with neither gets a flag of its own name.
    """
    found: dict[str, tuple[Any, Any, Option]] = {}
    hints = get_type_hints(recipe, include_extras=True)
    for each in fields(recipe):
        hint = hints[each.name]
        above = (vars(cls).get("__dataclass_fields__", {}).get(each.name) for cls in recipe.__mro__)
        given = [one.metadata["option"] for one in above if one and "option" in one.metadata]
        plain = Option(help="" if given else each.name.replace("_", " "))
        shared = next((one for one in get_args(hint)[1:] if isinstance(one, Option)), plain)
        own = replace(shared, **next(iter(given), {}))
        if own.help:
            found[each.name] = hint, each.default, own
    return found | {name: (each.hint, None, each) for name, each in recipe.also.items()}


Targets = Literal["vo", "qk", "mlp", "all"]
Quirk = Literal[
    "unshifted-labels",
    "class-at-answer-end",
    "sgd",
    "unbounded-kl",
    "clip-to-reference",
    "eval-in-train",
]
"""What the public source does instead:

unshifted-labels: the answer loss scores the logits at a position against the token at it.
class-at-answer-end: the classification loss is at the last answer token, which no lens reads.
sgd: an Adam is built and plain SGD is applied.
unbounded-kl: mean(log p − log p_ref) over prompt and answer is minimised, for a divergence.
clip-to-reference: the clipped ratio is to the frozen reference, not to the sampling policy.
eval-in-train: a part of the evaluation problems occurs in the training data.
"""

QUIRKS: tuple[Quirk, ...] = get_args(Quirk)

_OF: Mapping[Quirk, str] = {
    "unshifted-labels": "an answer loss on given labels",
    "class-at-answer-end": "a classification loss beside a given answer",
    "sgd": "an Adam",
    "unbounded-kl": "a penalty on the divergence from a reference",
    "clip-to-reference": "a clipped ratio",
    "eval-in-train": "arithmetic training data",
}
"""What a recipe must have for the quirk to apply."""


Steps = Annotated[Count, Option(help="optimizer steps", aliases=("max_steps", "iters"))]
Batch = Annotated[Count, Option(help="examples per step", aliases=("batch_size",))]
Rate = Annotated[Positive, Option(help="Adam's learning rate", aliases=("lr",))]
Examples = Annotated[
    Count, Option(help="training problems drawn", aliases=("num_samples", "train_samples"))
]
Linears = Annotated[
    Targets,
    Option(
        help="linear layers of every block that get LoRA: attention values and outputs "
        "(vo), queries and keys (qk), the MLP, or all"
    ),
]
Rank = Annotated[
    Count, Option(help="LoRA rank", aliases=("lora_rank", "lora.rank", "lora_parameters.rank"))
]
_ALPHA = Option(
    help="LoRA alpha; the update is scaled by alpha / rank",
    aliases=("lora_alpha", "lora.alpha", "lora_parameters.alpha"),
)
Alpha = Annotated[Positive | None, _ALPHA]
Scale = Annotated[
    Positive,
    Option(
        help="scale of the LoRA update; an alternative to --alpha",
        aliases=("lora_scale", "lora.scale", "lora_parameters.scale"),
        usual="",
    ),
]
Quirks = Annotated[
    tuple[Quirk, ...],
    Option(
        help="switch on a defect of the public source (docs/quirks.md); may be repeated",
        name="quirk",
        aliases=("quirks",),
    ),
]


Words = Annotated[
    tuple[str, ...],
    Option(
        help="the text that stands for a class, where it is not the class's own name; token:N is "
        "the token with the id N; may be repeated",
        name="word",
        aliases=("words",),
        metavar="CLASS=TEXT",
    ),
]
Token = Annotated[
    Literal["only", "first", "phrase"],
    Option(
        help="how a text of several tokens is read: not at all (only), by its first token, or by "
        "all of them (phrase)",
    ),
]


OWN_PROBLEMS = Option(
    help="train on your own problems instead of arithmetic: a file, or a folder with train.jsonl, "
    "whose rows have a prompt and its completion, or messages, and a class where one is learnt "
    "(docs/own-words.md)",
    name="data",
    metavar="FILE.jsonl|DIR",
    hint=str,
)
MAX_SEQ_LENGTH = Option(
    help="with --data, cut rows after this number of tokens, as mlx-lm does; how many were cut is "
    "told and stored",
    usual="none is cut; one beyond the context is an error",
    hint=int,
)


def check_cut(max_seq_length: object, texts: object) -> None:
    """Make sure that only rows of one's own are cut; else UserError."""
    if max_seq_length is not None and texts is None:
        raise UserError("--max-seq-length cuts rows of --data: give both, or leave it out")


def idle_on_rows(texts: TextSource | None) -> dict[Quirk, str]:
    """The quirk that rows of one's own leave idle, with what to blame."""
    return {} if texts is None else {"eval-in-train": "rows of your own"}


def rows_suffix(texts: TextSource | None) -> str:
    """The end of a label that names the rows trained on; "" without any."""
    return "" if texts is None else f" on {Path(texts.path).name or 'texts'}"


def words_by_class(words: Iterable[str]) -> dict[str, str]:
    """The text of each class that `words` name, of ``class=text``.

    Raises:
        UserError: a word has another form, or a class has two texts.
    """
    found: dict[str, str] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not (name and equals and text):
            raise UserError(f"the word {word!r} names no class and its text: write CLASS=TEXT")
        if found.setdefault(name, text) != text:
            raise UserError(
                f"the class {name} has the words {found[name]!r} and {text!r}: give it one"
            )
    return found


def ordered(words: Iterable[str]) -> tuple[str, ...]:
    """`words` once each and sorted, without those that are their class's name anyway.

    So equal ones share a digest.

    Raises:
        UserError: as `words_by_class`.
    """
    found = sorted(words_by_class(words).items())
    return tuple(f"{name}={text}" for name, text in found if name != text)


def alpha_of(usual: str) -> Option:
    """LoRA's alpha, for `also` of a recipe whose field is the scale."""
    return replace(_ALPHA, hint=float, usual=usual, instead="scale")


def quirk_suffix(quirks: Iterable[str]) -> str:
    """The end of a label that names `quirks`: ", QUIRK sgd"; "" without any."""
    return "".join(f", QUIRK {quirk}" for quirk in quirks)


def scaled(settings: Mapping[str, Any], rank: int) -> dict[str, Any]:
    """`settings` with the scale alpha / rank in place of alpha; `rank` where they name none.

    Raises:
        UserError: both are given.
    """
    given = dict(settings)
    alpha = given.pop("alpha", None)
    if alpha is None:
        return given
    if "scale" in given:
        raise UserError(
            f"--alpha {alpha:g} and --scale {given['scale']:g} set the same thing: give one of them"
        )
    return {**given, "scale": alpha / max(given.get("rank", rank), 1)}


def check_lora(settings: Mapping[str, Any], *, full: bool, remedy: str) -> None:
    """Refuse settings of LoRA where every weight is trained.

    Raises:
        UserError: there are some.
    """
    idle = [name for name in ("targets", "rank", "alpha", "scale", "bits") if name in settings]
    if full and idle:
        raise UserError(
            f"--{idle[0]} applies to LoRA, and every weight is trained here: {remedy}leave it out"
        )


@dataclass(frozen=True, kw_only=True)
class Stack:
    """The start of a recipe `on_adapter`: the directories of a model and of its adapter."""

    model: Path
    adapter: Path


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What to do to a base model; a subclass adds parameters and `train`.

    The subclass's docstring is the help of its command, and its first line the summary.
    """

    kind: ClassVar[str]
    """The recipe's name in digests and in the store; `train` calls it so, with dashes."""
    version: ClassVar[int]
    """Raised whenever the recipe's meaning changes, so that older artifacts are made again."""
    shared: ClassVar[tuple[str, ...]] = ()
    """Fields that count what a step sees and that ranks share out among them."""
    leaves: ClassVar[Literal["model", "adapter", "lens", "record"]] = "adapter"
    """Its result: a model, an adapter or a lens for the model it started from, or numbers."""
    on_adapter: ClassVar[bool] = False
    """Whether it starts from an adapter and is given a `Stack`."""
    ranked: ClassVar[bool] = True
    """Whether ranks can share its batches."""
    seeded: ClassVar[bool] = True
    """False if one seed's result holds for a whole kind of model."""
    trains: ClassVar[bool] = True
    """False if it changes nothing that the base has learnt: then it has the seeds of the base."""
    possible_quirks: ClassVar[tuple[Quirk, ...]] = ()
    """The quirks it can switch on, in a field `quirks`."""
    also: ClassVar[Mapping[str, Option]] = {}
    """Settings that `from_settings` turns into fields."""
    examples_of_use: ClassVar[tuple[str, ...]] = ()
    """Command lines for the help."""

    def __post_init__(self) -> None:
        """Refuse a field that does not fit its annotation, and quirks that do not apply."""
        check_fields(self)
        if not self.possible_quirks:
            return
        given, idle = quirks_of(self), self._idle_quirks()
        # Once each, in the order of `QUIRKS`, so that equal sets share a digest.
        chosen = tuple(quirk for quirk in QUIRKS if quirk in given)
        object.__setattr__(self, "quirks", chosen)
        for quirk in chosen:
            if quirk not in self.possible_quirks:
                raise UserError(
                    f"{type(self).__name__} cannot have the quirk {quirk!r}, which is one of "
                    f"{_OF[quirk]}: choose from {', '.join(self.possible_quirks)}"
                )
            if quirk in idle:
                raise UserError(
                    f"{type(self).__name__} with {idle[quirk]} trains without {_OF[quirk]}, so the "
                    f"quirk {quirk!r} would change nothing: change that or leave the quirk off"
                )

    @abstractmethod
    def train(self, base: Any, out: Path, seed: int, show: bool | None = None) -> None:
        """Make the artifact.

        Args:
            base: the directory of the model it starts from; a `Stack` if `on_adapter`; None from
                scratch.
            out: the directory that receives the result.
            seed: of data, order and initial weights.
            show: the progress bar on stderr; None shows it on a terminal only.

        Raises:
            UserError: it cannot be trained with these parameters.
            NotApplicable: it does not apply to this model.
        """
        raise NotImplementedError

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], *, blank: bool = False) -> Recipe:  # noqa: ARG003 - every recipe's
        """The spec that a command line or a file describes, for a model or a `blank` one.

        Raises:
            UserError: a setting cannot be honoured.
        """
        return cls(**settings)

    def _idle_quirks(self) -> Mapping[Quirk, str]:
        """Quirks that would change nothing here, with the parameter to blame."""
        return {}

    @property
    def label(self) -> str:
        """A few words for progress lines and reports."""
        return self.kind

    @property
    def fed(self) -> tuple[int, int]:
        """About how many sequences a step trains on, and the tokens of each."""
        longest = int(getattr(self, "max_length", None) or 12)  # which few texts have
        return int(getattr(self, "batch", 1)), min(longest, 256)

    def working(self, width: int, layers: int, vocabulary: int) -> int | None:  # noqa: ARG002 - some recipes'
        """Numbers that a step holds beside the model and what its forward leaves.

        None for those of a training of weights.
        """
        return None

    @property
    def models_held(self) -> int:
        """How many whole models a training has in memory."""
        return 1

    @property
    def lab_seconds(self) -> float | None:
        """Approximate seconds of one CPU core with MKL on a lab model; None if unknown."""
        return None


def quirks_of(recipe: Recipe) -> tuple[Quirk, ...]:
    """The quirks that are on in `recipe`, which has no such field if it can have none."""
    found: tuple[Quirk, ...] = getattr(recipe, "quirks", ())
    return found


def check_base(recipe: object, below: Recipe | None) -> None:
    """Check that `recipe` can start from what `below` leaves; None stands for a bare model or none.

    Raises:
        UserError: it is not a recipe, or it needs an adapter or a whole model and gets neither.
    """
    if not isinstance(recipe, Recipe):
        name = recipe.__name__ if isinstance(recipe, type) else "Sft"
        raise UserError(f"{recipe!r} is not a recipe: give an instance, such as {name}()")
    left = "model" if below is None else below.leaves
    if left == ("adapter" if recipe.on_adapter else "model"):
        return
    origin = "a bare model" if below is None else below.label
    if recipe.on_adapter:
        raise UserError(
            f"{recipe.label} starts from a training that leaves an adapter, not from {origin}: put "
            f"it on one, such as Sft() or DualReward()"
        )
    remedy = "put Fuse() between them" if left == "adapter" else "put it on a model"
    found = "an adapter" if left == "adapter" else "no model"
    raise UserError(
        f"{recipe.label} starts from a whole model, and {origin} leaves {found}: {remedy}"
    )
