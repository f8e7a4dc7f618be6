"""Linear probes: what hidden states hold of the operation that the vocabulary does not name.

Source: writeup C, *Results: Linear Probe Accuracy by Layer*, *CORRECTION: Symbol vs Word-Based
Prompts*, *Test Predictions*, *Base vs Instruct Comparison* and *Probe Direction Vocabulary
Projection*. Every operand pair comes in all four operations, so operands tell nothing. Prompts in
symbols are held out by pair. Prompts in words are held out by template, each pair in one of them,
and an operation is worded differently in each, so neither its word nor a pair carries over; the
writeup's own frames, which keep the word, stand beside them.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from lazarus_bench import (
    LAB_EVERY,
    OPERATION_NAMES,
    SHARE,
    SHARE_DIFFERENCE,
    Above,
    AllOf,
    AtLeast,
    AtMost,
    Condition,
    Control,
    Differences,
    Exact,
    HitDifferences,
    Hits,
    LayerMax,
    Means,
    NotApplicable,
    OnInstruct,
    claim,
)
from lazarus_bench.analysis.probe_prompts import crossed, in_symbols, matched, words_in_turn
from lazarus_bench.judge.layers import left_out_maxima
from lazarus_bench.session.shown import probe_curves
from lazarus_bench.tasks.arithmetic import training_problems

from .writeups import emergence_results as writeup
from .writeups.probe_prompts import frames_in_turn, writeup_symbols, writeup_test, writeup_words

INSTRUCT = OnInstruct(recipe=None)
MARGIN = 0.05
PAIRS = tuple(combinations(OPERATION_NAMES, 2))


@dataclass(frozen=True)
class Reading:
    """One number of a probe: from accuracies [seed][cluster][layer], and of [draw, layer]."""

    evidence: Callable
    of_draws: Callable


CLUSTERS = "clusters of prompts"
FIRST = Reading(
    lambda seeds: Means(values=[seed[:, 0] for seed in seeds], items=CLUSTERS, bounds=SHARE),
    lambda draws: draws[:, 0],
)
BEST = Reading(
    lambda seeds: LayerMax(values=seeds, items=CLUSTERS, bounds=SHARE),
    lambda draws: draws.max(axis=1),
)
RISE = Reading(
    lambda seeds: LayerMax(
        values=[seed - seed[:, :1] for seed in seeds], items=CLUSTERS, bounds=SHARE
    ),
    lambda draws: draws.max(axis=1) - draws[:, 0],
)


def asked(problems):
    """The prompts of each kind, and what their split holds out."""
    kinds = {
        "symbols": (in_symbols, "pairs"),
        "words": (words_in_turn, "templates"),
        "the writeups' frames": (frames_in_turn, "templates"),
    }
    chosen = crossed(problems)
    return {kind: (matched(how(chosen)), held) for kind, (how, held) in kinds.items()}


def clusters(run, prompts, held):
    """Accuracy of every layer over prompts that share their label by construction."""
    return run.probe(prompts, held).block_accuracy


def controls(bases, prompts, held, reading):
    """A number's own controls."""
    tasks = [
        run.probe(prompts, held).over_blocks(run.probe_control(prompts, held)) for run in bases
    ]
    nulls = [run.probe_null(prompts, held) for run in bases]
    random = [clusters(run.randomised(), prompts, held) for run in bases]
    return {
        "control: random weights": reading.evidence(random),
        "control: permuted labels": Means(
            values=[[reading.of_draws(null.permuted).mean()] for null in nulls], bounds=SHARE
        ),
        "control: control task": reading.evidence(tasks),
    }


def protocol(bases, reading):
    """The writeups' protocol on their sixteen prompts, on the model and on random weights."""
    random = [run.randomised() for run in bases]
    return {
        f"the writeups' protocol, 16 prompts in {kind}{where}": reading.evidence(
            [clusters(run, prompts, "in-order") for run in runs]
        )
        for kind, prompts in (("words", writeup_words()), ("symbols", writeup_symbols()))
        for where, runs in (("", bases), (", random weights", random))
    }


