"""Figures and tables of claims: the instruments' own numbers, from the runs that are given."""

import math

import numpy as np
import pytest

from lazarus_bench.analysis.probe_prompts import in_symbols
from lazarus_bench.errors import UserError
from lazarus_bench.session.run import Run
from lazarus_bench.session.shown import (
    EACH,
    ERASED_DRAWS,
    POINTS,
    UPPER,
    erasure_curves,
    lens_heatmap,
    lens_table,
    lenses_heatmap,
    probe_curves,
    training_curves,
)
from lazarus_bench.tasks.arithmetic import Operation, held_out, sample_prompts, training_problems
from lazarus_bench.training.record import Step, StepLog


@pytest.fixture(scope="module")
def runs(tiny):
    """Two seeds of one untrained model: the second with other random weights."""
    first = Run(name="tiny seed 0", seed=0, directory=tiny)
    return [first, Run(name="tiny seed 1", seed=1, directory=tiny, random=True)]


PROBLEMS = tuple(held_out(40, 0))


def test_it_shows_the_writeups_prompts_and_some_others_of_each_operation(runs):
    item = lens_heatmap("A title", runs, sample_prompts(), PROBLEMS)
    assert (item.title, item.subject, item.seeds) == ("A title", "tiny", 2)
    assert (item.layer, item.depth) == (runs[0].classifier_layer, 4)
    own, others = item.groups
    assert [row.prompt for row in own.rows] == [p.symbols for p in sample_prompts()]
    assert others.name == "8 of 40 held-out prompts"
    assert [row.gold for row in others.rows] == [o.word for o in Operation for _ in range(EACH)]
    assert not {row.prompt for row in own.rows} & {row.prompt for row in others.rows}


def test_its_numbers_are_the_means_of_the_lens_over_seeds(runs):
    item = lens_heatmap("A title", runs, sample_prompts(), PROBLEMS)
    for group, problems in zip(item.groups, (sample_prompts(), PROBLEMS), strict=True):
        read = np.mean([run.lens(problems).gold_probability for run in runs], axis=0)
        place = {p.symbols: at for at, p in enumerate(problems)}
        for row in group.rows:
            np.testing.assert_allclose(row.probability, read[place[row.prompt]], rtol=1e-3)


def test_it_reads_nothing_that_claims_do_not_read(runs):
    fresh = Run(name="tiny seed 0", seed=0, directory=runs[0].directory)
    fresh.lens(sample_prompts()), fresh.lens(PROBLEMS), fresh.classifier_layer
    before = dict(fresh._session)
    lens_heatmap("A title", [fresh], sample_prompts(), PROBLEMS)
    assert fresh._session.keys() == before.keys()


def test_a_prompt_of_the_writeups_is_not_shown_twice(runs):
    again = (*sample_prompts(), *PROBLEMS)
    _, others = lens_heatmap("A title", runs[:1], sample_prompts(), again).groups
    assert not {p.symbols for p in sample_prompts()} & {row.prompt for row in others.rows}


def test_several_lenses_stand_one_above_the_other(runs):
    lenses = {"one lens": runs[:1], "another": runs[1:]}
    item = lenses_heatmap("A title", lenses, sample_prompts())
    assert [group.name for group in item.groups] == [*lenses]
    assert (item.subject, item.seeds, item.depth) == ("tiny", 1, 4)
    for group, (run,) in zip(item.groups, lenses.values(), strict=True):
        own = run.lens(sample_prompts()).gold_probability
        assert [row.prompt for row in group.rows] == [p.symbols for p in sample_prompts()]
        shown = [row.probability for row in group.rows]
        np.testing.assert_allclose(shown, own, rtol=1e-3)


def test_what_erasing_costs_is_shown_at_every_layer(runs):
    fitted, asked = tuple(training_problems(np.random.default_rng(0), 200)), PROBLEMS[:4]
    fitted = tuple(dict.fromkeys(fitted))
    item = erasure_curves("A title", runs[0], asked, fitted)
    assert (item.layers, item.subject, item.unit) == ((0, 1, 2, 3), "tiny seed 0", "accuracy")
    found = [runs[0].erasure(asked, at, fitted, draws=ERASED_DRAWS) for at in item.layers]
    plain, erased, random = (series.mean for series in item.series)
    assert plain == tuple(each.correct_before.mean() for each in found)
    assert erased == tuple(each.correct.mean() for each in found)
    assert random == pytest.approx([each.random_correct.mean() for each in found])


