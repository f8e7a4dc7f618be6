"""Writeup C, "GPT-OSS 20B Router Vocabulary Mapping": gate rows against unembedding rows.

Where the writeup disagrees with itself: "all 768 experts classified as GENERAL", while expert 27
of layer 0 is printed as SHORT_TOKENS.
"""

from dataclasses import dataclass

EXPERTS = 32
MOE_LAYERS = 24
GENERAL_EXPERTS = 768
SCORE_RANGE = (0.07, 0.11)
"""Analysis: "0.07-0.11 typically"."""


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
"""Analysis, 4: the same token goes to "7+ different experts across layers"."""
