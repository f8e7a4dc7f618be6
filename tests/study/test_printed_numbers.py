"""What the printed tables give for each claim, from arithmetic of its own.

Which verdicts follow is on record (`pins.json`), and held by `test_hypotheses.py`.
"""

import math
from pathlib import Path

import pytest

from lazarus_bench.claims.claim_files import read_claims

HYPOTHESES = Path(__file__).parents[2] / "hypotheses"


@pytest.fixture(scope="module")
def claims():
    return {claim.id: claim for claim in read_claims(HYPOTHESES)}


@pytest.mark.parametrize(
    ("claim", "value", "within"),
    [
        ("audit/kl-sign", -420, 0.5),
        ("audit/engram-delta", 1 / 872, 1e-9),
        ("audit/base-beats-instruct", 1 / 8, 0),
        ("audit/probe-rank", 2 * 0.19, 0.005),
        ("passages/granite-trough", 7 / 16, 0),
        ("passages/granite-phases", 1 / 16, 0),
        ("passages/last-layers-lose", 4 / 16, 0),
        ("passages/probe-confidence", -0.717, 5e-4),
        ("passages/class-loss-stays", 10 / 13, 0),
        ("passages/tinyllama-cannot", 0.801, 5e-4),
        # Mean of 1, 1, 0.98, 1, 1, 1, 1 minus 6/7.
        ("parts/answer-confidence", (6.98 - 6) / 7, 1e-9),
        ("parts/answer-transition", 0.091, 0),
        ("parts/operand-recognised", 1 / 2, 0),
        # LoRA's, the mean of 53.9% and 46.3%, is the least.
        ("parts/subtraction-both", 0.501 - 0.4, 1e-9),
        # Where three layers of sixteen would peak by chance.
        ("parts/subtraction-peak", 1 - 3 / 16, 0),
        ("parts/fewer-steps", math.exp(-0.1228), 1e-9),
        ("parts/fusing-preserves", 0.5, 0),
        ("parts/instruct-starts-higher", 5.0 / 0.97, 1e-9),
        ("parts/peaks-late", 1 / 16, 0),
        ("parts/below-random", 2 / 16, 0),
        ("parts/symbols-every-layer", 0, 0),
        # All six answers have one class, and a share of 0.8 is asked.
        ("grpo-dual/collapses", 1 - 0.8, 1e-9),
        ("grpo/improves-answers", 0.058, 0),
        ("finetune/memory", 2.72, 0.005),
        ("two-stage/20-80-destroys", 0.5, 0),
        ("two-stage/50-50-preserves", 0, 0),
        ("two-stage/sft-helps-words", 0.25, 0),
        ("router/weak", 0.0893, 5e-4),
        ("probe/words-emerge", 0.375, 0),
        ("probe/granite-fails", 1 / 16, 1e-9),
        ("engram/engram-gain[two-class]", 1 / 872, 1e-9),
        ("engram/dual-gain[four-class]", 363 / 7600, 1e-9),
        ("engram/cluster-accuracy[four-class]", 0.934 - 0.95, 3e-4),
    ],
)
def test_a_claim_rests_on_the_number_that_its_tables_give(claims, claim, value, within):
    assert claims[claim].published.point == pytest.approx(value, rel=0, abs=within)


@pytest.mark.parametrize(
    ("claim", "label", "value", "within"),
    [
        ("audit/kl-sign", "printed penalties below 0", 4, 0),
        ("audit/eight-of-eight", "prompts, all of them right", 29, 0),
        ("audit/no-difference-d0", "Cohen's d", 2.0, 0.05),
        # On record from the Gumbel limit, to about 2%.
        ("audit/router-is-random", "largest cosine of a random direction", 0.083, 0.0017),
        ("audit/router-is-random", "... 95th percentile", 0.094, 0.0019),
        ("audit/router-is-random", "... the largest of 768", 0.106, 0.0021),
        ("audit/engram-delta", "examples by which", 1, 0),
        ("audit/engram-delta", "one-sided p-value", 0.5, 0),
        ("audit/base-beats-instruct", "one-sided p-value", 0.5, 0),
        ("audit/grpo-table", "mean of the table, base", 0.581, 5e-4),
        ("audit/grpo-table", "mean of the table, GRPO", 0.494, 5e-4),
        ("audit/grpo-table", "GRPO minus base", -0.0875, 1e-9),
        ("audit/grpo-table", "... two-sided p-value", 0.09, 0.005),
        ("audit/steps-trend", "change from step 300", -0.002, 1e-9),
        ("audit/steps-trend", "chance that four", 1 / 6, 1e-9),
        ("passages/granite-phases", "layers of 'L14-L37", 1, 0),
        ("passages/last-layers-lose", "L16 above L5", 1 / 16, 0),
        ("passages/probe-confidence", "Tiny", -0.746, 5e-4),
        ("passages/probe-confidence", "Granite", -0.512, 5e-4),
        ("passages/tinyllama-cannot", "layers of TinyLlama", 22 - 16, 0),
        ("grpo-dual/loss-falls", "Attempt 3, 10.4 to 9.9", 0.952, 5e-4),
        ("grpo-dual/loss-falls", "Attempt 4, 10.4 to 6.97", 0.670, 5e-4),
    ],
)
def test_a_number_shown_with_a_claim_is_what_its_tables_give(claims, claim, label, value, within):
    [shown] = [item for item in claims[claim].finding.others if item.label.startswith(label)]
    assert shown.evidence.point == pytest.approx(value, rel=0, abs=within)


@pytest.mark.parametrize(
    ("claim", "values"),
    [
        ("parts/answer-confidence", [(6.71 - 6) / 7]),
        ("parts/subtraction-both", [0.501, 0.66, 0.968]),
        ("parts/fusing-preserves", [0.0]),
        ("parts/below-random", [3 / 16, 1 / 16]),
        ("parts/symbols-every-layer", [0, 3 / 16]),
    ],
)
def test_all_numbers_shown_with_a_part_are_those_printed(claims, claim, values):
    found = [item.evidence.point for item in claims[claim].finding.others]
    assert found == pytest.approx(values, abs=5e-4)
