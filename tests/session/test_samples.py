"""Samples: arrays over seeds give what loops over seeds gave, and know where they came from."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from lazarus_bench.analysis.measured import CLUSTERS
from lazarus_bench.analysis.probe_prompts import crossed, in_symbols, matched, words_in_turn
from lazarus_bench.judge import (
    SHARE,
    SHARE_DIFFERENCE,
    Above,
    Differences,
    HitDifferences,
    Hits,
    LayerMax,
    Means,
)
from lazarus_bench.models import lab
from lazarus_bench.session.run import Run
from lazarus_bench.session.runs import Runs
from lazarus_bench.session.samples import all_of, asked_of, best_layer, difference, mean, ratio
from lazarus_bench.tasks.arithmetic import held_out
from lazarus_bench.training.record import PROBLEMS as TRAINED_ON

PROBLEMS = tuple(held_out(24, 0))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two seeds of an untrained model, each trained, so they say, from a base of its own."""
    found = []
    config = lab.config_of("llama") | {
        "num_hidden_layers": 4,
        "hidden_size": 48,
        "intermediate_size": 32,
    }
    for seed in range(2):
        made = [tmp_path_factory.mktemp(f"{kind}{seed}") for kind in ("base", "trained")]
        for at, directory in enumerate(made):
            lab.save(lab.initialise(config, 2 * seed + at), config, directory)
        shared = PROBLEMS[0] if seed else None
        lines = [f'["{p.operation.value}", {p.a}, {p.b}]\n' for p in (shared,) if p]
        (made[1] / TRAINED_ON).write_text("".join(lines))
        base = Run(name=f"a base, seed {seed}", seed=seed, directory=made[0])
        found.append(
            Run(name=f"seed {seed}", seed=seed, directory=made[1], artifact=made[1], base=base)
        )
    return Runs(found)


def same(evidence, expected):
    """Equal evidence, to the last bit, with equal estimates."""
    assert evidence == expected
    assert evidence.estimate(0.95, 0.1) == expected.estimate(0.95, 0.1)


def gold(runs, problems):
    return runs.lens(problems).at("classifier").gold_probability


def accuracy(runs, prompts, held):
    return runs.probe(prompts, held).block_accuracy


def test_numbers_of_one_s_own_have_a_mean():
    numbers = [[0.5, 2.0, 3.0], [1.0, 2.5, 4.0]]
    same(mean(np.array(numbers)), Means(values=numbers))
    same(mean(numbers), Means(values=numbers))
    same(mean([3.0, 4.0]), Means(values=[[3.0], [4.0]]))
    same(mean([[True, False], [True, True]]), Hits(values=[[True, False], [True, True]]))
    with pytest.raises(ValueError, match="different shapes"):
        mean([[1.0], [1.0, 2.0]])


def test_runs_are_a_sequence_of_runs(runs):
    assert len(runs) == 2
    assert [run.name for run in runs[:1]] == [runs[0].name]
    assert [*runs.before] == [run.before for run in runs]
    assert (runs.depth, runs.classifier_layer) == (4, 2)
    assert [run.random for run in runs.randomised()] == [True, True]
    assert [run.quirk for run in runs.with_quirk("bf16-lens")] == ["bf16-lens"] * 2


def test_a_converted_claim_of_means(runs):
    """`dual/vo-36`: Probability of the operation's name at the classifier layer."""
    each = [run.lens(PROBLEMS).gold_probability[:, run.classifier_layer] for run in runs]
    found = gold(runs, PROBLEMS)
    assert (found.axes, found.bounds) == (("seeds", "prompts"), SHARE)
    same(mean(found), Means(values=each, bounds=SHARE))
    same(mean(found >= 0.0003), Hits(values=[seed >= 0.0003 for seed in each]))
    lens = [run.lens(PROBLEMS) for run in runs]
    names = [x.bare[:, 2].sum(axis=1) for x in lens]
    others = [(n - g) / 3 for n, g in zip(names, each, strict=True)]
    whole = runs.lens(PROBLEMS).bare.at("classifier").sum("operations")
    same(mean(((whole - found) / 3).within(SHARE)), Means(values=others, bounds=SHARE))
    same(
        mean(runs[:1].lens(PROBLEMS).at(2).answer),
        Means(values=[lens[0].answer[:, 2]], bounds=SHARE),
    )


def test_a_converted_claim_of_differences(runs):
    """`dual/beats-sft` and `dual/answers-survive`: paired by prompt, after minus before."""
    after, before = (
        [run.lens(PROBLEMS).gold_probability[:, 2] for run in some] for some in (runs, runs.before)
    )
    found = gold(runs, PROBLEMS) - gold(runs.before, PROBLEMS)
    expected = Differences(first=after, second=before, paired="prompts", bounds=SHARE_DIFFERENCE)
    same(mean(found), expected)
    same(mean(found[:1]), replace(expected, first=after[:1], second=before[:1]))
    hits = [[run.answers(PROBLEMS).correct for run in some] for some in (runs, runs.before)]
    same(
        mean(runs.answers(PROBLEMS).correct - runs.before.answers(PROBLEMS).correct),
        HitDifferences(first=hits[0], second=hits[1]),
    )
    sides = [[seed[:9] for seed in after], [seed[9:] for seed in after]]
    found = difference(gold(runs, PROBLEMS)[:, :9], gold(runs, PROBLEMS)[:, 9:], paired="seeds")
    expected = replace(expected, first=sides[0], second=sides[1], paired="seeds")
    same(found, expected)
    apart = [gold(runs, asked) for asked in (PROBLEMS[:9], PROBLEMS[9:])]
    assert difference(*apart).paired == "seeds"
    assert difference(apart[0][:1], apart[1][:1]).paired == "no"