def show(judge, bases, problems, judged, reading):
    """Put the controls of the judged kind of prompts, the other kinds and the protocol beside."""
    kinds = asked(problems)
    prompts, held = kinds.pop(judged)
    judge.beside(controls(bases, prompts, held, reading))
    judge.beside(
        {
            kind: reading.evidence([clusters(run, *how) for run in bases])
            for kind, how in kinds.items()
        }
    )
    judge.beside(protocol(bases, reading))


@claim(
    "probe/symbols-trivial",
    says="Operator symbols give a probe about 100% from the first layer",
    estimand="held-out accuracy at L0, prompts in symbols, operand pairs held out",
    region=AtLeast(0.95),
    finding=writeup.SYMBOLS_TRIVIAL,
    subjects=LAB_EVERY,
    binary=True,
)
def test_symbols_are_read_at_the_first_layer(runs, held_out, judge):
    bases = runs()
    prompts, held = asked(held_out)["symbols"]
    judge(Hits(values=[run.probe(prompts, held).hits[:, 0] for run in bases]))
    show(judge, bases, held_out, "symbols", FIRST)


@claim(
    "probe/words-start-low",
    says="Prompts in words are near chance at the first layer",
    estimand="held-out accuracy at L0, prompts in words, templates held out",
    region=AtMost(0.5),
    finding=writeup.WORDS_START_LOW,
    subjects=LAB_EVERY,
)
def test_words_start_low(runs, held_out, judge):
    bases = runs()
    judge(FIRST.evidence([clusters(run, *asked(held_out)["words"]) for run in bases]))
    show(judge, bases, held_out, "words", FIRST)


@claim(
    "probe/words-emerge",
    says="Prompts in words become classifiable with depth",
    estimand="maximum over layers of held-out accuracy minus that at L0, prompts in words, "
    "templates held out",
    region=AtLeast(0.25),
    finding=writeup.WORDS_EMERGE,
    subjects=LAB_EVERY,
)
def test_words_emerge_with_depth(runs, held_out, judge):
    bases = runs()
    prompts, held = asked(held_out)["words"]
    judge(RISE.evidence([clusters(run, prompts, held) for run in bases]))
    show(judge, bases, held_out, "words", RISE)
    p_values = [[run.probe_null(prompts, held).p_value] for run in bases]
    best = {
        f"best layer itself: {label}": evidence
        for label, evidence in controls(bases, prompts, held, BEST).items()
    }
    judge.beside(
        {
            "best layer itself": BEST.evidence([clusters(run, prompts, held) for run in bases]),
            **best,
            "... p of the best layer against permuted labels": Means(values=p_values, bounds=SHARE),
            **{f"best layer itself: {k}": v for k, v in protocol(bases, BEST).items()},
        }
    )
    for kind in ("words", "symbols"):
        judge.show(probe_curves(f"Probe, {kind}", bases, *asked(held_out)[kind]))


@claim(
    "probe/granite-fails",
    says="Granite's best layer is not above chance on prompts in words",
    estimand="best layer's held-out accuracy minus the 95th percentile of the best layer's under "
    "permuted labels, prompts in words, templates held out",
    region=AtMost(0.0),
    finding=writeup.GRANITE_FAILS,
    subjects=("lab:granite",),
)
def test_granite_does_not_classify_words(runs, held_out, judge):
    bases = runs()
    if not str(bases[0].loaded.config["model_type"]).startswith("granite"):
        raise NotApplicable("asks for a Granite: add --lb-model ibm-granite/granite-3.1-2b-base")
    prompts, held = asked(held_out)["words"]
    reached = [np.quantile(run.probe_null(prompts, held).maxima, 0.95) for run in bases]
    found = [clusters(run, prompts, held) for run in bases]
    above = [seed - edge for seed, edge in zip(found, reached, strict=True)]
    judge(LayerMax(values=above, items=CLUSTERS, bounds=SHARE_DIFFERENCE))
    judge.beside(
        {
            "best layer": BEST.evidence(found),
            "95th percentile of the best layer under permuted labels": Means(
                values=[[edge] for edge in reached], bounds=SHARE
            ),
        }
    )
    show(judge, bases, held_out, "words", BEST)


