"""Writeup C, the linear probes: accuracy by layer on symbol prompts and on word prompts.

Four-fold cross-validation on 16 prompts, four a class, so accuracies come in steps of 1/16. The
printed deviations are over folds. Layers that the writeup leaves out ("...") are left out here.

Where the writeup disagrees with itself: Llama's word peak is called L4-L5, L7 ties with it;
Granite's L37, L39 ties with it; a second symbol table of Llama (other prompts, no blanks) falls to
81.2% at L15 where the first holds 100%; "81% accuracy" stands for base models under "The Gap",
although Granite's words reach 31.2%. What these numbers offer for the claims is in `probing`.
"""

from dataclasses import dataclass

from ..records import percent, percents


@dataclass(frozen=True, kw_only=True)
class LayerAccuracy:
    """Probe accuracy at the layers that were printed.

    Attributes:
        model: As printed.
        layers: Layers of the model.
        at: The layers printed, 0-based.
        accuracy: One fraction for each of `at`.
    """

    model: str
    layers: int
    at: tuple[int, ...]
    accuracy: tuple[float, ...]

    @property
    def peak(self) -> float:
        """The best accuracy of any printed layer."""
        return max(self.accuracy)

    @property
    def first(self) -> float:
        """The accuracy at L0, printed of every model."""
        return self.accuracy[self.at.index(0)]


def _uniform(model: str, layers: int) -> LayerAccuracy:
    return LayerAccuracy(
        model=model, layers=layers, at=tuple(range(layers)), accuracy=(1.0,) * layers
    )


SYMBOLS_LLAMA = _uniform("Llama 3.2 1B", 16)
SYMBOLS_TINYLLAMA = _uniform("TinyLlama 1.1B Chat", 22)
SYMBOLS_GRANITE = LayerAccuracy(
    model="Granite 3.1 2B Base",
    layers=40,
    at=tuple(range(40)),
    accuracy=percents(
        "100.0% 100.0% 100.0% 87.5% 87.5% 87.5% 87.5% 75.0% 87.5% 62.5% "
        "56.2% 56.2% 62.5% 62.5% 75.0% 68.8% " + "75.0% " * 22 + "81.2% 81.2%"
    ),
)
"""Results: Linear Probe Accuracy by Layer (symbol prompts)."""

WORDS_LLAMA = LayerAccuracy(
    model="Llama 3.2 1B",
    layers=16,
    at=(*range(9), 15),
    accuracy=percents("43.8% 75.0% 68.8% 75.0% 81.2% 81.2% 75.0% 81.2% 75.0% 68.8%"),
)
WORDS_TINYLLAMA = LayerAccuracy(
    model="TinyLlama 1.1B Chat",
    layers=22,
    at=(*range(8), *range(16, 22)),
    accuracy=percents(
        "12.5% 43.8% 56.2% 56.2% 68.8% 75.0% 75.0% 75.0% 81.2% 81.2% 75.0% 62.5% 62.5% 56.2%"
    ),
)
WORDS_GRANITE = LayerAccuracy(
    model="Granite 3.1 2B Base",
    layers=40,
    at=(*range(19), 37, 38, 39),
    accuracy=percents("18.8% 12.5% 18.8% " + "12.5% " * 4 + "6.2% " * 12 + "31.2% 25.0% 31.2%"),
)
"""True Classifier Emergence: Word-Based Prompts; Granite's L19-L36 are printed as 12-18%."""


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """One row of "Test Predictions": confidences of the three probes, all of them right."""

    prompt: str
    operation: str
    llama: float
    tinyllama: float
    granite: float


def _held_out(prompt: str, operation: str, printed: str) -> HeldOut:
    llama, tinyllama, granite = percents(printed)
    return HeldOut(
        prompt=prompt, operation=operation, llama=llama, tinyllama=tinyllama, granite=granite
    )


HELD_OUT = (
    _held_out("11 * 12 =", "multiply", "30.4% 25.5% 44.6%"),
    _held_out("6 * 9 =", "multiply", "31.5% 25.8% 50.1%"),
    _held_out("13 + 14 =", "add", "27.6% 25.3% 54.9%"),
    _held_out("25 + 17 =", "add", "27.6% 25.3% 44.2%"),
    _held_out("15 - 6 =", "subtract", "26.8% 25.4% 50.2%"),
    _held_out("20 - 8 =", "subtract", "26.9% 25.4% 50.1%"),
    _held_out("12 / 4 =", "divide", "27.7% 25.3% 48.4%"),
    _held_out("15 / 3 =", "divide", "28.0% 25.3% 48.1%"),
)
"""Test Predictions (Held-Out Prompts): 8/8 for each model."""

