"""Beyond one lens: what stands behind "the lens shows nothing".

No writeup asks these questions. The writeups read the residual stream with one instrument, the
logit lens, and conclude from its silence that the base holds no classifier. These claims put the
same question to the Jacobian lens (Gurnee et al. 2026), the tuned lens (Belrose et al. 2023) and a
nonlinear probe, and ask beside what a model *represents* what it *uses*: erasure (Belrose et al.
2023, LEACE) and interchange interventions (Geiger et al. 2024).

How they were made exact, before any seed from 200 on, on which they are judged, was trained:

- *Regions* are those of the project's specification of instruments, all ours.
- *Silent* is the lens's probability of the operation's name at the last prompt position, at the
  layer where it is highest; the last layer counts, and there every lens is the model's own output.
- *Fits* are on text of their own, never on the problems that a lens then reads. Their sizes were
  chosen on development seed 100: with twice as many texts the Jacobians of no layer move by more
  than 8%, and twice the steps on twice the texts take the tuned lens's divergence from 2.85 to 0.59
  nats at the first layer, where these take it to 0.68.
- *Erased* is what a linear probe can know at the last prompt position after the classifier layer,
  since that is what probes and lenses read. Later layers may fetch the operation from earlier
  positions, so erasing it at all of them is shown beside. Erasers are fitted on operand pairs that
  come in all four operations, none of them held out: otherwise the operands, which tell the
  operation, would be erased with it.
- *A variable* is a subspace of four dimensions at the same place. The problems have the same
  operands in another operation; pairs of operands that are judged are never fitted on, and count
  once however many operations they come in.
- *Components* are those of forty pairs of such problems, each sampled: exact patching is what
  costs.

What was known: all claims were tried on development seed 100, with larger fits, where everything is
silent under both lenses, even what dual reward installed (0.66 under the logit lens, 0.007 and
0.0004 under the others), a nonlinear probe adds −0.004, erasing the operation costs 0.02 to 0.04
more than a random label and the names' directions 0.11, a subspace carries 0.20 to 0.26 more than
a random one, ranks correlate by 0.68, arbitrary words reach 0.80 and other layers 0.61 to 0.65
where names at the classifier layer reach 0.66. On seed 0, while the instruments were built, a
subspace carried 0.17 to 0.28 and ranks correlated by 0.84 and 0.52 on two pairs of prompts.
"""

from itertools import combinations, islice

from lazarus_bench import (
    LAB_EVERY,
    OPERATION_NAMES,
    SHARE,
    AtLeast,
    AtMost,
    Within,
    beside,
    best_layer,
    claim,
    mean,
    trained,
)
from lazarus_bench.analysis.probe_prompts import crossed, matched, words_in_turn
from lazarus_bench.session.controls import room_to_lose
from lazarus_bench.session.shown import erasure_curves, lenses_heatmap, without_seed
from lazarus_bench.tasks.arithmetic import Operation, all_problems, is_held_out, operand_pairs
from lazarus_bench.training import DualReward, Fuse, JacobianLens, Randomise, Sft, TunedLens

SOURCE = "ours: no writeup asks it"

VO = DualReward(targets="vo", weight=0.4, steps=500)
vo = trained(VO)
sft = trained(Sft())
LENSES = (JacobianLens(examples=120), TunedLens(steps=200, batch=12))
base_jacobian, base_tuned = map(trained, LENSES)
sft_jacobian, sft_tuned = (trained(Sft(), Fuse(), lens) for lens in LENSES)
vo_jacobian, vo_tuned = (trained(VO, Fuse(), lens) for lens in LENSES)
random_jacobian, random_tuned = (trained(Randomise(), lens) for lens in LENSES)

ANY_WORDS = {"add": " salt", "divide": " week", "multiply": " cake", "subtract": " story"}
ROTATED = {"add": " subtract", "divide": " multiply", "multiply": " add", "subtract": " divide"}


def taught(words):
    """Dual reward on V/O with other words in the place of the operations' names."""
    return trained(DualReward(words=tuple(f"{name}={text}" for name, text in words.items())))


any_word, rotated = taught(ANY_WORDS), taught(ROTATED)
by_layer = {str(layer): trained(DualReward(layer=layer)) for layer in (1, 2, 6)}

SILENT, VISIBLE, LOSS = 0.05, 0.36, 0.1
FITTED_PAIRS, DIMENSIONS, PATCHED = 200, 4, 40
SIZES = (1, 2, 4, 8)
EXCHANGED = operand_pairs(115, 0, held=True)
"""The problems of all operands that are held out in several operations."""
PAIRS = "pairs of prompts"