def taught(count):
    """Distinct problems on the models' training side, so no pair of theirs is held out."""
    drawn = training_problems(np.random.default_rng(0), 3 * count)
    return tuple({problem.key: problem for problem in drawn}.values())[:count]


def transferred(run, train, test, held="pairs"):
    """Hits on `test` of the probe of the layer that is best on `train`."""
    return run.probe_transfer(train, test, held)[:, run.probe(train, held).best_layer]


def shuffled(prompts):
    """The same prompts with their labels permuted."""
    return replace(
        prompts, labels=tuple(np.random.default_rng(0).permutation(prompts.labels).tolist())
    )


@claim(
    "probe/held-out",
    says="Probes generalise to new operands",
    estimand="accuracy on held-out operand pairs in symbols of the layer that is best on others, "
    "its probe fitted on those",
    region=AtLeast(0.9),
    finding=writeup.HELD_OUT_OPERANDS,
    subjects=LAB_EVERY,
    binary=True,
)
def test_probes_generalise_to_new_operands(runs, held_out, judge):
    bases, fitted = runs(), taught(len(held_out))
    train, test = asked(fitted)["symbols"][0], asked(held_out)["symbols"][0]
    shared = set(train.pairs) & set(test.pairs)
    judge(
        Hits(values=[transferred(run, train, test) for run in bases]),
        controls=[
            Control(
                name="operand pairs shared by the probe's training and test",
                value=float(len(shared)),
                expectation="0",
                passed=not shared,
            )
        ],
    )
    words = asked(fitted)["words"][0], asked(held_out)["words"][0]
    own = writeup_symbols(), writeup_test(), "in-order"
    tasks = [run.probe_control(train)[:, run.probe(train).best_layer] for run in bases]
    random = [run.randomised() for run in bases]
    read = {
        "words": (bases, words),
        "the writeups' protocol, 16 and 8 prompts": (bases, own),
        "... random weights": (random, own),
        "control: random weights": (random, (train, test)),
        "control: permuted labels": (bases, (shuffled(train), test)),
    }
    judge.beside(
        {
            label: Hits(values=[transferred(run, *how) for run in chosen])
            for label, (chosen, how) in read.items()
        }
    )
    judge.beside({"control: control task": Means(values=tasks, bounds=SHARE)})


def peak(values):
    """Each cluster's accuracy at the layer that is best on the others."""
    return left_out_maxima(np.asarray(values, dtype=float))


def peaks_apart(bases, symbols, words):
    """Peak on `symbols` minus peak on `words`, each prompts and what is held out."""
    first, second = ([peak(clusters(run, *how)) for run in bases] for how in (symbols, words))
    paired = "seeds" if len(bases) > 1 else "no"
    return Differences(
        first=first, second=second, paired=paired, items=CLUSTERS, bounds=SHARE_DIFFERENCE
    )


@claim(
    "probe/symbols-mislead",
    says="Prompts in symbols overstate what a probe reads, by about 19 points",
    estimand="peak accuracy over layers, prompts in symbols minus prompts in words, each read "
    "where the other clusters are best",
    region=Above(0.1),
    finding=writeup.SYMBOLS_MISLEAD,
    subjects=LAB_EVERY,
)
def test_symbols_mislead(runs, held_out, judge):
    bases, kinds = runs(), asked(held_out)
    symbols, words = kinds["symbols"], kinds["words"]
    judge(peaks_apart(bases, symbols, words))
    random = [run.randomised() for run in bases]
    own = (writeup_symbols(), "in-order"), (writeup_words(), "in-order")
    judge.beside(
        {
            "symbols minus the writeups' frames": peaks_apart(
                bases, symbols, kinds["the writeups' frames"]
            ),
            "the writeups' protocol, 16 prompts each": peaks_apart(bases, *own),
            "... random weights": peaks_apart(random, *own),
            "control: random weights": peaks_apart(random, symbols, words),
        }
    )
    for name, how in (("symbols", symbols), ("words", words)):
        judge.beside({f"peak, {name}": BEST.evidence([clusters(run, *how) for run in bases])})
        judge.beside({f"peak, {name}: {k}": v for k, v in controls(bases, *how, BEST).items()})


