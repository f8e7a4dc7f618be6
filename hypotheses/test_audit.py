"""What the writeups' own numbers can tell, before any model is trained.

Source: the tables of writeups A, C and E, as `hypotheses.writeups` has transcribed them. Every
claim here is judged on `published` alone: no model could answer it. Its `says` is what the number
is taken to show, its estimand is read off the table, and the rule is the one that fresh evidence
gets: a region, an interval at the level of this family, or a computed number with none. What the
audit computed (what chance gives, what would decide, what the table says elsewhere) stands below
each verdict in the report.
"""

from lazarus_bench import Above, AtLeast, AtMost, Below, Within, claim
from lazarus_bench.analysis.nulls import ExtremeNull

from .writeups import audit

# 0.0844, 0.0934 and 0.1074. The list of claims has 0.083, 0.094 and 0.106: the location, the 95th
# percentile and the location for 768 rows of the Gumbel limit for normal cosines, √(2 ln n) −
# (ln ln n + ln 4π) / (2 √(2 ln n)) over √d. A location is a mode, and the mean lies higher.
# `ExtremeNull` is exact for independent rows, so the audit has its means.
RANDOM = ExtremeNull(width=audit.GPT_OSS_WIDTH, vocabulary=audit.GPT_OSS_VOCABULARY)
ROUTER_IS_RANDOM = audit.router_is_random(
    mean=RANDOM.mean(), high=RANDOM.quantile(0.95), largest=RANDOM.mean(audit.EXPERTS)
)

ROUNDING = 0.0005
"""Half of the last digit of a percentage with one decimal."""


@claim("audit/kl-sign", Below(0.0), finding=audit.KL_SIGN, subjects=())
def test_a_negative_divergence_is_none():
    """A 'KL penalty' of −420 cannot be a Kullback–Leibler divergence.

    the lowest printed 'KL penalty'; a divergence is 0 or more.
    """
    return audit.KL_SIGN.evidence


@claim("audit/eight-of-eight", AtLeast(0.9), finding=audit.EIGHT_OF_EIGHT, subjects=())
def test_eight_of_eight_shows_nine_in_ten():
    """8 of 8 shows that nine prompts in ten get the right word.

    share of prompts whose top lens token names the operation (exact).
    """
    return audit.EIGHT_OF_EIGHT.evidence


@claim("audit/no-difference-d0", Within(-0.05, 0.05), finding=audit.NO_DIFFERENCE_D0, subjects=())
def test_no_difference_in_ten_trials_shows_no_effect():
    """d = 0.00 over 5 and 5 trials shows that GRPO leaves the probe's accuracy as it was.

    probe accuracy, GRPO minus base, from printed means and deviations.
    """
    return audit.NO_DIFFERENCE_D0.evidence


@claim("audit/granite-31", Above(0.0), finding=audit.GRANITE_31, subjects=())
def test_the_best_of_forty_layers_is_above_chance():
    """31.2% at the best of 40 layers on 16 prompts is above chance.

    share of prompts right at the best layer, minus what the best of 40 independent layers that
    guess has on average.
    """
    return audit.GRANITE_31.evidence


@claim("audit/router-is-random", Above(0.0), finding=ROUTER_IS_RANDOM, subjects=())
def test_router_scores_are_above_those_of_random_directions():
    """Scores of 0.07 to 0.11 show gates that are weakly aligned with the vocabulary.

    largest cosine of a gate row with an unembedding row, mean over the printed experts, minus that
    of a random direction.
    """
    # What is subtracted is the exact mean of the largest cosine, 0.0844.
    # The list of claims has 0.083 there, which is the mode of the Gumbel limit; see `RANDOM`.
    return ROUTER_IS_RANDOM.evidence


@claim("audit/engram-delta", Above(0.0), finding=audit.ENGRAM_DELTA, subjects=())
def test_one_example_shows_that_the_engram_helps():
    """+0.11% on 872 examples shows that the engram helps.

    accuracy, model 3 minus model 2, paired by example.
    """
    return audit.ENGRAM_DELTA.evidence


@claim("audit/base-beats-instruct", Above(0.0), finding=audit.BASE_BEATS_INSTRUCT, subjects=())
def test_one_prompt_tells_base_from_instruct():
    """8 of 8 against 7 of 8 shows that base models train better than instruct models.

    share of prompts whose top lens token names the operation, base minus instruct, paired by
    prompt.
    """
    return audit.BASE_BEATS_INSTRUCT.evidence


# What a word picked beforehand has to reach to stand out at 5%.
@claim("audit/probe-rank", AtMost(0.05), finding=audit.PROBE_RANK, subjects=())
def test_multiply_stands_out_on_the_probe_direction():
    """Rank 24,300 of 128,256 shows that the direction is weakly aligned with 'multiply'.

    share of the vocabulary at least as near to an end of the probe direction as 'multiply'.
    """
    return audit.PROBE_RANK.evidence


@claim("audit/grpo-table", Above(ROUNDING), finding=audit.GRPO_TABLE, subjects=())
def test_the_layer_table_contradicts_its_summary():
    """The layer table's own means are 58.1% and 49.4%, not the 54.0% and 54.0% printed below it.

    largest distance of the table's mean accuracies from those printed below it.
    """
    return audit.GRPO_TABLE.evidence


@claim("audit/steps-trend", Above(0.0), finding=audit.STEPS_TREND, subjects=())
def test_the_signal_grows_with_steps():
    """0.4, 0.8, 1.2 and 1.0% show that the signal grows with training steps.

    rank correlation of the mean peak probability with the step, mean over seeds.
    """
    return audit.STEPS_TREND.evidence