def test_the_table_shows_the_top_tokens_of_both_runs(tiny):
    base = Run(name="base", seed=0, directory=tiny)
    run = Run(name="same weights", seed=0, directory=tiny, base=base)
    prompts = sample_prompts()
    table = lens_table("A title", run, prompts)
    assert table.layer == run.classifier_layer
    assert [row.prompt for row in table.rows] == [p.symbols for p in prompts]
    assert [row.gold for row in table.rows] == [p.operation.word for p in prompts]
    lens = run.lens(prompts)
    for i, row in enumerate(table.rows):
        assert row.before_token == row.after_token
        assert row.after_probability == row.before_probability
        assert row.after_probability == lens.top_probability[i, table.layer, 0]
        assert run.loaded.tokenizer.decode([int(lens.top[i, table.layer, 0])]) == row.after_token


PROMPTS = in_symbols(held_out(40, 0))


@pytest.fixture(scope="module")
def curves(runs):
    return probe_curves("Probe, symbols", runs, PROMPTS, "pairs")


def test_curves_have_a_value_for_each_layer_and_say_what_chance_is(curves):
    assert (curves.layers, curves.subject) == ((0, 1, 2, 3), "tiny")
    assert curves.unit == "fraction, chance 0.25"
    assert {series.seeds for series in curves.series} == {2}


def test_their_numbers_are_the_instruments(curves, runs):
    accuracy, random, control = curves.series
    permuted = np.mean([run.probe_null(PROMPTS).permuted for run in runs], axis=0)
    own = [run.probe(PROMPTS).accuracy for run in runs]
    assert accuracy.mean == pytest.approx(np.mean(own, axis=0))
    assert curves.null.mean == pytest.approx(permuted.mean(axis=0))
    assert curves.null.upper == pytest.approx(np.quantile(permuted.max(axis=1), UPPER))
    controls = [run.probe_control(PROMPTS).mean(axis=0) for run in runs]
    assert control.mean == pytest.approx(np.mean(controls, axis=0))
    blank = [run.randomised().probe(PROMPTS).accuracy for run in runs]
    assert random.mean == pytest.approx(np.mean(blank, axis=0))
    assert random.highest == pytest.approx(np.max(blank, axis=0))


STEPS = 100


def logging_run(folder, seed, class_loss):
    directory = folder / str(seed)
    directory.mkdir()
    with StepLog(directory, keep=0) as log:
        for i in range(1, STEPS + 1):
            parts = {"class": class_loss(i), "answer": 0.5}
            log(Step(step=i, of=STEPS, loss=i + seed, parts=parts, tokens=1, seconds=1.0))
    name = f"lab:llama, dual reward vo seed {seed}"
    return Run(name=name, seed=seed, directory=directory, artifact=directory)


@pytest.fixture
def logged(tmp_path):
    return [
        logging_run(tmp_path, 0, lambda i: 1 / i),
        logging_run(tmp_path, 10, lambda i: math.nan),
    ]


def test_a_line_for_each_seed(logged):
    curves = training_curves("A title", logged, ["loss", "class"])
    assert (curves.title, curves.subject) == ("A title", "lab:llama, dual reward vo")
    assert (curves.x, curves.unit) == ("step", "nats")
    loss, label = curves.series
    assert (loss.name, label.name) == ("loss", "class")
    assert [len(line) for line in loss.lines] == [21, 21]
    assert len(loss.lines[0]) <= POINTS
    assert loss.lines[0][:3] == ((1.0, 1.0), (5.0, 3.5), (10.0, 8.0))
    assert loss.lines[1][-1] == (100.0, 108.0)
    assert label.lines[0][0] == (1.0, 1.0)
    assert all(math.isnan(y) for _, y in label.lines[1])


def test_numbers_of_another_unit(logged):
    assert training_curves("A title", logged, ["answer"], unit="fraction").unit == "fraction"


def test_a_name_that_was_not_logged_is_refused_with_those_that_were(logged):
    message = "the log of lab:llama, dual reward vo seed 0 has no 'reward'; choose from loss, class"
    with pytest.raises(UserError, match=message):
        training_curves("A title", logged, ["loss", "reward"])
