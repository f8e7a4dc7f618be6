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
    AtLeast,
    AtMost,
    Control,
    Exact,
    HitDifferences,
    Means,
    NotApplicable,
    all_of,
    beside,
    best_layer,
    claim,
    difference,
    mean,
)
from lazarus_bench.analysis.probe_prompts import crossed, in_symbols, matched, words_in_turn
from lazarus_bench.judge.layers import left_out_maxima
from lazarus_bench.session.shown import probe_curves
from lazarus_bench.tasks.arithmetic import training_problems

from .writeups import emergence_results as writeup
from .writeups.probe_prompts import frames_in_turn, writeup_symbols, writeup_test, writeup_words

MARGIN = 0.05
PAIRS = tuple(combinations(OPERATION_NAMES, 2))
CLUSTERS = "clusters of prompts"


@dataclass(frozen=True)
class Reading:
    """One number of a probe: of accuracies [seed, cluster, layer], and [seed, draw, layer]."""

    evidence: Callable
    of_draws: Callable


FIRST = Reading(lambda found: mean(found[:, :, 0]), lambda draws: draws[:, :, 0])
BEST = Reading(best_layer, lambda draws: draws.max("layers"))
RISE = Reading(
    lambda found: best_layer((found - found[:, :, :1]).within(SHARE)),
    lambda draws: draws.max("layers") - draws[:, :, 0],
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


def clusters(runs, prompts, held):
    """Accuracy of every layer over prompts that share their label by construction."""
    return runs.probe(prompts, held).block_accuracy


def controls(runs, prompts, held, reading):
    """A number's own controls."""
    probe, null = runs.probe(prompts, held), runs.probe_null(prompts, held)
    tasks = probe.over_blocks(runs.probe_control(prompts, held)).within(SHARE)
    draws = reading.of_draws(null.permuted).mean("permutations")
    yield "control: random weights", reading.evidence(clusters(runs.randomised(), prompts, held))
    yield "control: permuted labels", mean(draws.within(SHARE))
    yield "control: control task", reading.evidence(tasks)


def protocol(runs, reading):
    """The writeups' protocol on their sixteen prompts, on the model and on random weights."""
    for kind, prompts in (("words", writeup_words()), ("symbols", writeup_symbols())):
        for where, chosen in (("", runs), (", random weights", runs.randomised())):
            found = reading.evidence(clusters(chosen, prompts, "in-order"))
            yield f"the writeups' protocol, 16 prompts in {kind}{where}", found


def shown(runs, problems, judged, reading):
    """The controls of the judged kind of prompts, the other kinds, and the writeups' protocol."""
    kinds = asked(problems)
    yield from controls(runs, *kinds.pop(judged), reading)
    for kind, how in kinds.items():
        yield kind, reading.evidence(clusters(runs, *how))
    yield from protocol(runs, reading)


def named(prefix, pairs):
    return ((f"{prefix}: {label}", evidence) for label, evidence in pairs)


@claim(
    "probe/symbols-trivial",
    AtLeast(0.95),
    finding=writeup.SYMBOLS_TRIVIAL,
    subjects=LAB_EVERY,
    binary=True,
)
def test_symbols_are_read_at_the_first_layer(base, held_out):
    """Operator symbols give a probe about 100% from the first layer.

    held-out accuracy at L0, prompts in symbols, operand pairs held out.
    """
    return mean(base.probe(*asked(held_out)["symbols"]).hits[:, :, 0])


@beside(test_symbols_are_read_at_the_first_layer)
def _(base, held_out):
    yield from shown(base, held_out, "symbols", FIRST)


@claim("probe/words-start-low", AtMost(0.5), finding=writeup.WORDS_START_LOW, subjects=LAB_EVERY)
def test_words_start_low(base, held_out):
    """Prompts in words are near chance at the first layer.

    held-out accuracy at L0, prompts in words, templates held out.
    """
    return FIRST.evidence(clusters(base, *asked(held_out)["words"]))


@beside(test_words_start_low)
def _(base, held_out):
    yield from shown(base, held_out, "words", FIRST)


@claim("probe/words-emerge", AtLeast(0.25), finding=writeup.WORDS_EMERGE, subjects=LAB_EVERY)
def test_words_emerge_with_depth(base, held_out):
    """Prompts in words become classifiable with depth.

    maximum over layers of held-out accuracy minus that at L0, prompts in words, templates held out.
    """
    return RISE.evidence(clusters(base, *asked(held_out)["words"]))


@beside(test_words_emerge_with_depth)
def _(base, held_out):
    yield from shown(base, held_out, "words", RISE)
    words, itself = asked(held_out)["words"], "best layer itself"
    yield itself, BEST.evidence(clusters(base, *words))
    yield from named(itself, controls(base, *words, BEST))
    p_value = base.probe_null(*words).p_value.within(SHARE)
    yield "... p of the best layer against permuted labels", mean(p_value)
    yield from named(itself, protocol(base, BEST))
    for kind in ("words", "symbols"):
        yield probe_curves(f"Probe, {kind}", base, *asked(held_out)[kind])


def edge(runs, prompts, held):
    """95th percentile of the best layer's accuracy under permuted labels, [seed]."""
    null = runs.probe_null(prompts, held)
    return null.each(lambda found: np.quantile(found.maxima, 0.95)).within(SHARE)


@claim("probe/granite-fails", AtMost(0.0), finding=writeup.GRANITE_FAILS, subjects=("lab:granite",))
def test_granite_does_not_classify_words(base, held_out):
    """Granite's best layer is not above chance on prompts in words.

    best layer's held-out accuracy minus the 95th percentile of the best layer's under permuted
    labels, prompts in words, templates held out.
    """
    if not str(base[0].loaded.config["model_type"]).startswith("granite"):
        raise NotApplicable("asks for a Granite: add --lb-model ibm-granite/granite-3.1-2b-base")
    words = asked(held_out)["words"]
    above = clusters(base, *words) - edge(base, *words).values[:, None, None]
    return best_layer(above.within(SHARE_DIFFERENCE))


@beside(test_granite_does_not_classify_words)
def _(base, held_out):
    words = asked(held_out)["words"]
    yield "best layer", BEST.evidence(clusters(base, *words))
    permuted = mean(edge(base, *words))
    yield "95th percentile of the best layer under permuted labels", permuted
    yield from shown(base, held_out, "words", BEST)


def taught(count):
    """Distinct problems on the models' training side, so no pair of theirs is held out."""
    drawn = training_problems(np.random.default_rng(0), 3 * count)
    return tuple({problem.key: problem for problem in drawn}.values())[:count]


def transferred(run, train, test, held="pairs"):
    """Hits on `test` of the probe of the layer that is best on `train`."""
    return run.probe_transfer(train, test, held)[:, run.probe(train, held).best_layer]


def control_task(run, prompts):
    """Accuracy on control tasks of the layer that is best on `prompts`."""
    return run.probe_control(prompts)[:, run.probe(prompts).best_layer]


def shuffled(prompts):
    """The same prompts with their labels permuted."""
    return replace(
        prompts, labels=tuple(np.random.default_rng(0).permutation(prompts.labels).tolist())
    )


def taught_and_asked(problems, kind):
    """Prompts that a probe is fitted on, and others that it is judged on."""
    return asked(taught(len(problems)))[kind][0], asked(problems)[kind][0]


@claim(
    "probe/held-out",
    AtLeast(0.9),
    finding=writeup.HELD_OUT_OPERANDS,
    subjects=LAB_EVERY,
    binary=True,
)
def test_probes_generalise_to_new_operands(base, held_out):
    """Probes generalise to new operands.

    accuracy on held-out operand pairs in symbols of the layer that is best on others, its probe
    fitted on those.
    """
    train, test = taught_and_asked(held_out, "symbols")
    shared = set(train.pairs) & set(test.pairs)
    return mean(base.each(transferred, train, test)), Control(
        name="operand pairs shared by the probe's training and test",
        value=float(len(shared)),
        expectation="0",
        passed=not shared,
    )


@beside(test_probes_generalise_to_new_operands)
def _(base, held_out):
    train, test = taught_and_asked(held_out, "symbols")
    own, random = (writeup_symbols(), writeup_test(), "in-order"), base.randomised()
    permuted = mean(base.each(transferred, shuffled(train), test))
    yield "words", mean(base.each(transferred, *taught_and_asked(held_out, "words")))
    yield "the writeups' protocol, 16 and 8 prompts", mean(base.each(transferred, *own))
    yield "... random weights", mean(random.each(transferred, *own))
    yield "control: random weights", mean(random.each(transferred, train, test))
    yield "control: permuted labels", permuted
    yield "control: control task", mean(base.each(control_task, train).within(SHARE))


def peak(run, prompts, held):
    """Each cluster's accuracy at the layer that is best on the others."""
    return left_out_maxima(clusters(run, prompts, held))


def peaks_apart(runs, symbols, words):
    """Peak on `symbols` minus peak on `words`, each prompts and what is held out."""
    first, second = (runs.each(peak, *how).within(SHARE) for how in (symbols, words))
    return difference(first, second, items=CLUSTERS)


@claim("probe/symbols-mislead", Above(0.1), finding=writeup.SYMBOLS_MISLEAD, subjects=LAB_EVERY)
def test_symbols_mislead(base, held_out):
    """Prompts in symbols overstate what a probe reads, by about 19 points.

    peak accuracy over layers, prompts in symbols minus prompts in words, each read where the other
    clusters are best.
    """
    return peaks_apart(base, asked(held_out)["symbols"], asked(held_out)["words"])


@beside(test_symbols_mislead)
def _(base, held_out):
    symbols, words, frames = asked(held_out).values()
    own, random = (
        ((writeup_symbols(), "in-order"), (writeup_words(), "in-order")),
        base.randomised(),
    )
    yield "symbols minus the writeups' frames", peaks_apart(base, symbols, frames)
    yield "the writeups' protocol, 16 prompts each", peaks_apart(base, *own)
    yield "... random weights", peaks_apart(random, *own)
    yield "control: random weights", peaks_apart(random, symbols, words)
    for name, how in (("symbols", symbols), ("words", words)):
        yield f"peak, {name}", BEST.evidence(clusters(base, *how))
        yield from named(f"peak, {name}", controls(base, *how, BEST))


def unchanged(after, before):
    """Every layer's difference within the margin; both are hits [seed][prompt][layer]."""
    first, second = (np.asarray(side, dtype=float) for side in (after, before))
    conditions = {}
    for layer in range(first.shape[2]):
        one, other = first[:, :, layer].tolist(), second[:, :, layer].tolist()
        rise, fall = (HitDifferences(first=a, second=b) for a, b in ((one, other), (other, one)))
        conditions[f"L{layer} rise"] = rise, AtMost(MARGIN)
        conditions[f"L{layer} fall"] = fall, AtMost(MARGIN)
    return all_of(conditions)


@claim("probe/base-equals-instruct", AtLeast(0.0), finding=writeup.base_equals_instruct(unchanged))
def test_instruction_tuning_changes_nothing(base, instruct, held_out):
    """Instruction tuning changes nothing in what a probe reads (Llama).

    0.05 minus the largest difference over layers of held-out accuracy between the instruct model
    and its base, prompts in symbols, paired by prompt and seed.
    """
    symbols = asked(held_out)["symbols"]
    return unchanged(instruct.probe(*symbols).hits, base.probe(*symbols).hits)


@beside(test_instruction_tuning_changes_nothing)
def _(base, instruct, held_out):
    kinds = asked(held_out)
    for name, how in (*kinds.items(), ("the writeups' protocol", (writeup_symbols(), "in-order"))):
        apart = clusters(instruct, *how) - clusters(base, *how)
        yield f"largest rise of a layer, {name}", best_layer(apart, items="prompts")
        yield f"largest fall of a layer, {name}", best_layer(-apart, items="prompts")
        yield f"mean over layers, {name}", mean(apart.mean("layers"), items="prompts")
    yield from named("base", controls(base, *kinds["symbols"], BEST))


def log_distances(run, prompts, layer, words=None):
    """log10 of the share of the vocabulary beyond each word, both ways, along six directions."""
    found = [run.words_along_probe(prompts, layer, pair, words or pair) for pair in PAIRS]
    return np.log10(np.concatenate([reading.end_distance for reading in found]))


WORDS_AT_ENDS = tuple(f"{word!r} in {a} − {b}" for a, b in PAIRS for word in (a, b))


def no_word_at_an_end(distances, words):
    """Every word lies further from both ends than the outer 0.1%; [seed][word], as log10."""
    by_word = np.transpose(distances)[:, :, None].tolist()
    return all_of(
        {
            word: (Means(values=values), AtLeast(-3.0))
            for word, values in zip(words, by_word, strict=True)
        }
    )


UNIFORM = np.log10(0.5) - 1 / np.log(10)
"""Mean of log10 of a share that is uniform on (0, ½]: where a random direction puts a word."""


@claim(
    "probe/not-vocabulary",
    AtLeast(0.0),
    finding=writeup.not_vocabulary(no_word_at_an_end),
    subjects=LAB_EVERY,
    words=OPERATION_NAMES,
)
def test_the_probe_direction_is_no_word(base, held_out):
    """The probe direction is not a word.

    log10 of the share of the vocabulary between an operation's word and the nearer end of a probe
    direction w_a − w_b, plus 3 (the outer 0.1% is below 0), least of the words a and b of the six
    directions, prompts in symbols, classifier layer.
    """
    symbols = asked(held_out)["symbols"][0]
    found = base.each(log_distances, symbols, base.classifier_layer)
    return no_word_at_an_end(found, WORDS_AT_ENDS)


@beside(test_the_probe_direction_is_no_word)
def _(base, held_out):
    layer, random = base.classifier_layer, base.randomised()
    symbols, words = (asked(held_out)[kind][0] for kind in ("symbols", "words"))

    def distances(runs, prompts, at=layer):
        return runs.each(log_distances, prompts, at)

    read = {
        "mean of the words": distances(base, symbols),
        "words": distances(base, words),
        "the writeups' sixteen prompts": distances(base, writeup_symbols()),
        "last layer instead": distances(base, symbols, base.depth - 1),
        "control: random weights": distances(random, symbols),
        "control: permuted labels": distances(base, shuffled(symbols)),
        "the nearest of the words": distances(base, symbols).min("prompts"),
    }
    for label, values in read.items():
        yield label, mean(values, items="words at an end")
    yield "control: random directions", Exact(value=float(UNIFORM))
    pair = ("multiply", "add")
    own = base.words_along_probe(symbols, layer, pair, OPERATION_NAMES)
    apart = base.directions(symbols, pair)
    this = "multiply − add"
    yield f"{this}: z of 'multiply' over random directions", mean(own.z[:, 0])
    yield f"{this}: z of 'add'", mean(own.z[:, 1])
    yield f"{this}: words among the top or bottom 30", mean(own.hits)
    yield "... random directions", mean(own.random_hits.mean(1))
    agreement = mean(apart.agreement.at(layer))
    yield f"{this}: cosine of the probe's direction with the difference of means", agreement
    neighbours = mean(apart.neighbours, items="prompts")
    yield f"{this}: cosine of neighbouring layers' directions", neighbours


def selectivity(runs, prompts, held):
    """Accuracy minus control-task accuracy, cluster by cluster, of every layer."""
    probe = runs.probe(prompts, held)
    apart = probe.over_blocks(probe.hits - runs.probe_control(prompts, held))
    return apart.within(SHARE_DIFFERENCE)


@claim("probe/selective", AtLeast(0.2), finding=writeup.SELECTIVE, subjects=LAB_EVERY)
def test_the_probe_is_selective(base, held_out):
    """The probe reads the task, not its own capacity.

    maximum over layers of held-out accuracy minus control-task accuracy, prompts in words,
    templates held out.
    """
    return best_layer(selectivity(base, *asked(held_out)["words"]))


@beside(test_the_probe_is_selective)
def _(base, held_out):
    kinds = asked(held_out)
    words = kinds.pop("words")
    kinds["the writeups' protocol, 16 prompts in words"] = (writeup_words(), "in-order")
    kinds["control: random weights"] = words
    for name, how in kinds.items():
        runs = base.randomised() if name == "control: random weights" else base
        yield name, best_layer(selectivity(runs, *how), items="prompts")
    yield "accuracy, best layer", BEST.evidence(clusters(base, *words))
    yield from named("accuracy", controls(base, *words, BEST))