def test_a_converted_claim_of_the_best_layer(runs):
    """`probe/words-emerge` and `probe/selective`: clusters of prompts, at the best layer."""
    prompts, held = matched(words_in_turn(crossed(held_out(48, 0)))), "templates"
    each = [run.probe(prompts, held).block_accuracy for run in runs]
    found = accuracy(runs, prompts, held)
    rises = [seed - seed[:, :1] for seed in each]
    same(
        best_layer((found - found[:, :, :1]).within(SHARE)),
        LayerMax(values=rises, items=CLUSTERS, bounds=SHARE),
    )
    same(
        mean(found.at(0)), Means(values=[seed[:, 0] for seed in each], items=CLUSTERS, bounds=SHARE)
    )
    selective = [
        run.probe(prompts, held).over_blocks(
            run.probe(prompts, held).hits - run.probe_control(prompts, held)
        )
        for run in runs
    ]
    probes = runs.probe(prompts, held)
    measured = probes.over_blocks(probes.hits - runs.probe_control(prompts, held))
    same(
        best_layer(measured.within(SHARE_DIFFERENCE)),
        LayerMax(values=selective, items=CLUSTERS, bounds=SHARE_DIFFERENCE),
    )
    edges = [[np.quantile(run.probe_null(prompts, held, 5).maxima, 0.95)] for run in runs]
    quantiles = runs.each(lambda run: np.quantile(run.probe_null(prompts, held, 5).maxima, 0.95))
    same(mean(quantiles), Means(values=edges))


def test_bounds_follow_the_arithmetic(runs):
    share = gold(runs, PROBLEMS)
    hits = runs.answers(PROBLEMS).correct
    assert (1 - share).bounds == SHARE
    assert (-share).bounds == (-1.0, 0.0)
    assert (hits - hits / 2).bounds == (-0.5, 1.0)
    assert abs(share - share).bounds == SHARE
    assert ((share - share) - (share - share)).bounds == (-2.0, 2.0)
    assert np.maximum(share, 1 - share).bounds == SHARE
    assert np.log10(share).bounds == (-np.inf, np.inf)
    assert (share * -1).bounds == (-np.inf, np.inf)
    assert (share > 0.5).bounds == share.max("prompts").bounds == SHARE


def test_axes_follow_indices_and_reductions(runs):
    whole = runs.lens(PROBLEMS).bare
    assert whole.axes == ("seeds", "prompts", "layers", "operations")
    assert whole[:, :, 0].axes == whole.at(0).axes == ("seeds", "prompts", "operations")
    assert whole[..., 0].axes == ("seeds", "prompts", "layers")
    assert whole[:, [0, 2]].shape == (2, 2, 4, 4)
    assert isinstance(whole[0], np.ndarray)
    assert whole.mean("layers").axes == ("seeds", "prompts", "operations")
    np.testing.assert_array_equal(whole.argmax("layers"), whole.values.argmax(axis=2))
    assert runs.lens(PROBLEMS).hits.mean() == np.mean([r.lens(PROBLEMS).hits for r in runs])
    with pytest.raises(ValueError, match="and no layers"):
        whole.at(0).at(0)
    with pytest.raises(ValueError, match=r"choose a layer with \.at\(\)"):
        mean(runs.lens(PROBLEMS).answer)
    with pytest.raises(ValueError, match="different shapes"):
        runs.each(lambda run: np.zeros(run.seed + 1))


def test_arguments_of_each_seed_are_its_own(runs):
    layers = runs.each(lambda run: run.seed)
    found = runs.ablated(PROBLEMS[:4], layers).probability
    expected = [run.ablated(PROBLEMS[:4], run.seed).probability for run in runs]
    np.testing.assert_array_equal(found.values, expected)
    named = runs.behaviour(PROBLEMS[:4]).naming([p.operation for p in PROBLEMS[:4]])
    assert (named.axes, named.bounds) == (("seeds", "prompts", "layers"), SHARE)


def test_samples_know_whom_they_asked_what(runs):
    found = mean(gold(runs, PROBLEMS) - gold(runs.before, PROBLEMS))
    asked = asked_of(found)
    assert [*asked.runs] == [*runs, *runs.before]
    assert asked.problems == {problem.key for problem in PROBLEMS}
    assert asked.shared == {PROBLEMS[0].key}
    assert asked_of(mean(gold(runs[:1], PROBLEMS))).shared == frozenset()
    assert asked_of(mean(gold(runs, PROBLEMS[1:]))).shared == frozenset()
    both = all_of({"a": (mean(gold(runs[1:], PROBLEMS)), Above(0)), "b": (found, Above(0))})
    assert len(asked_of(both).runs) == 4
    prompts = in_symbols(PROBLEMS)
    assert asked_of(best_layer(runs.probe(prompts).hits)).shared == {PROBLEMS[0].key}


def test_logs_are_samples_too(monkeypatch, runs):
    def logged(made):
        return tuple(SimpleNamespace(loss=1 / n, parts={"kl": n / 8}) for n in (1, 2, 3))

    monkeypatch.setattr("lazarus_bench.session.run.read_metrics", logged)
    kl = runs.log("kl")
    assert (kl.axes, kl.values.tolist()) == (("seeds", "records"), [[1 / 8, 2 / 8, 3 / 8]] * 2)
    assert ratio(kl[:, -1], kl[:, 0]).numerator == (3 / 8, 3 / 8)
    assert mean(runs.log("loss")[:, -1] - kl[:, -1]).shape == (2, 1)