def gold(runs, problems, **words):
    """Probability of the operation's name, or of its word in `words`, [seed, prompt, layer]."""
    return runs.lens(problems, **words).gold_probability


def middle(runs, problems, **words):
    return gold(runs, problems, **words).at("classifier")


def beyond_one_lens(plain, fitted, random, problems):
    """The logit lens on the same model, and the same lens on random weights."""
    yield "at the classifier layer", mean(middle(fitted, problems))
    yield "the logit lens", best_layer(gold(plain, problems))
    yield "control: random weights, fitted alike", best_layer(gold(random, problems))


@claim("beyond/jacobian-silent", AtMost(SILENT), source=SOURCE, subjects=LAB_EVERY)
def test_the_base_is_silent_under_the_jacobian_lens(base_jacobian, held_out):
    """The base is as silent under the Jacobian lens as under the logit lens.

    maximum over layers of the mean probability of the operation's name, Jacobian lens.
    """
    return best_layer(gold(base_jacobian, held_out))


@beside(test_the_base_is_silent_under_the_jacobian_lens)
def _(base, base_jacobian, random_jacobian, held_out):
    yield from beyond_one_lens(base, base_jacobian, random_jacobian, held_out)


@claim("beyond/tuned-silent", AtMost(SILENT), source=SOURCE, subjects=LAB_EVERY)
def test_the_base_is_silent_under_a_tuned_lens(base_tuned, held_out):
    """The base is as silent under a tuned lens as under the logit lens.

    maximum over layers of the mean probability of the operation's name, tuned lens.
    """
    return best_layer(gold(base_tuned, held_out))


@beside(test_the_base_is_silent_under_a_tuned_lens)
def _(base, base_tuned, random_tuned, held_out):
    yield from beyond_one_lens(base, base_tuned, random_tuned, held_out)


@claim("beyond/sft-silent[jacobian]", AtMost(SILENT), source=SOURCE)
def test_sft_leaves_it_silent_under_the_jacobian_lens(sft_jacobian, held_out):
    """Fine-tuning leaves the model silent under the Jacobian lens.

    maximum over layers of the mean probability of the operation's name, SFT, Jacobian lens.
    """
    return best_layer(gold(sft_jacobian, held_out))


@beside(test_sft_leaves_it_silent_under_the_jacobian_lens)
def _(sft, sft_jacobian, held_out):
    yield "at the classifier layer", mean(middle(sft_jacobian, held_out))
    yield "the logit lens", best_layer(gold(sft, held_out))


@claim("beyond/sft-silent[tuned]", AtMost(SILENT), source=SOURCE)
def test_sft_leaves_it_silent_under_a_tuned_lens(sft_tuned, held_out):
    """Fine-tuning leaves the model silent under a tuned lens.

    maximum over layers of the mean probability of the operation's name, SFT, tuned lens.
    """
    return best_layer(gold(sft_tuned, held_out))


@beside(test_sft_leaves_it_silent_under_a_tuned_lens)
def _(sft, sft_tuned, held_out):
    yield "at the classifier layer", mean(middle(sft_tuned, held_out))
    yield "the logit lens", best_layer(gold(sft, held_out))


@claim("beyond/dual-under-jacobian", AtLeast(VISIBLE), source=SOURCE)
def test_the_jacobian_lens_sees_what_dual_reward_makes_visible(vo_jacobian, held_out):
    """What dual reward makes visible to the logit lens, the Jacobian lens sees too.

    mean probability of the operation's name, classifier layer, V/O dual reward, Jacobian lens.
    """
    return mean(middle(vo_jacobian, held_out))


@beside(test_the_jacobian_lens_sees_what_dual_reward_makes_visible)
def _(base, base_jacobian, base_tuned, vo, vo_jacobian, vo_tuned, held_out, writeup_prompts):
    yield "the logit lens", mean(middle(vo, held_out))
    yield "a tuned lens", mean(middle(vo_tuned, held_out))
    yield "the best layer, Jacobian lens", best_layer(gold(vo_jacobian, held_out))
    yield "control: before training, Jacobian lens", mean(middle(base_jacobian, held_out))
    before = {"logit lens": base, "Jacobian lens": base_jacobian, "tuned lens": base_tuned}
    after = {"logit lens": vo, "Jacobian lens": vo_jacobian, "tuned lens": vo_tuned}
    yield lenses_heatmap("Three lenses before training", before, writeup_prompts)
    yield lenses_heatmap("Three lenses after dual reward on V/O", after, writeup_prompts)


