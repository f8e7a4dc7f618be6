"""Gates of a mixture of experts against the vocabulary: which words each expert's row points at.

cos(gate row, unembedding row) for every expert and token; the gate's bias and the norms before
either matrix are left out (methods, *Router projection*, which also names the classes of tokens;
what falls into each is declared here).
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lazarus_bench.analysis.measured import (
    ExpertCosines,
    ExpertHits,
    Floats,
    Ints,
    Measured,
    Singles,
)
from lazarus_bench.analysis.nulls import ExtremeNull, isotropic
from lazarus_bench.analysis.prompts import Strings, token_cells, token_texts, top_header
from lazarus_bench.analysis.vocabulary import Rows, dense, known_words, row_count, strongest
from lazarus_bench.backend import nn
from lazarus_bench.errors import NotApplicable
from lazarus_bench.figures.heatmap import Heat, expert_rows, heat
from lazarus_bench.figures.tables import table, wrapped
from lazarus_bench.figures.text import number
from lazarus_bench.models.anatomy import blocks, head, router
from lazarus_bench.models.load import LoadedModel
from lazarus_bench.models.prompts import WordTokens
from lazarus_bench.tasks.arithmetic import Operation

TOP = 20
"""Tokens kept for each expert."""


GENERAL = "general"
SINGLE_SCRIPT = "single-script"
SHORT = 2
"""Characters that a short token has at most, blanks around it not counted."""

OPERATION_WORDS = frozenset(
    word for operation in Operation for word in (operation.word, *operation.synonyms)
) | {"addition", "subtraction", "multiplication", "division", "multiplied"}

_KEYWORDS = (
    "argc argv async await bool const constexpr def elif elseif endif enum extern fn func goto "
    "impl inline int lambda namespace nullptr printf println ptr str struct typedef typename "
    "typeof uint unsigned var void volatile"
)
KEYWORDS = frozenset(_KEYWORDS.split())
"""Words of common programming languages that prose does not use; `return` or `new` it does."""

_IDENTIFIER = re.compile(
    r"[a-z0-9]+[A-Z]\w*|\w*[^\W_]_[^\W_]\w*|_+[^\W_]\w*|[.@#$]\w+|\w+[(\[{]\w*"
)
"""camelCase, snake_case, _private, .member, call( and the like."""


CLASSES: Mapping[str, Callable[[str], bool]] = {
    "operation words": lambda text: text.lower() in OPERATION_WORDS,
    "numbers": lambda text: (
        any(c.isnumeric() for c in text) and all(c.isnumeric() or c in "+-−.,%" for c in text)
    ),
    "code": lambda text: text in KEYWORDS or _IDENTIFIER.fullmatch(text) is not None,
    "punctuation": lambda text: all(unicodedata.category(c)[0] in "PS" for c in text),
    SINGLE_SCRIPT: lambda text: foreign_script(text) is not None,
    "short tokens": lambda text: len(text) <= SHORT and text.isprintable(),
}
"""The declared classes, the most specific first: of two with as many tokens the first is named."""


def foreign_script(text: str) -> str | None:
    """The one script other than Latin that all letters of `text` are of, such as "CYRILLIC".

    Latin does not count: nearly every token of these vocabularies is of it.
    """
    scripts = {unicodedata.name(c, "").split(" ")[0] for c in text if c.isalpha()}
    script = scripts.pop() if len(scripts) == 1 else "LATIN"
    return None if script in ("LATIN", "") else script


def classes_of(token: str) -> tuple[str, ...]:
    """Every class `token` falls into; none where its bytes are no text by themselves."""
    text = token.strip()
    if not text or "\ufffd" in text:
        return ()
    return tuple(name for name, holds in CLASSES.items() if holds(text))


def category(tokens: Sequence[str]) -> str:
    """The class that at least half of `tokens` fall into, else `GENERAL`.

    Of several the one with most tokens. Tokens of "single-script" count together only when they
    share their script.
    """
    counts = Counter(
        name for token in tokens for name in classes_of(token) if name != SINGLE_SCRIPT
    )
    scripts = Counter(
        foreign_script(token) for token in tokens if SINGLE_SCRIPT in classes_of(token)
    )
    counts[SINGLE_SCRIPT] = max(scripts.values(), default=0)
    best = max(CLASSES, key=lambda name: counts[name])
    return best if tokens and 2 * counts[best] >= len(tokens) else GENERAL


@dataclass(frozen=True, kw_only=True)
class Gates:
    """Every gate row of a model, `rows` `[row, d]`, and whose it is: `layer`, `expert` `[row]`."""

    layer: Ints
    expert: Ints
    rows: Singles


@dataclass(frozen=True, kw_only=True)
class RouterProjection:
    """The tokens that gate rows, or random rows in their place, are nearest to.

    `layer` and `expert` `[row]` are 0-based; `tokens` and `cosines` `[row, k]`, the nearest token
    first; `categories` `[row]` the class that at least half of a row's tokens fall into.
    """

    layer: Ints
    expert: Ints
    tokens: Ints
    cosines: Singles
    categories: tuple[str, ...]

    @property
    def scores(self) -> ExpertCosines:
        """Largest cosine over the vocabulary `[row]`."""
        return np.asarray(self.cosines[:, 0], dtype=np.float64)

    @property
    def semantic(self) -> ExpertHits:
        """Whether a row has a category other than GENERAL `[row]`."""
        return np.array([name != GENERAL for name in self.categories])

    def names(self, words: Sequence[WordTokens]) -> ExpertHits:
        """Whether a row has any spelling of any of `words` among its tokens `[row]`."""
        wanted = [token for word in words for token in word.variants]
        return np.asarray(np.isin(self.tokens, wanted).any(axis=1))

    def by_layer(self, values: npt.ArrayLike) -> Floats:
        """Mean over the experts of each layer `[layer]` of `values` `[row]`."""
        given = np.asarray(values, dtype=np.float64)
        return np.array([given[self.layer == layer].mean() for layer in np.unique(self.layer)])


def routed_layers(loaded: LoadedModel) -> dict[int, nn.Module]:
    """The gate of every layer that has one; some families keep a few layers dense.

    Raises:
        NotApplicable: the model is dense.
    """
    every = enumerate(blocks(loaded.model, loaded.anatomy))
    gates_of = {layer: router(block, loaded.anatomy) for layer, block in every}
    found = {layer: gate for layer, gate in gates_of.items() if gate is not None}
    if not found:
        family = loaded.config.get("model_type")
        raise NotApplicable(
            f"{loaded.name} has no router, its {family!r} blocks are dense: name a mixture of "
            f"experts"
        )
    return found


def gates(loaded: LoadedModel) -> Gates:
    """Every gate row, layer by layer.

    Raises:
        NotApplicable: the model is dense.
    """
    found = routed_layers(loaded)
    sizes = [row_count(gate) for gate in found.values()]
    rows = [np.array(dense(gate, 0, row_count(gate))) for gate in found.values()]
    return Gates(
        layer=np.repeat(np.array(list(found)), sizes),
        expert=np.concatenate([np.arange(size) for size in sizes]),
        rows=np.concatenate(rows),
    )


def unembedding_of(loaded: LoadedModel) -> Rows:
    """The layer whose rows are the vocabulary's, the embedding where the two are tied."""
    return head(loaded.model, loaded.anatomy)[0]


def project_gates(loaded: LoadedModel, k: int = TOP) -> RouterProjection:
    """The `k` tokens nearest to every gate row.

    Raises:
        NotApplicable: the model is dense.
        UserError: `k` is below 1, or a weight is not finite.
    """
    found = gates(loaded)
    return _project(loaded, found, found.rows, k)


def project_random(loaded: LoadedModel, k: int = TOP, seed: int = 0) -> RouterProjection:
    """The same of as many isotropic random rows in the gates' place: what chance gives.

    Raises:
        NotApplicable: the model is dense.
        UserError: `k` is below 1, or a weight is not finite.
    """
    found = gates(loaded)
    drawn = isotropic(seed).normal(size=found.rows.shape)
    return _project(loaded, found, drawn, k)


def _project(loaded: LoadedModel, owners: Gates, rows: npt.ArrayLike, k: int) -> RouterProjection:
    nearest = strongest(rows, unembedding_of(loaded), k)
    texts = {int(i): loaded.tokenizer.decode([int(i)]) for i in np.unique(nearest.tokens)}
    return RouterProjection(
        layer=owners.layer,
        expert=owners.expert,
        tokens=nearest.tokens,
        cosines=nearest.cosines,
        categories=tuple(category([texts[int(i)] for i in row]) for row in nearest.tokens),
    )


@dataclass(frozen=True, kw_only=True)
class Projected:
    """Router rows of some layers against the vocabulary, beside as many random rows.

    `rows` index those of `gates`; `tokens` spell theirs `[row of gates, k]`. `left_out` are class
    words that no single token spells. `random_named` and `random_score` `[draw]` are the share of
    random rows with a class word and their mean largest cosine.
    """

    layers: Sequence[int]
    depth: int
    words: Sequence[WordTokens]
    left_out: Sequence[str]
    rows: Sequence[int]
    gates: RouterProjection
    tokens: Strings
    random_named: Floats
    random_score: Floats
    random_categories: Counter[str]

    @property
    def named(self) -> list[bool]:
        """Whether a row of `gates` has a class word among its tokens."""
        found: list[bool] = self.gates.names(self.words).tolist()
        return found

    @property
    def share(self) -> float:
        """Share of the chosen rows with a class word."""
        return float(np.mean([self.named[row] for row in self.rows]))

    @property
    def score(self) -> float:
        """Mean largest cosine of the chosen rows."""
        return float(self.gates.scores[self.rows].mean())

    def to_json(self) -> dict[str, Any]:
        """One entry a router row, and what random rows have."""
        gates, draws, named = self.gates, len(self.random_named), self.named
        return {
            "layers": list(self.layers),
            "words": [word.word for word in self.words],
            "top_k": gates.tokens.shape[1],
            "experts": [
                {
                    "layer": int(gates.layer[row]),
                    "expert": int(gates.expert[row]),
                    "category": gates.categories[row],
                    "has_word": named[row],
                    "tokens": self.tokens[row],
                    "ids": gates.tokens[row],
                    "cosines": gates.cosines[row],
                }
                for row in self.rows
            ],
            "share_with_word": self.share,
            "mean_largest_cosine": self.score,
            "random_rows": {
                "draws": draws,
                "share_with_word": self.random_named,
                "mean_largest_cosine": self.random_score,
                "categories": {k: n / draws for k, n in self.random_categories.most_common()},
            },
        }

    def text(self, room: int) -> str:
        """Router rows beside random rows, then a table with a row for each expert."""
        gates, named = self.gates, self.named
        header = ["layer", "expert", "category", "word", *top_header(gates.tokens)]
        rows = [
            [
                f"L{gates.layer[row]}",
                f"e{gates.expert[row]}",
                gates.categories[row],
                "yes" if named[row] else "",
                *token_cells(self.tokens[row], gates.cosines[row]),
            ]
            for row in self.rows
        ]
        known = ", ".join(word.word for word in self.words)
        left_out = ""
        if self.left_out:
            left_out = f" No single token here, so left out: {', '.join(self.left_out)}."
        note = (
            f"Cosine of a router row with the output head's row of a token, without the router's "
            f"bias and the norms. word: a spelling of {known} is among the "
            f"{gates.tokens.shape[1]} nearest tokens; category: the class of at least half of "
            f"them.{left_out} Random rows: as many isotropic directions on the same vocabulary, "
            f"{len(self.random_named)} times."
        )
        return "\n\n".join([self._summary(room), table(header, rows, room), wrapped(note, room)])

    def _summary(self, room: int) -> str:
        categories = Counter(self.gates.categories[row] for row in self.rows)
        count = len(self.rows)

        def beside(what: str, own: float, random: Floats) -> list[str]:
            low, high = (number(float(edge)) for edge in (random.min(), random.max()))
            mean = number(float(random.mean()))
            return [what, number(own), mean, f"{low} to {high}"]

        rows = [
            beside("share with a class word", self.share, self.random_named),
            beside("mean largest cosine", self.score, self.random_score),
        ]
        for name in sorted({*categories, *self.random_categories}):
            random = self.random_categories[name] / (count * len(self.random_named))
            shares = (number(share) for share in (categories[name] / count, random))
            rows.append([f"share that is {name}", *shares, ""])
        return table([f"of {count} rows", "router", "random rows", "least to most"], rows, room)

    def figure(self, subject: str) -> Heat:
        """Expert by layer: the largest cosine with a token."""
        gates, name = self.gates, "largest cosine with a token"
        scores = np.stack([gates.scores[gates.layer == layer] for layer in self.layers])
        rows = expert_rows(name, scores, self.layers, self.depth)
        largest = float(np.nanmax(scores)) or 1.0
        title = "Router rows against the vocabulary"
        return heat(title, subject, [(name, rows)], self.layers[0], largest=largest)


def projected(
    loaded: LoadedModel,
    layers: Sequence[int],
    words: Sequence[WordTokens],
    left_out: Sequence[str] = (),
    *,
    top: int = TOP,
    draws: int,
) -> Projected:
    """Project the routers of `layers`, and `draws` times as many random rows.

    Raises:
        NotApplicable: the model is dense.
        UserError: a weight is not finite.
    """
    gates = project_gates(loaded, top)
    random = [project_random(loaded, top, seed) for seed in range(draws)]
    rows = [row for row, layer in enumerate(gates.layer) if layer in layers]
    return Projected(
        layers=layers,
        depth=loaded.depth,
        words=words,
        left_out=left_out,
        rows=rows,
        gates=gates,
        tokens=token_texts(loaded, gates.tokens),
        random_named=np.array([each.names(words)[rows].mean() for each in random]),
        random_score=np.array([each.scores[rows].mean() for each in random]),
        random_categories=Counter(each.categories[row] for each in random for row in rows),
    )


def router_null(loaded: LoadedModel) -> ExtremeNull:
    """What random directions reach on a vocabulary of this size and width, by calculation."""
    width = gates(loaded).rows.shape[1]
    return ExtremeNull(width=width, vocabulary=row_count(unembedding_of(loaded)))


def random_gates(run: Measured, k: int = TOP) -> RouterProjection:
    """`project_random` of as many rows as there are gates, drawn with the run's own seed."""
    return run.read(project_random, k, run.seed)


def experts_naming(run: Measured, words: Sequence[str], projection: RouterProjection) -> ExpertHits:
    """Whether each expert has one of `words`, in any spelling, among its tokens `[expert]`.

    Words that are no single token here are left out.

    Raises:
        NotApplicable: none of them is.
    """
    return projection.names(known_words(run.loaded, words))
