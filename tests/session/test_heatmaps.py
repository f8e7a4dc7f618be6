import numpy as np
import pytest

from lazarus_bench.session.run import Run
from lazarus_bench.session.shown import EACH, lens_heatmap
from lazarus_bench.tasks.arithmetic import Operation, held_out, sample_prompts

PROBLEMS = tuple(held_out(40, 0))


@pytest.fixture(scope="module")
def runs(tiny):
    """Two seeds of one untrained model: the second with other random weights."""
    first = Run(name="tiny seed 0", seed=0, directory=tiny)
    return [first, Run(name="tiny seed 1", seed=1, directory=tiny, random=True)]


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