GRANITE_LAYERS = (0, 1, 2, 3, 7, 10, 11, 12, 15, 23, 38, 39)
GRANITE_BASE = percents(
    "100.0% 100.0% 100.0% 87.5% 75.0% 56.2% 56.2% 62.5% 68.8% 75.0% 81.2% 81.2%"
)
GRANITE_INSTRUCT = percents(
    "100.0% 100.0% 93.8% 75.0% 75.0% 75.0% 75.0% 68.8% 68.8% 81.2% 75.0% 68.8%"
)
"""Base vs Instruct Comparison, Granite 3.1 2B, at `GRANITE_LAYERS`; Llama is 100% throughout."""

LLAMA_LAYERS = (0, 1, 2, 15)
LLAMA_BASE = LLAMA_INSTRUCT = percents("100.0% 100.0% 100.0% 100.0%")
"""Base vs Instruct Comparison, Llama 3.2 1B, at `LLAMA_LAYERS`; the text says all 16 layers."""


@dataclass(frozen=True, kw_only=True)
class ProbeSummary:
    """One row of "Summary Table": where a probe on symbols reads most and least.

    Attributes:
        model: As printed.
        layers: Layers of the model.
        peak: Best accuracy.
        peak_at: The layers that reach it, as printed.
        least: Lowest accuracy.
        least_at: Likewise.
    """

    model: str
    layers: int
    peak: float
    peak_at: str
    least: float
    least_at: str


def _summary(model: str, layers: int, peak: str, least: str) -> ProbeSummary:
    (most, most_at), (low, low_at) = (cell.split(" ") for cell in (peak, least))
    return ProbeSummary(
        model=model,
        layers=layers,
        peak=percent(most),
        peak_at=most_at.strip("()"),
        least=percent(low),
        least_at=low_at.strip("()"),
    )


SUMMARY = (
    _summary("Llama 3.2 1B Base", 16, "100% (all)", "100% (all)"),
    _summary("Llama 3.2 1B Instruct", 16, "100% (all)", "100% (all)"),
    _summary("TinyLlama 1.1B Chat", 22, "100% (all)", "100% (all)"),
    _summary("Granite 3.1 2B Base", 40, "100% (L0-L2)", "56.2% (L10-L11)"),
    _summary("Granite 3.1 2B Instruct", 40, "100% (L0-L1)", "68.8% (L12-L17)"),
)
"""Summary Table; it leaves Granite Instruct's 68.8% at L39 out."""

PEAK_DIFFERENCES = percents("-18.8% -18.8% -68.8%")
"""Summary: Symbol vs Word Prompts, word minus symbol peak of Llama, TinyLlama and Granite."""

GPT_OSS_ACCURACY = percent("100%")
"""The Gap: Hidden Space vs Vocabulary Space, without layers, prompts or a table."""

SECOND_SYMBOLS_LLAMA = LayerAccuracy(
    model="Llama 3.2 1B",
    layers=16,
    at=tuple(range(16)),
    accuracy=(1.0,) * 14 + (percent("93.8%"), percent("81.2%")),
)
"""Linear Probe vs Logit Lens Comparison: other prompts, without blanks."""


VOCABULARY = 128_256


@dataclass(frozen=True, kw_only=True)
class DirectionToken:
    """Where one token falls in the projection of the multiply-against-add probe direction."""

    token: str
    score: float
    rank: int

    @property
    def end_distance(self) -> float:
        """Share of the vocabulary between the token and the nearer end."""
        percentile = (self.rank - 0.5) / VOCABULARY
        return min(percentile, 1 - percentile)


PROBE_DIRECTION = (
    DirectionToken(token="multiply", score=+0.0355, rank=24_300),
    DirectionToken(token="add", score=-0.0364, rank=119_983),
    DirectionToken(token="divide", score=+0.0426, rank=16_807),
    DirectionToken(token="+", score=-0.0535, rank=125_699),
    DirectionToken(token="-", score=-0.0595, rank=126_645),
)
"""Probe Direction Vocabulary Projection, Llama-3.2-1B at layer 8."""