@claim("beyond/nonlinear-adds-nothing", Within(-0.1, 0.1), source=SOURCE)
def test_a_nonlinear_probe_adds_nothing(base, held_out):
    """A nonlinear probe reads no more of the operation than a linear one.

    selectivity at the classifier layer, nonlinear minus linear probe, prompts in words, templates
    held out.
    """
    return mean(added(base, held_out).at("classifier"))


def added(runs, problems):
    """Selectivity that a hidden layer adds, by cluster of prompts and layer."""
    prompts = matched(words_in_turn(crossed(problems)))
    probes = runs.nonlinear_probe(prompts, "templates")
    return runs.probe(prompts, "templates").over_blocks(probes.added).within((-2.0, 2.0))


@beside(test_a_nonlinear_probe_adds_nothing)
def _(base, held_out):
    prompts = matched(words_in_turn(crossed(held_out)))
    probe, probes = base.probe(prompts, "templates"), base.nonlinear_probe(prompts, "templates")
    for name, hits in (("linear", probes.linear), ("nonlinear", probes.nonlinear)):
        found = probe.over_blocks(hits).within((0.0, 1.0)).at("classifier")
        yield f"accuracy of the {name} probe", mean(found)
    for name, own in (
        ("linear", probes.linear_selectivity),
        ("nonlinear", probes.nonlinear_selectivity),
    ):
        found = probe.over_blocks(own).within((-1.0, 1.0)).at("classifier")
        yield f"selectivity of the {name} probe", mean(found)
    random = added(base.randomised(), held_out).at("classifier")
    yield "control: random weights", mean(random)


def erased(run, problems, method="leace", positions="last"):
    """Answers with the operation erased at the classifier layer."""
    layer, fitted = run.classifier_layer, every_operation()
    return run.erasure(problems, layer, fitted, method, positions)


def every_operation():
    """Problems of operands that come in all four operations and are held out in none."""
    by_operands = {}
    for problem in crossed(all_problems(Operation.DIVIDE)):
        by_operands.setdefault((problem.a, problem.b), []).append(problem)
    return tuple(p for own in by_operands.values() if not any(map(is_held_out, own)) for p in own)


@claim("beyond/operation-is-used", AtMost(-LOSS), source=SOURCE)
def test_erasing_the_operation_costs_answers(base, held_out):
    """Erasing the operation at the classifier layer costs answers.

    exact-match accuracy with the operation erased minus that with a random label of the same rank
    erased, classifier layer, last prompt position.
    """
    return mean(base.each(erased, held_out).excess), room_to_lose(base, held_out, by=LOSS)


@beside(test_erasing_the_operation_costs_answers)
def _(base, held_out):
    found = base.each(erased, held_out)
    everywhere = base.each(erased, held_out, "leace", "all")
    yield "accuracy", mean(found.correct_before)
    yield "accuracy, operation erased", mean(found.correct)
    yield "control: accuracy, a random label erased", mean(found.random_correct.mean("draws"))
    yield "at all positions, minus a random label", mean(everywhere.excess)
    yield "log-probability of the answer, minus a random label", mean(found.excess_log_probability)
    yield "manipulation check: probe before", mean(found.probed_before)
    yield "manipulation check: fresh probe, erased (chance 0.25)", mean(found.probed)
    yield erasure_curves("Erasing the operation", base[0], held_out, every_operation())


@claim("beyond/name-is-read", AtMost(-LOSS), source=SOURCE, words=OPERATION_NAMES)
def test_erasing_what_the_lens_reads_costs_answers(vo, held_out):
    """After dual reward, erasing the directions that the lens reads costs answers.

    exact-match accuracy with the names' directions erased minus that with as many random
    directions erased, classifier layer, last prompt position, V/O dual reward.
    """
    return mean(vo.each(erased, held_out, "lens").excess), room_to_lose(vo, held_out, by=LOSS)


@beside(test_erasing_what_the_lens_reads_costs_answers)
def _(vo, held_out):
    found = vo.each(erased, held_out, "lens")
    yield "accuracy", mean(found.correct_before)
    yield "accuracy, names erased", mean(found.correct)
    yield "control: before training", mean(vo.before.each(erased, held_out, "lens").excess)


def exchanged(run, problems, layers=None, sizes=(DIMENSIONS,), shuffles=1):
    """Swaps between `problems` of the same operands, in subspaces found on other operands."""
    chosen = [run.classifier_layer] if layers is None else layers
    fitted = operand_pairs(FITTED_PAIRS, 0, held=False)
    return run.interchange(problems, fitted, chosen, sizes, shuffles=shuffles)


def by_operands(samples, swaps):
    """The mean of samples [seed, swap, 1, 1], in which swaps of the same operands count once."""
    return mean(samples[:, :, 0, 0], items="swaps", clusters=swaps[0].clusters)