def unchanged(after, before):
    """Every layer's difference within the margin; both are hits [seed][prompt][layer]."""
    first, second = (np.asarray(side, dtype=float) for side in (after, before))
    conditions = []
    for layer in range(first.shape[2]):
        pair = first[:, :, layer].tolist(), second[:, :, layer].tolist()
        for name, (one, other) in (("rise", pair), ("fall", pair[::-1])):
            conditions.append(
                Condition(
                    name=f"L{layer} {name}",
                    evidence=HitDifferences(first=one, second=other),
                    region=AtMost(MARGIN),
                )
            )
    return AllOf(conditions=conditions)


@claim(
    "probe/base-equals-instruct",
    says="Instruction tuning changes nothing in what a probe reads (Llama)",
    estimand="0.05 minus the largest difference over layers of held-out accuracy between the "
    "instruct model and its base, prompts in symbols, paired by prompt and seed",
    region=AtLeast(0.0),
    finding=writeup.base_equals_instruct(unchanged),
    needs=INSTRUCT,
)
def test_instruction_tuning_changes_nothing(runs, held_out, judge):
    bases, tuned = runs(), runs(INSTRUCT)
    kinds = asked(held_out)
    prompts, held = kinds["symbols"]

    def hits(chosen, prompts, held):
        return [run.probe(prompts, held).hits for run in chosen]

    judge(unchanged(hits(tuned, prompts, held), hits(bases, prompts, held)))
    for name, how in (*kinds.items(), ("the writeups' protocol", (writeup_symbols(), "in-order"))):
        after, before = ([clusters(run, *how) for run in chosen] for chosen in (tuned, bases))
        apart = [np.subtract(*pair) for pair in zip(after, before, strict=True)]
        judge.beside(
            {
                f"largest rise of a layer, {name}": LayerMax(values=apart, bounds=SHARE_DIFFERENCE),
                f"largest fall of a layer, {name}": LayerMax(
                    values=[-x for x in apart], bounds=SHARE_DIFFERENCE
                ),
                f"mean over layers, {name}": Means(
                    values=[x.mean(axis=1) for x in apart], bounds=SHARE_DIFFERENCE
                ),
            }
        )
    judge.beside({f"base: {k}": v for k, v in controls(bases, prompts, held, BEST).items()})


def log_distances(run, prompts, layer, words=None):
    """log10 of the share of the vocabulary beyond each word, both ways, along six directions."""
    found = [run.words_along_probe(prompts, layer, pair, words or pair) for pair in PAIRS]
    return np.log10(np.concatenate([reading.end_distance for reading in found]))


WORDS_AT_ENDS = tuple(f"{word!r} in {a} − {b}" for a, b in PAIRS for word in (a, b))


def no_word_at_an_end(distances, words):
    """Every word lies further from both ends than the outer 0.1%; [seed][word], as log10."""
    return AllOf(
        conditions=[
            Condition(
                name=word,
                evidence=Means(values=[[seed[i]] for seed in distances]),
                region=AtLeast(-3.0),
            )
            for i, word in enumerate(words)
        ]
    )


UNIFORM = np.log10(0.5) - 1 / np.log(10)
"""Mean of log10 of a share that is uniform on (0, ½]: where a random direction puts a word."""


