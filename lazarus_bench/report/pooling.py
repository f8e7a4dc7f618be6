"""One claim's estimates on models of different families, pooled, and their Markdown."""

from collections.abc import Iterable, Iterator, Sequence

from lazarus_bench.judge import Estimate, Outcome, Pooled
from lazarus_bench.judge.pool import composite, obstacle, pool, standard_error
from lazarus_bench.report import printed, wording
from lazarus_bench.report.markup import code, fold, prose, table
from lazarus_bench.report.pictures import place
from lazarus_bench.report.schema import PooledClaim, PooledFamily, Row
from lazarus_bench.report.summary import PUBLISHED, claims


def pool_rows(rows: Iterable[Row]) -> tuple[PooledClaim, ...]:
    """Pool every claim that has an estimate on models of two families or more.

    Published numbers are not pooled. Several subjects of one family count once, by their mean.
    """
    estimated = (r for r in rows if r.subject != PUBLISHED and r.verdict.estimate is not None)
    return tuple(
        _pooled(claim_id, group)
        for claim_id, group in claims(estimated).items()
        if len(set(map(model_family, group))) > 1
    )


def model_family(row: Row) -> str:
    """The model family of a row's subject: by its config where that is known, else by its name.

    A lab model is of its base's family: lab:gpt-oss and lab:gpt-oss-instruct are both gpt_oss.
    """
    if row.architecture or not row.subject.startswith("lab:"):
        return row.architecture or row.subject
    return row.subject.removeprefix("lab:").removesuffix("-instruct").replace("-", "_")


def _pooled(claim_id: str, group: tuple[Row, ...]) -> PooledClaim:
    left_out: list[tuple[str, str]] = []
    usable: dict[str, list[tuple[str, Estimate]]] = {}
    for row in group:
        assert row.verdict.estimate is not None
        invalid = row.verdict.outcome == Outcome.INVALID
        reason = "its evidence is invalid" if invalid else obstacle(row.verdict.estimate)
        if reason:
            left_out.append((row.subject, reason))
        else:
            usable.setdefault(model_family(row), []).append((row.subject, row.verdict.estimate))
    members = []
    for name, own in usable.items():
        subjects, estimates = zip(*own, strict=True)
        value, error = composite([e.value for e in estimates], list(map(standard_error, estimates)))
        members.append(
            PooledFamily(name=name, subjects=subjects, value=value, standard_error=error)
        )
    values, errors = [m.value for m in members], [m.standard_error for m in members]
    return PooledClaim(
        claim_id=claim_id,
        families=tuple(members),
        left_out=tuple(left_out),
        result=pool(values, errors) if len(members) > 1 else None,
    )


_READING = (
    "Random effects over model families: the mean with its Hartung–Knapp interval (95%), τ the "
    "standard deviation of the families' true values, I² the share of their spread that is not "
    "sampling error. Standard errors are of the sampling alone and grow by t/1.96 for few units; "
    "an estimate that knows none has that of a normal with its 95% interval. The scale is the "
    "estimand's own, so an interval may pass the end of it. The families were chosen, not "
    "drawn: what they pool to describes them and has no verdict."
)


def forest(items: Sequence[PooledClaim]) -> Iterator[str]:
    """Fold the pooled claims into one table with a note on each."""
    if items:
        header = ("Claim", "Family", "Estimate", "Standard error", "Weight")
        lines = (line for item in items for line in _lines(item))
        shown = table(header, lines, right="  rrr")
        notes = (f"- {code(item.claim_id)}: {'; '.join(_notes(item))}" for item in items)
        drawn = (f"![families of {code(i.claim_id)}]({place('forest', i.claim_id)})" for i in items)
        parts = [_READING, "", shown, "", *notes, "", "\n\n".join(drawn)]
        yield fold("Pooled over families", iter(parts))


def pooled_cells(item: PooledClaim) -> list[str]:
    """The cells of the claims table, from the subject on, for a pooled estimate."""
    if item.result is None:
        return ["not pooled", *[""] * 6]
    found = item.result
    spread = f"τ {printed.number(found.tau)}, I² {printed.share(found.i2)}"
    interval = wording.interval(found.interval, found.value)
    return [
        f"Pooled over {found.families} families",
        f"{found.families} families",
        f"{_value(found)}<br><sub>95%: {interval}; {spread}</sub>",
        "",
        "",
        "no verdict",
        "",
    ]


def _lines(item: PooledClaim) -> Iterator[list[str]]:
    weights = item.result.weights if item.result else [None] * len(item.families)
    for position, (family, weight) in enumerate(zip(item.families, weights, strict=True)):
        name = f"{prose(family.name)} ({', '.join(map(code, family.subjects))})"
        value, error = printed.numbers([family.value, family.standard_error])
        share = "" if weight is None else printed.share(weight)
        yield [code(item.claim_id) if position == 0 else "", name, value, error, share]
    if item.result:
        value = f"{_value(item.result)} {wording.interval(item.result.interval, item.result.value)}"
        yield ["", f"**Pooled over {item.result.families} families**", value, "", ""]


def _value(found: Pooled) -> str:
    return printed.numbers([found.value, found.interval.low, found.interval.high])[0]


def _notes(item: PooledClaim) -> Iterator[str]:
    found = item.result
    left_out = (f"{code(subject)} left out ({prose(why)})" for subject, why in item.left_out)
    if found is None:
        yield "not pooled, since that takes two families with an interval"
        yield from left_out
        return
    low, high = printed.share(found.i2_interval.low), printed.share(found.i2_interval.high)
    yield f"τ {printed.number(found.tau)}"
    yield f"I² {printed.share(found.i2)} [{low}, {high}]"
    yield f"Q {printed.number(found.q)} on {found.families - 1}"
    if found.prediction:
        yield f"another such family {wording.interval(found.prediction, found.value)}"
    yield from left_out
