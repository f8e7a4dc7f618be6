"""Writeup C, "GPT-OSS 20B Router Vocabulary Mapping": gate rows against unembedding rows.

Where the writeup disagrees with itself: "all 768 experts classified as GENERAL", while expert 27
of layer 0 is printed as SHORT_TOKENS, and topics are named for experts of layers 1 and 2; scores
"too low (~0.08)" in the conclusion, "0.07-0.11 typically" in the analysis.

The writeup compares its scores with "0.5+ for strong alignment". What 201,088 tokens give a random
direction of 2,880 numbers is not in it (`analysis.nulls`).
"""

from dataclasses import dataclass

from lazarus_bench.claims.finding import Finding, Labelled
from lazarus_bench.judge import Hits, Means, Reported

from ..records import ROUTER_WORDS

MODEL = "openai/gpt-oss-20b"
EXPERTS = 32
MOE_LAYERS = 24
ACTIVE = 4
"""Experts a token and layer."""

GENERAL_EXPERTS = 768
SCORE_RANGE = (0.07, 0.11)
"""Analysis: "0.07-0.11 typically"."""

TYPICAL_SCORE = 0.08
"""Conclusion: "too low (~0.08)"."""

STRONG_SCORE = 0.5
"""Analysis: "would expect 0.5+ for strong alignment"."""

CLASSIFICATION_WORDS = ROUTER_WORDS

EXPERTS_WITH_WORDS = 0
"""Analysis, 3, and Conclusion: "No experts specialize in classification tokens"."""


@dataclass(frozen=True, kw_only=True)
class Expert:
    """The top tokens of one gate row.

    Attributes:
        layer: 0-based.
        expert: 0-based.
        category: The rule's category, or the writeup's name for the pattern.
        tokens: The top tokens.
        scores: Their cosines with the gate row.
    """

    layer: int
    expert: int
    category: str
    tokens: tuple[str, ...]
    scores: tuple[float, ...]


def _expert(layer: int, expert: int, category: str, *tops: tuple[str, float]) -> Expert:
    tokens, scores = zip(*tops, strict=True)
    return Expert(layer=layer, expert=expert, category=category, tokens=tokens, scores=scores)


SAMPLE_EXPERTS = (
    _expert(0, 0, "GENERAL", ("ثير", 0.082), ("델", 0.076), (" concreto", 0.076)),
    _expert(0, 3, "GENERAL", (" corporation", 0.091), (" Corporate", 0.083), (" Company", 0.079)),
    _expert(0, 25, "GENERAL", ("--;\r\n", 0.073), (" hipó", 0.071), ("CONST", 0.071)),
    _expert(0, 27, "SHORT_TOKENS", ("给", 0.087), ("京", 0.083), ("制作", 0.082)),
    _expert(
        1,
        25,
        "Biology",
        ("enzyme", 0.098),
        ("metabolites", 0.097),
        ("metabolic", 0.092),
        ("pathogen", 0.090),
    ),
    _expert(
        1,
        7,
        "Materials Science",
        ("wavelength", 0.094),
        ("dielectric", 0.080),
        ("Celsius", 0.079),
        ("CMOS", 0.078),
    ),
    _expert(
        2, 9, "Astronomy", ("galaxy", 0.110), ("银河", 0.103), ("Galaxy", 0.096), ("stellar", 0.085)
    ),
    _expert(
        2,
        10,
        "Medicine",
        ("biotechnology", 0.079),
        ("monitoring", 0.076),
        ("interventions", 0.071),
    ),
)
"""Sample Expert Vocabulary Projections (Layer 0) and the notable clusters of layers 1 and 2."""

EXPERTS_OF_TOKEN_127 = 7
"""Analysis, 4: token `127` goes to "7+ different experts across layers"."""


def independent_experts(active: int) -> float:
    """Different expert numbers over the layers if each chose `active` of them evenly, by itself."""
    return EXPERTS * (1 - (1 - active / EXPERTS) ** MOE_LAYERS)


def _none(hits: int = 0) -> Hits:
    """One value an expert: the first `hits` of all 768 are 1."""
    return Hits(values=((1.0,) * hits + (0.0,) * (GENERAL_EXPERTS - hits),), items="experts")


_TOP_SCORES = tuple(expert.scores[0] for expert in SAMPLE_EXPERTS)
_SECTION = "C, Results: GPT-OSS 20B Router Vocabulary Mapping"

ROUTER_WEAK = Finding(
    claim="router/weak",
    source=f"{_SECTION}, Analysis 1",
    evidence=Means(values=(_TOP_SCORES,), items="experts", bounds=(-1, 1)),
    note="Top scores of the eight experts that are printed, picked as samples or as notable "
    "clusters out of 768; '0.07-0.11 typically' of the rest.",
    others=(
        Labelled(
            label="all experts, as printed",
            evidence=Reported(
                value=TYPICAL_SCORE,
                low=SCORE_RANGE[0],
                high=SCORE_RANGE[1],
                note="'~0.08' and '0.07-0.11 typically'",
            ),
        ),
    ),
)

ROUTER_ALL_GENERAL = Finding(
    claim="router/all-general",
    source=f"{_SECTION}, Key Finding",
    evidence=_none(),
    note="'All 768 experts' of one model are GENERAL; the rule is not printed, and expert 27 of "
    "layer 0 is printed as SHORT_TOKENS.",
    others=(Labelled(label="expert 27 of layer 0 as printed", evidence=_none(1)),),
)

ROUTER_NO_CLASS_WORDS = Finding(
    claim="router/no-class-words",
    source=f"{_SECTION}, Analysis 3",
    evidence=_none(EXPERTS_WITH_WORDS),
    note="'No experts specialize in CORRECT/INCORRECT or operation type tokens', read as none of "
    "768; how many top tokens were searched is not printed, nor what random rows find, which could "
    "only lower the difference.",
)

ROUTER_CONTEXT = Finding(
    claim="router/context",
    source=f"{_SECTION}, Analysis 4",
    evidence=Reported(
        value=EXPERTS_OF_TOKEN_127 - independent_experts(ACTIVE),
        note="'7+' expert numbers of one token, minus the 30.7 of 24 layers that choose 4 of 32 "
        "evenly and independently",
    ),
    note="One token, '7+ different experts', without its prompt; 24 layers that choose 4 of 32 "
    "evenly and independently give 30.7, and 17.1 when only the first of the four counts. "
    "An expert's number means nothing across layers, so the count says little either way.",
    others=(
        Labelled(
            label="first experts alone",
            evidence=Reported(
                value=EXPERTS_OF_TOKEN_127 - independent_experts(1),
                note="'7+' minus the 17.1 of independent first choices",
            ),
        ),
    ),
)

ROUTER_LIKE_RANDOM = Finding(
    claim="router/like-random",
    source=f"{_SECTION}, Analysis 1",
    evidence=None,
    note="No random direction was projected; at d = 2,880 and V = 201,088 the largest cosine of a "
    "random one averages 0.084 (95th percentile 0.093), inside the printed range of 0.07-0.11.",
)
