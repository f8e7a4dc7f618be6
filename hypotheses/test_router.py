"""The gates of a mixture of experts against the vocabulary, and where tokens go.

Source: writeup C, *Results: GPT-OSS 20B Router Vocabulary Mapping*.

A cosine says nothing without its chance value: the largest of V cosines in d dimensions is below
√(2 ln V / d): 0.08 for GPT-OSS-20B and 0.33 for the lab, whatever the gates have learned.
So random rows on the same vocabulary stand beside every number here. Within one checkpoint the
experts of a layer are one unit, since they were trained on the same states: on a single base of the
lab these numbers rest on eight layers, however many experts they count.

Expert numbers have no order that layers share, so within one checkpoint `router/context` judges how
its experts happen to be numbered; only over seeds does the number say how layers choose.
"""

from lazarus_bench import (
    LAB_MIXTURES,
    SHARE_DIFFERENCE,
    AtLeast,
    AtMost,
    Differences,
    Exact,
    Hits,
    Means,
    Within,
    claim,
)

from .writeups import emergence_results as writeup
from .writeups.emergence_results.router import CLASSIFICATION_WORDS

WRITEUPS_TOKEN, WRITEUPS_PROMPT = "127", "127 * 89 = "
COSINE = (-1, 1)


def gates(run):
    return run.router_projection()


def chance(run):
    return run.random_projection(seed=run.seed)


def scores(runs, read):
    found = [read(run) for run in runs]
    layers = found[0].layer.tolist()
    return Means(
        values=[each.scores for each in found], clusters=layers, items="experts", bounds=COSINE
    )


def semantic(runs, read):
    return Hits(values=[read(run).semantic for run in runs], items="experts")


def named(runs, read):
    found = [run.experts_naming(CLASSIFICATION_WORDS, read(run)) for run in runs]
    return Hits(values=found, items="experts")


def named_by_layer(runs, read):
    found = [(run, read(run)) for run in runs]
    return [each.by_layer(run.experts_naming(CLASSIFICATION_WORDS, each)) for run, each in found]


def scores_by_layer(runs, read):
    return [read(run).by_layer(read(run).scores) for run in runs]


@claim(
    "router/weak",
    says="No gate points at a token: projection scores are weak",
    estimand="largest cosine over the vocabulary of a gate row with an unembedding row, mean over "
    "experts",
    region=AtMost(0.2),
    finding=writeup.ROUTER_WEAK,
    subjects=LAB_MIXTURES,
)
def test_projection_scores_are_weak(runs, judge):
    bases = runs()
    judge(scores(bases, gates))
    largest = [[gates(run).scores.max()] for run in bases]
    judge.beside(
        {
            "control: random rows": scores(bases, chance),
            "control: random rows on as many independent rows": Exact(
                value=bases[0].router_null.mean(), note="extreme-value null"
            ),
            "... 95th percentile": Exact(
                value=bases[0].router_null.quantile(0.95), note="extreme-value null"
            ),
            "the best expert": Means(values=largest, bounds=COSINE),
            "control: the best of as many random rows": Means(
                values=[[chance(run).scores.max()] for run in bases], bounds=COSINE
            ),
        }
    )


@claim(
    "router/all-general",
    says="Every expert is GENERAL: its top tokens have no class in common",
    estimand="share of experts of whose top 20 tokens at least half are of one declared class",
    region=AtMost(0.05),
    finding=writeup.ROUTER_ALL_GENERAL,
    subjects=LAB_MIXTURES,
)
def test_every_expert_is_general(runs, judge):
    bases = runs()
    judge(semantic(bases, gates))
    judge.beside({"control: random rows": semantic(bases, chance)})


@claim(
    "router/no-class-words",
    says="No more experts than random rows have a classification word on top",
    estimand="share of experts with a classification word among their top 20 tokens, minus that "
    "of random rows",
    # An excess of exactly 0 has no interval inside "at most 0"; 0.05 is what the family's other
    # share calls none.
    region=AtMost(0.05),
    finding=writeup.ROUTER_NO_CLASS_WORDS,
    subjects=LAB_MIXTURES,
)
def test_no_expert_has_a_classification_word_on_top(runs, judge):
    bases = runs()
    judge(
        Differences(
            first=named_by_layer(bases, gates),
            second=named_by_layer(bases, chance),
            paired="prompts",
            items="layers",
            bounds=SHARE_DIFFERENCE,
        )
    )
    judge.beside(
        {
            "share of experts": named(bases, gates),
            "control: random rows": named(bases, chance),
        }
    )


@claim(
    "router/context",
    says="The same token goes to different experts in different layers, as if each layer chose "
    "by itself",
    estimand="different expert numbers of a token over all layers, minus those of layers that "
    "choose independently by their load; mean over a prompt's tokens",
    region=AtLeast(0.0),
    finding=writeup.ROUTER_CONTEXT,
    subjects=LAB_MIXTURES,
)
def test_a_token_goes_to_different_experts_in_different_layers(runs, held_out, judge):
    bases = runs()
    found = [run.routing(held_out) for run in bases]
    judge(Means(values=[routing.excess for routing in found]))
    token = [run.token_experts(WRITEUPS_PROMPT, WRITEUPS_TOKEN) for run in bases]
    judge.beside(
        {
            "first experts alone": Means(values=[routing.excess_first for routing in found]),
            "different expert numbers of a token": Means(
                values=[[trace.distinct.mean() for trace in routing.traces] for routing in found]
            ),
            "of independent layers": Means(
                values=[[routing.expected_distinct] for routing in found]
            ),
            "of layers whose experts are numbered at random": Means(
                values=[[routing.renumbered_distinct] for routing in found]
            ),
            f"token {WRITEUPS_TOKEN} of {WRITEUPS_PROMPT!r}, mean over its pieces": Means(
                values=[[count] for count in token]
            ),
        }
    )


@claim(
    "router/like-random",
    says="The scores equal those of random directions",
    estimand="mean top score of gates minus that of as many random unit rows",
    region=Within(-0.02, 0.02),
    finding=writeup.ROUTER_LIKE_RANDOM,
    subjects=LAB_MIXTURES,
)
def test_scores_equal_those_of_random_directions(runs, judge):
    bases = runs()
    judge(
        Differences(
            first=scores_by_layer(bases, gates),
            second=scores_by_layer(bases, chance),
            paired="prompts",
            items="layers",
            support=False,
        )
    )
    blank = [run.randomised() for run in bases]
    judge.beside(
        {
            "gates": scores(bases, gates),
            "random rows": scores(bases, chance),
            "control: the gates of random weights": scores(blank, gates),
        }
    )