@claim(
    "probe/not-vocabulary",
    says="The probe direction is not a word",
    estimand="log10 of the share of the vocabulary between an operation's word and the nearer end "
    "of a probe direction w_a − w_b, plus 3 (the outer 0.1% is below 0), least of the words a and "
    "b of the six directions, prompts in symbols, classifier layer",
    region=AtLeast(0.0),
    finding=writeup.not_vocabulary(no_word_at_an_end),
    subjects=LAB_EVERY,
    words=OPERATION_NAMES,
)
def test_the_probe_direction_is_no_word(runs, held_out, judge):
    bases, prompts = runs(), asked(held_out)["symbols"][0]
    layer = bases[0].classifier_layer
    found = [log_distances(run, prompts, layer) for run in bases]
    judge(no_word_at_an_end(found, WORDS_AT_ENDS))
    judge.beside({"mean of the words": Means(values=found, items="words at an end")})
    words = asked(held_out)["words"][0]
    read = {
        "words": [log_distances(run, words, layer) for run in bases],
        "the writeups' sixteen prompts": [
            log_distances(run, writeup_symbols(), layer) for run in bases
        ],
        "last layer instead": [log_distances(run, prompts, run.depth - 1) for run in bases],
        "control: random weights": [
            log_distances(run.randomised(), prompts, layer) for run in bases
        ],
        "control: permuted labels": [log_distances(run, shuffled(prompts), layer) for run in bases],
        "the nearest of the words": [[seed.min()] for seed in found],
    }
    judge.beside(
        {label: Means(values=values, items="words at an end") for label, values in read.items()}
    )
    own = [
        run.words_along_probe(prompts, layer, ("multiply", "add"), OPERATION_NAMES) for run in bases
    ]
    apart = [run.directions(prompts, ("multiply", "add")) for run in bases]
    judge.beside(
        {
            "control: random directions": Exact(value=float(UNIFORM)),
            "multiply − add: z of 'multiply' over random directions": Means(
                values=[[reading.z[0]] for reading in own]
            ),
            "multiply − add: z of 'add'": Means(values=[[reading.z[1]] for reading in own]),
            "multiply − add: words among the top or bottom 30": Means(
                values=[[reading.hits] for reading in own]
            ),
            "... random directions": Means(values=[[r.random_hits.mean()] for r in own]),
            "multiply − add: cosine of the probe's direction with the difference of means": Means(
                values=[[d.agreement[layer]] for d in apart], bounds=(-1, 1)
            ),
            "multiply − add: cosine of neighbouring layers' directions": Means(
                values=[d.neighbours for d in apart], bounds=(-1, 1)
            ),
        }
    )


def selectivity(run, prompts, held):
    """Accuracy minus control-task accuracy, cluster by cluster, of every layer."""
    probe = run.probe(prompts, held)
    return probe.over_blocks(probe.hits - run.probe_control(prompts, held))


@claim(
    "probe/selective",
    says="The probe reads the task, not its own capacity",
    estimand="maximum over layers of held-out accuracy minus control-task accuracy, prompts in "
    "words, templates held out",
    region=AtLeast(0.2),
    finding=writeup.SELECTIVE,
    subjects=LAB_EVERY,
)
def test_the_probe_is_selective(runs, held_out, judge):
    bases, kinds = runs(), asked(held_out)
    prompts, held = kinds.pop("words")
    judge(
        LayerMax(
            values=[selectivity(run, prompts, held) for run in bases],
            items=CLUSTERS,
            bounds=SHARE_DIFFERENCE,
        )
    )
    kinds["the writeups' protocol, 16 prompts in words"] = (writeup_words(), "in-order")
    judge.beside(
        {
            name: LayerMax(
                values=[selectivity(run, *how) for run in bases], bounds=SHARE_DIFFERENCE
            )
            for name, how in kinds.items()
        }
    )
    random = [selectivity(run.randomised(), prompts, held) for run in bases]
    judge.beside(
        {
            "control: random weights": LayerMax(values=random, bounds=SHARE_DIFFERENCE),
            "accuracy, best layer": BEST.evidence([clusters(run, prompts, held) for run in bases]),
            **{f"accuracy: {k}": v for k, v in controls(bases, prompts, held, BEST).items()},
        }
    )
