"""A claim's history: which verdicts are post hoc by it."""

import pytest

from lazarus_bench.claims.history import Event, post_hoc

HISTORY = (
    Event(on="2026-01-01"),
    Event(on="2026-01-02", changed=("region ≥ 0 → ≥ 0.1",), known="a look", seen=(0, 1)),
    Event(on="2026-01-03", changed=("estimand",), known="the report", seen=(0, 4)),
    Event(on="2026-01-04", changed=("its trainings",), known="nothing"),
)


@pytest.mark.parametrize(
    ("seeds", "events"),
    [
        (range(5), [1, 2]),
        (range(2, 5), [2]),
        (range(4, 9), [2]),
        (range(5, 10), []),
        (range(200, 205), []),
        (range(0), []),
    ],
)
def test_what_was_fixed_when_a_seeds_numbers_were_known_is_post_hoc(seeds, events):
    assert post_hoc(HISTORY, seeds) == tuple(str(HISTORY[at]) for at in events)


def test_events_read_as_sentences():
    assert [str(event) for event in HISTORY] == [
        "2026-01-01 registered",
        "2026-01-02 amended: region ≥ 0 → ≥ 0.1; known: a look (seeds 0 to 1)",
        "2026-01-03 amended: estimand; known: the report (seeds 0 to 4)",
        "2026-01-04 amended: its trainings; known: nothing",
    ]


@pytest.mark.parametrize("wrong", [{"on": "yesterday"}, {"on": "2026-01-01", "seen": (4, 0)}])
def test_what_is_no_day_or_no_range_is_refused(wrong):
    with pytest.raises(ValueError, match=r"yesterday|no range"):
        Event(**wrong)
