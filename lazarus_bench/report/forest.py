"""Claims pooled over model families in Markdown: each family, and below them what they pool to."""

from collections.abc import Iterator, Sequence

from lazarus_bench.judge import Pooled
from lazarus_bench.report import printed, wording
from lazarus_bench.report.escaping import code, prose
from lazarus_bench.report.layout import fold, table
from lazarus_bench.report.pictures import place
from lazarus_bench.report.rows import PooledClaim, PooledFamily

_READING = (
    "Random effects over model families: the mean with its Hartung–Knapp interval (95%), τ the "
    "standard deviation of the families' true values, I² the share of their spread that is not "
    "sampling error. Standard errors are of the sampling alone and grow by t/1.96 for few units; "
    "an estimate that knows none has that of a normal with its 95% interval. The scale is the "
    "estimand's own, so an interval may pass the end of it. The families were chosen, not "
    "drawn: what they pool to describes them and has no verdict."
)


def forest(items: Sequence[PooledClaim]) -> Iterator[str]:
    """Fold the pooled claims into one table and what there is to say about each."""
    if items:
        header = ("Claim", "Family", "Estimate", "Standard error", "Weight")
        lines = (line for item in items for line in _lines(item))
        shown = table(header, lines, right="  rrr")
        notes = (f"- {code(item.claim_id)}: {_notes(item)}" for item in items)
        drawn = (f"![families of {code(i.claim_id)}]({place('forest', i.claim_id)})" for i in items)
        parts = [_READING, "", shown, "", *notes, "", "\n\n".join(drawn)]
        yield fold("Pooled over families", iter(parts))


def pooled_cells(item: PooledClaim) -> list[str]:
    """The cells of the claims table, from the subject on, for what a claim pools to."""
    if item.result is None:
        return ["not pooled", *[""] * 6]
    found = item.result
    spread = f"τ {printed.number(found.tau)}, I² {printed.share(found.i2)}"
    interval = wording.interval(found.interval, found.value)
    return [
        heading(found.families),
        f"{found.families} families",
        f"{_value(found)}<br><sub>95%: {interval}; {spread}</sub>",
        "",
        "",
        "no verdict",
        "",
    ]


def heading(families: int) -> str:
    """What a pooled estimate is called."""
    return f"Pooled over {families} families"


def _lines(item: PooledClaim) -> Iterator[list[str]]:
    weights = item.result.weights if item.result else [None] * len(item.families)
    for position, (family, weight) in enumerate(zip(item.families, weights, strict=True)):
        yield [code(item.claim_id) if position == 0 else "", *_family(family, weight)]
    if item.result:
        value = f"{_value(item.result)} {wording.interval(item.result.interval, item.result.value)}"
        yield ["", f"**{heading(item.result.families)}**", value, "", ""]


def _family(family: PooledFamily, weight: float | None) -> list[str]:
    subjects = ", ".join(map(code, family.subjects))
    name = f"{prose(family.name)} ({subjects})"
    value, error = printed.numbers([family.value, family.standard_error])
    return [name, value, error, "" if weight is None else printed.share(weight)]


def _value(found: Pooled) -> str:
    return printed.numbers([found.value, found.interval.low, found.interval.high])[0]


def _notes(item: PooledClaim) -> str:
    left_out = (f"{code(subject)} left out ({prose(why)})" for subject, why in item.left_out)
    return "; ".join([*_spread(item), *left_out])


def _spread(item: PooledClaim) -> Iterator[str]:
    found = item.result
    if found is None:
        yield "not pooled, since that takes two families with an interval"
        return
    low, high = printed.share(found.i2_interval.low), printed.share(found.i2_interval.high)
    yield f"τ {printed.number(found.tau)}"
    yield f"I² {printed.share(found.i2)} [{low}, {high}]"
    yield f"Q {printed.number(found.q)} on {found.families - 1}"
    if found.prediction:
        yield f"another such family {wording.interval(found.prediction, found.value)}"
