"""What the writeups' own numbers can tell, judged from their tables alone.

First come numbers whose samples are too small for what is said of them, then numbers that say
little until what chance gives is beside them, and numbers that cannot be what they are called. A
finding's `others` are what the audit computed, and where a table disagrees with its own text, both.
What a random direction reaches is an instrument's to say (`analysis.nulls`), so the finding
on routers is a function of it.
"""

import math
from collections.abc import Sequence

from lazarus_bench.claims.finding import Finding, Labelled, computed
from lazarus_bench.judge import (
    SHARE_DIFFERENCE,
    AtLeast,
    Differences,
    Evidence,
    Exact,
    HitDifferences,
    Hits,
    Means,
    Reported,
    family_level,
)
from lazarus_bench.judge.chance import (
    BestOfLayers,
    order_p,
    paired_t_p,
    share_as_near_an_end,
    sign_test_p,
)
from lazarus_bench.judge.power import detectable_shift, units_needed

from . import dual_objective_engram as engram
from .emergence_results import dual, grpo, reinforcement, router
from .emergence_results.probes import PROBE_DIRECTION, VOCABULARY, WORDS_GRANITE
from .emergence_results.probing import CLASSES, PROMPTS
from .raw_results import PEAKS_OF_RECORD, RERUN
from .task_classifier_emergence import LENS_GROWS, MEAN_PEAK_PROBABILITY, STEP_500

ALONE = family_level(1)
"""Level of a claim that stands by itself: 5% of error on either side."""

TWO_SIDED = 0.95
"""Level of the usual two-sided test at 5%."""

NINE_IN_TEN = 0.9


def _printed(finding: Finding) -> Evidence:
    if finding.evidence is None:
        raise ValueError(f"{finding.claim} has no printed number to audit")
    return finding.evidence


def _prompts_needed() -> int:
    """How many prompts, all of them right, show nine in ten to a claim that stands by itself."""
    hits = dual.DUAL_REWARD_LLAMA_BASE.hits
    found = units_needed(hits.sampling(), hits.point, AtLeast(NINE_IN_TEN), ALONE)
    assert found is not None
    return found


EIGHT_OF_EIGHT = Finding(
    claim="audit/eight-of-eight",
    source="C, Dual-Reward Training, Results: Llama 3.2 1B Base",
    evidence=dual.DUAL_REWARD_LLAMA_BASE.hits,
    note="'8/8 (100%)' of one run; C concludes 'REPLICATES GPT-OSS', while writeup D calls "
    "dual reward at 70/30 'broken computation'.",
    others=(
        computed(
            "prompts, all of them right, that would support it, judged by itself", _prompts_needed()
        ),
        computed("chance of 8 of 8 where nine in ten are right", NINE_IN_TEN**8),
        RERUN,
    ),
)

_TRIALS = _printed(reinforcement.GRPO_PROBE_UNCHANGED)


def _detectable_d() -> float:
    """Cohen's d that 80% of such trials detect, two-sided at 5%."""
    base, trained = grpo.VALIDATION_BASE.trials, grpo.VALIDATION_GRPO.trials
    error = math.sqrt(1 / base + 1 / trained)
    found = detectable_shift(error, base + trained - 2, TWO_SIDED)
    assert found is not None
    return found


NO_DIFFERENCE_D0 = Finding(
    claim="audit/no-difference-d0",
    source="C, GRPO Classifier Emergence, Results: Linear Probe Accuracy",
    evidence=_TRIALS,
    note="'Effect size (Cohen's d): -0.00 → Negligible', 54.0 ± 5.8% against 54.0 ± 8.8% over 5 "
    "trials each; the table above it has 49.4% against 58.1%.",
    others=(
        computed(
            "smallest margin of equivalence that it shows, judged by itself",
            _TRIALS.limits(ALONE)[1],
        ),
        computed("Cohen's d that 80% of such trials detect", _detectable_d()),
    ),
)

ENGRAM_DELTA = Finding(
    claim="audit/engram-delta",
    source="E, Key Results",
    evidence=engram.ENGRAM_GAIN["two-class"].evidence,
    note="'+0.11%': 843 right of SST-2's 872 after 842, one run a model. " + engram.PAIRING + ".",
    others=(
        computed(
            "examples by which the models differ",
            engram.count(engram.SST2.delta, engram.SST2.examples),
        ),
        *engram.ENGRAM_GAIN["two-class"].others,
        computed("one-sided p-value of the most favourable pairing", sign_test_p(1, 0)),
    ),
)