@claim("beyond/operation-is-a-variable", AtLeast(0.3), source=SOURCE)
def test_a_subspace_carries_the_operation(base):
    """A subspace at the classifier layer carries the operation.

    share of swaps that give the source's answer, four dimensions found by search minus random ones,
    classifier layer, held-out operand pairs.
    """
    swaps = base.each(exchanged, EXCHANGED)
    return by_operands(swaps.excess, swaps)


@beside(test_a_subspace_carries_the_operation)
def _(base):
    swaps = base.each(exchanged, EXCHANGED)
    keys = {"items": "swaps", "clusters": swaps[0].clusters}
    yield "found subspaces", by_operands(swaps.found, swaps)
    yield "control: random subspaces", by_operands(swaps.random, swaps)
    yield "control: searched with permuted sources", mean(swaps.shuffled[:, :, 0, 0])
    yield "control: the source's answer without a swap", mean(swaps.plain, **keys)
    yield "the whole residual swapped", mean(swaps.whole[:, :, 0], **keys)
    yield "the source itself is answered so", mean(swaps.answered, **keys)
    random = base.randomised().each(exchanged, EXCHANGED)
    yield "control: random weights", by_operands(random.excess, random)
    every = exchanged(base[0], EXCHANGED, range(base.depth), SIZES, shuffles=0)
    yield every.figure(without_seed(base[0]))


def attribution_of(run, problems):
    """Attribution patching between problems of the same operands and another operation."""
    return run.attributed(*zip(*apart(problems), strict=True))


def apart(problems):
    """Of each two operands the first two problems whose answers begin with other characters."""
    by_operands = {}
    for problem in problems:
        by_operands.setdefault((problem.a, problem.b), []).append(problem)
    pairs = (pair for own in by_operands.values() for pair in islice(unlike(own), 1))
    return tuple(islice(pairs, PATCHED))


def unlike(problems):
    pairs = combinations(problems, 2)
    return ((p, q) for p, q in pairs if str(p.answer)[0] != str(q.answer)[0])


@claim("beyond/attribution-agrees", AtLeast(0.8), source=SOURCE)
def test_attribution_patching_ranks_as_exact_patching_does(base):
    """Attribution patching ranks components as exact patching does.

    Spearman's rank correlation over a sample of components, mean over pairs of problems.
    """
    return mean(base.each(attribution_of, EXCHANGED).spearman, items=PAIRS)


@beside(test_attribution_patching_ranks_as_exact_patching_does)
def _(base):
    yield "mean absolute error, nats", mean(base.each(attribution_of, EXCHANGED).error, items=PAIRS)
    random = base.randomised().each(attribution_of, EXCHANGED)
    yield "control: random weights", mean(random.spearman, items=PAIRS)


@claim("beyond/any-word-will-do", Within(-0.2, 0.2), source=SOURCE)
def test_dual_reward_installs_any_word(vo, any_word, held_out):
    """Dual reward installs arbitrary words as well as the operations' names.

    mean probability of the trained word, names minus salt, week, cake and story, classifier layer,
    paired by seed.
    """
    return mean(middle(vo, held_out) - middle(any_word, held_out, words=ANY_WORDS))


@beside(test_dual_reward_installs_any_word)
def _(vo, any_word, rotated, held_out):
    yield "the operations' names", mean(middle(vo, held_out))
    yield "arbitrary words", mean(middle(any_word, held_out, words=ANY_WORDS))
    yield "names of other operations", mean(middle(rotated, held_out, words=ROTATED))
    yield (
        "control: arbitrary words, before training",
        mean(middle(vo.before, held_out, words=ANY_WORDS)),
    )
    yield "control: arbitrary words, trained on names", mean(middle(vo, held_out, words=ANY_WORDS))


@claim("beyond/any-layer-will-do", Within(-0.1, 0.1), source=SOURCE)
def test_dual_reward_works_at_any_layer(vo, by_layer, held_out):
    """Dual reward does as well at other layers.

    mean probability of the operation's name at the layer that was trained, the classifier layer
    minus the mean of layers 1, 2 and 6, paired by seed.
    """
    elsewhere = [gold(runs, held_out).at(int(layer)) for layer, runs in by_layer.items()]
    return mean(middle(vo, held_out) - (sum(elsewhere) / len(elsewhere)).within(SHARE))


@beside(test_dual_reward_works_at_any_layer)
def _(vo, by_layer, held_out):
    yield "the classifier layer", mean(middle(vo, held_out))
    for layer, runs in by_layer.items():
        yield f"layer {layer}", mean(gold(runs, held_out).at(int(layer)))
