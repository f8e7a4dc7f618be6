"""Grids: every column is shown once, and no line is wider than there is room for."""

from hypothesis import given
from hypothesis import strategies as st

from lazarus_bench.figures.tables import cut, grid, hundredths

CELLS = st.text("abc", min_size=1, max_size=9)


def test_columns_that_do_not_fit_side_by_side_stand_below():
    shown = grid(["t", "L0", "L1", "L2"], [["7", "e1", "e22", "e3"], ["*", "e4", "e5", "e6"]], 9, 1)
    assert shown == "t  L0\n7  e1\n*  e4\n\nt  L1\n7  e22\n*  e5\n\nt  L2\n7  e3\n*  e6"


def test_wide_characters_take_two_columns():
    shown = grid(["token", "L0"], [["数学", "a"], ["🙂", "b"], ["ab", "c"]], 40, 1)
    assert shown == "token  L0\n数学   a\n🙂     b\nab     c"
    assert cut("数学数学", 6) == "数学…"
    assert cut("数学数学", 8) == "数学数学"
    assert cut("a数", 1) == cut("数数", 2) == "…"


def test_hundredths_have_one_zero_and_the_fields_own_minus():
    values = (0.966, -0.021, -0.004, 0.0, 12.0, float("nan"))
    assert [*map(hundredths, values)] == ["0.97", "−0.02", "0.00", "0.00", "12.00", "nan"]


@given(
    rows=st.lists(st.lists(CELLS, min_size=6, max_size=6), min_size=1, max_size=4),
    kept=st.integers(1, 2),
    room=st.integers(30, 90),
)
def test_every_column_is_shown_once_within_the_room(rows, kept, room):
    header = [f"h{at}" for at in range(6)]
    shown = grid(header, rows, room, kept)
    assert max(map(len, shown.splitlines())) <= room
    for at, name in enumerate(header):
        assert shown.split().count(name) == (1 if at >= kept else shown.count("\n\n") + 1)
    assert "no room for" not in shown