_BASE, _INSTRUCT = (
    run.hits.values for run in (dual.DUAL_REWARD_LLAMA_BASE, dual.DUAL_REWARD_LLAMA_INSTRUCT)
)
BASE_BEATS_INSTRUCT = Finding(
    claim="audit/base-beats-instruct",
    source="C, Conclusions, 5; Dual-Reward Training, Results",
    evidence=HitDifferences(first=_BASE, second=_INSTRUCT),
    note="'Base models train better than instruct models - Llama base achieves 100% (8/8) vs "
    "instruct's 88% (7/8)': one prompt of eight, one run of each model. The 'initial cls_loss 5.0 "
    "vs 0.97' beside it compares with the loss at step 100 of the base model's own table. What "
    "differs on every prompt is the probability.",
    others=(
        computed("one-sided p-value of one prompt gained and none lost", sign_test_p(1, 0)),
        Labelled(
            label="as independent samples",
            evidence=HitDifferences(first=_BASE, second=_INSTRUCT, paired="no"),
        ),
        Labelled(
            label="probability of the right word, paired",
            evidence=_printed(dual.BASE_BEATS_INSTRUCT),
        ),
    ),
)

STEPS_TREND = Finding(
    claim="audit/steps-trend",
    source="A, Interpretation, 3; Conclusions, Key evidence, 3; Results, Summary Table",
    evidence=_printed(LENS_GROWS),
    note="'Signal strength increases with training steps', 0.4 / 0.8 / 1.2 / 1.0% at steps "
    "0/100/300/500 of one run: not monotone, and no seeds. The ten rows printed for step 500 "
    "average 0.83%, not 1.0%.",
    others=(
        computed(
            "change from step 300 to 500", MEAN_PEAK_PROBABILITY[-1] - MEAN_PEAK_PROBABILITY[-2]
        ),
        computed(
            "chance that four checkpoints in random order rise as steadily",
            order_p(MEAN_PEAK_PROBABILITY),
        ),
        computed(
            "mean of the ten rows of step 500, where the table has 0.010",
            sum(row.probability for row in STEP_500) / len(STEP_500),
        ),
        PEAKS_OF_RECORD,
    ),
)


_PENALTIES = [row.kl_penalty for row in grpo.GRPO_DUAL_DYNAMICS]
_ANSWERS = grpo.GRPO_DUAL_ANSWERS[1] * grpo.GRPO_DUAL_ANSWERS[2]


def _log10_k3(log_ratio: float) -> float:
    """Digits of the least that the k3 estimator can be at a mean of log p − log p_ref (Jensen)."""
    return math.log10(math.expm1(-log_ratio) + log_ratio)


def _log10_chance(log_ratio: float, draws: int) -> float:
    """Bound on the chance that the mean of log p − log p_ref over draws from p falls this low.

    One of the draws must lie as low, and P(p / p_ref ≤ x) ≤ x under p (Markov's inequality).
    """
    return math.log10(draws) + log_ratio / math.log(10)


KL_SIGN = Finding(
    claim="audit/kl-sign",
    source="C, GRPO + Dual-Reward, Training dynamics; Key Observations, 3; Conclusion",
    evidence=Exact(value=min(_PENALTIES), note="as printed, 'KL penalty' at iteration 20"),
    note="'KL penalty went very negative (-420): Model drifted far from reference'. No divergence "
    "is below 0, and an estimate that may fall without bound, minimised as a penalty, rewards "
    "drifting: no draws from the policy itself give such a number.",
    others=(
        computed(
            f"printed penalties below 0, of {len(_PENALTIES)}", sum(x < 0 for x in _PENALTIES)
        ),
        computed(
            f"chance that {_ANSWERS} answers of the policy give it: at most ten to the",
            _log10_chance(min(_PENALTIES), _ANSWERS),
        ),
        computed(
            "the k3 estimator, which is never below 0, would at least be ten to the",
            _log10_k3(min(_PENALTIES)),
        ),
    ),
)

_HITS = round(WORDS_GRANITE.peak * PROMPTS)
_BEST = BestOfLayers(prompts=PROMPTS, rate=1 / CLASSES, layers=WORDS_GRANITE.layers)
_ONE = BestOfLayers(prompts=PROMPTS, rate=1 / CLASSES, layers=1)
_GUESSES = ((1.0,) * _HITS + (0.0,) * (PROMPTS - _HITS),)

GRANITE_31 = Finding(
    claim="audit/granite-31",
    source="C, Granite 3.1 2B Base (Word-Based); Conclusions, 6",
    evidence=Hits(values=_GUESSES, minus=_BEST.mean),
    note="'Best accuracy (31.2%) is barely above chance (25%)', under the heading 'FAILS to "
    "classify': 5 of 16 at L37, and again at L39. 25% is the chance of one layer; the best of 40 "
    "that guess independently has twice that. Real layers move together (twelve in a row have 1 of "
    "16), so that chance lies between the two.",
    others=(
        computed("best of 40 independent layers that guess, mean share", _BEST.mean),
        computed("chance that it is 5 of 16 or more", _BEST.at_least(_HITS)),
        computed("the same chance of one layer", _ONE.at_least(_HITS)),
        Labelled(
            label="minus the chance of one layer",
            evidence=Hits(values=_GUESSES, minus=1 / CLASSES),
        ),
    ),
)

