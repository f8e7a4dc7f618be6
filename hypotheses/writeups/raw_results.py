"""What the authors' public raw results and source hold beside the five writeups.

None of it was printed in a writeup. It stands beside the printed numbers where it bears on them,
always labelled as the record behind them, and no verdict rests on it.
"""

from lazarus_bench.claims.finding import Labelled
from lazarus_bench.judge import Hits, Trend

from .records import percent, percents

PEAK_PROBABILITY = percents("0.41% 0.75% 1.18% 0.83%")
"""Mean peak probability at steps 0/100/300/500 behind writeup A's summary table."""

HAS_CLASSIFIERS = (False, False, False, False)
"""The same checkpoints; A prints "No", "Emerging", "Emerging" and "Yes"."""

LORA_SYNONYMS = 0.968
"""Mass of the five synonyms under LoRA, of which writeup B prints the first, 53.9%."""

UNTRAINED_QWEN = percent("15.5%")
"""Largest probability of a "classifier" recorded for an untrained Qwen3-0.6B."""

RECORD = "by the raw results behind the writeup"

PEAKS_OF_RECORD = Labelled(
    label=f"{RECORD}: 0.41 / 0.75 / 1.18 / 0.83%, classifiers 'false' at all four",
    evidence=Trend(values=(PEAK_PROBABILITY,)),
)
RERUN = Labelled(
    label="a rerun of V/O dual reward by the same authors, on TinyLlama: 2 of 8, all 'subtract'",
    evidence=Hits(values=((1.0,) * 2 + (0.0,) * 6,)),
)