EXPERTS = router.GENERAL_EXPERTS
GPT_OSS_WIDTH = 2880
GPT_OSS_VOCABULARY = 201_088
"""Configuration of openai/gpt-oss-20b; the writeup prints neither."""


def router_is_random(*, mean: float, high: float, largest: float) -> Finding:
    """The finding on router scores beside the largest cosines of random directions.

    Args:
        mean: of the largest cosine of one random direction with the vocabulary.
        high: its 95th percentile.
        largest: mean of the largest cosine of as many random directions as there are experts.
    """
    scores = [expert.scores[0] for expert in router.SAMPLE_EXPERTS]
    return Finding(
        claim="audit/router-is-random",
        source="C, Results: GPT-OSS 20B Router Vocabulary Mapping, Analysis 1; Conclusion",
        evidence=Means(values=([score - mean for score in scores],), items="experts"),
        note="'Projection scores are low (0.07-0.11 typically vs. would expect 0.5+ for strong "
        "alignment)', and '~0.08' in the conclusion: what random directions reach. The eight "
        "experts that are printed were picked as samples or as notable clusters, so their mean "
        "is no less than that of all. 'All 768 experts' are GENERAL, and expert 27 of layer 0 is "
        "printed as SHORT_TOKENS. By the null, of independent directions, the largest of 768 is "
        "expected a little below the largest printed.",
        others=(
            computed("largest cosine of a random direction, mean", mean),
            computed("... 95th percentile", high),
            computed(
                f"... the largest of {router.GENERAL_EXPERTS} random directions, mean", largest
            ),
            computed("largest printed score", max(scores)),
        ),
    )


_RANKS = {item.token: item.rank for item in PROBE_DIRECTION}
_SHARES = {token: share_as_near_an_end(rank, VOCABULARY) for token, rank in _RANKS.items()}

PROBE_RANK = Finding(
    claim="audit/probe-rank",
    source="C, Probe Direction Vocabulary Projection",
    evidence=Exact(
        value=_SHARES["multiply"], note="two-sided p-value of rank 24,300 of 128,256, top 19%"
    ),
    note="'Weak alignment exists (multiply slightly positive, add slightly negative)', of one "
    "direction, multiply against add at L8, with five words looked up; 'divide' stands higher on "
    "it than 'multiply'.",
    others=tuple(
        computed(f"the same share for '{token}', rank {_RANKS[token]:,}", share)
        for token, share in _SHARES.items()
        if token != "multiply"
    ),
)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


_LAYERS = {"base": grpo.PROBE_BASE, "GRPO": grpo.PROBE_GRPO}
_PRINTED = {"base": grpo.VALIDATION_BASE.mean, "GRPO": grpo.VALIDATION_GRPO.mean}

GRPO_TABLE = Finding(
    claim="audit/grpo-table",
    source="C, GRPO Classifier Emergence, Results: Linear Probe Accuracy",
    evidence=Exact(
        value=max(abs(_mean(table) - _PRINTED[name]) for name, table in _LAYERS.items()),
        note="eight printed layers against the means printed below them",
    ),
    note="'Statistical validation (5 trials)' prints 54.0% for both models below a table that "
    "averages 58.1% and 49.4%; what a trial varies and which layer it reads is not printed. "
    "'Geometric Analysis' has 65% for GRPO, the table's best layer.",
    others=(
        *(
            computed(f"mean of the table, {name}, where 54.0% is printed", _mean(table))
            for name, table in _LAYERS.items()
        ),
        Labelled(
            label="GRPO minus base, paired over the eight layers",
            evidence=Differences(
                first=(grpo.PROBE_GRPO,),
                second=(grpo.PROBE_BASE,),
                paired="prompts",
                items="layers",
                support=False,
                bounds=SHARE_DIFFERENCE,
            ),
        ),
        computed(
            "... two-sided p-value",
            paired_t_p([b - a for a, b in zip(grpo.PROBE_BASE, grpo.PROBE_GRPO, strict=True)]),
        ),
        Labelled(
            label="probe accuracy of GRPO in 'Geometric Analysis'",
            evidence=Reported(value=grpo.GEOMETRIC_ACCURACY, note="65% accuracy (noise)"),
        ),
    ),
)
