"""Judge results that you have: CSV, JSON Lines, Parquet, logs of lm-eval and Inspect.

No model is needed. A file is an arm of the comparison and FILEs of the same ARM are its runs,
unless columns say otherwise; one arm's mean is judged, or that of the first minus that of the
second. A folder of a report, or its evidence.npz, is judged again.

Examples:
    lazarus-bench judge new.csv old.csv --region '> 0'
    lazarus-bench judge a.jsonl b.jsonl --paired-by doc_id --region '> 0'
    lazarus-bench judge new=seed0.csv new=seed1.csv old=base.csv --region '>= 0.02'
    lazarus-bench judge scores.parquet --claims claims.toml --report results
    lazarus-bench judge reports/lab --family 40

Exit codes:
    0  judged: no verdict is what --fail-on names
    1  a verdict is what --fail-on names; the report is written all the same
    2  bad input: one sentence names the file, the column and the row
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter

from lazarus_bench.cli.flags import Json, Line, Written, number
from lazarus_bench.errors import UserError

if TYPE_CHECKING:
    from lazarus_bench.report.schema import Report
    from lazarus_bench.results.judged import Statement
    from lazarus_bench.results.table import Columns

MOST_VERDICTS = 10**6
"""Of a family: of more, the level of each would be lost in rounding."""

_COLUMNS = Group("Columns and metrics", sort_key=3)


def _column(name: str, help: str, metavar: str = "COLUMN") -> Any:
    return Parameter(name=name, metavar=metavar, help=help, group=_COLUMNS)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Named:
    """The columns that the user names."""

    item: Annotated[
        str | None,
        _column("--paired-by", "the items (default: item, lm-eval's doc_id, Inspect's id)"),
    ] = None
    run: Annotated[str | None, _column("--run", "the runs (default: run or seed)")] = None
    arm: Annotated[str | None, _column("--arm", "the arms (default: arm)")] = None
    clusters: Annotated[
        str | None,
        _column("--clusters", "clusters of items, each of which counts once (default: cluster)"),
    ] = None
    value: Annotated[
        str | None,
        _column("--value", "the values, lm-eval's metric or Inspect's scorer (default: value)"),
    ] = None
    chosen: Annotated[str | None, _column("--filter", "the filter of lm-eval", "NAME")] = None

    def columns(self) -> Columns:
        """The same for the readers."""
        from lazarus_bench.results.table import Columns

        return Columns(**vars(self))


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Claimed:
    """What is claimed."""

    region: Annotated[
        str | None,
        Parameter(metavar="REGION", help="where the number has to be: '> 0', '[-0.01, 0.01]'"),
    ] = None
    claims: Annotated[
        Path | None,
        Parameter(metavar="FILE.toml|FILE.yaml", help="a file of claims, in place of --region"),
    ] = None
    arms: Annotated[
        str | None, Parameter(metavar="A,B", help="the arms, where there are more (A minus B)")
    ] = None
    unpaired: Annotated[bool, Parameter(help="the arms have items of their own")] = False
    family: Annotated[
        int | None, number("verdicts that share the level (default: as many as are judged)")
    ] = None
    looks: Annotated[
        str | None,
        Parameter(metavar="N,N", help="registered numbers of runs, which share the level"),
    ] = None

    def __post_init__(self) -> None:
        """Refuse what cannot be together."""
        if self.region is not None and self.claims is not None:
            raise UserError("--region states a claim and --claims names others: give one of them")
        stated = self.arms or self.unpaired or self.looks
        if self.claims is not None and stated:
            raise UserError(
                "--arms, --unpaired and --looks are part of a claim: write them into the file"
            )
        if self.family is not None and not 1 <= self.family <= MOST_VERDICTS:
            raise UserError(
                f"--family {self.family} is no number of verdicts: give 1 to {MOST_VERDICTS}"
            )

    def statements(self, value: str | None) -> tuple[Statement, ...] | None:
        """The claims; None where none is stated."""
        from lazarus_bench.results.judged import Statement, statements

        if self.claims is not None:
            return statements(_content(self.claims), str(self.claims))
        if self.region is None:
            return None
        try:
            return (
                Statement(
                    id=f"results/{(value or 'value').replace('/', '-')}",
                    region=self.region,
                    arms=tuple(filter(None, (self.arms or "").split(","))),
                    pairing="none" if self.unpaired else "item",
                    looks=tuple(map(_whole, filter(None, (self.looks or "").split(",")))),
                ),
            )
        except ValueError as error:
            raise UserError(f"{error}") from error


def _whole(text: str) -> int:
    if not (text.strip().isascii() and text.strip().isdecimal()):
        raise UserError(f"--looks {text} is no number of runs: give such as 5,10,20")
    return int(text)


def _content(file: Path) -> Any:
    """What a file of claims holds."""
    from lazarus_bench.cli.inputs import read_toml, read_yaml

    if file.suffix.lower() in (".yaml", ".yml"):
        return read_yaml(str(file), "--claims")
    return read_toml(str(file), "--claims")


def run(
    files: Annotated[list[str], Parameter(metavar="FILE", help="a file, or ARM=FILE")],
    /,
    *,
    claimed: Claimed = Claimed(),
    named: Named = Named(),
    asked: Written = Written(),
    as_json: Json = False,
    line: Line,
) -> int:
    """Judge the results in `files`."""
    from lazarus_bench.cli import judging, terminal
    from lazarus_bench.report.written import write_report
    from lazarus_bench.session.judging import fails

    if asked.report is not None:
        asked.check_report()
    with terminal.busy("judging the results"):
        report = _report(files, claimed, named, str(line))
        written = [] if asked.report is None else write_report(report, asked.report.expanduser())
    code = int(any(fails(row, asked.fail_on) for row in report.rows))
    if as_json:
        terminal.write_document(
            line.command,
            exit_code=code,
            report=str(written[0]) if written else None,
            verdicts=[judging.record(row) for row in report.rows],
        )
        return code
    lines = [*judging.shown(report), "", f"{judging.tally(report.rows)}{_levels(report)}"]
    told = judging.why(report.rows, asked.fail_on)
    ends = [f"written: {written[-1]}"] if written else []
    terminal.write("\n".join([*lines, *told, *ends]))
    return code


def _levels(report: Report) -> str:
    """The levels of the intervals, which no reader should have to guess."""
    levels = sorted({row.verdict.level for row in report.rows if row.verdict.estimate})
    shown = [f"{100 * level:.6g}%" for level in (levels[:1] + levels[1:][-1:])]
    return f"; intervals at {' to '.join(shown)}" if shown else ""


def _report(files: list[str], claimed: Claimed, named: Named, command: str) -> Report:
    from lazarus_bench.results.files import sources
    from lazarus_bench.results.judged import judge_files
    from lazarus_bench.results.sidecar import judge_again, sidecar

    stated = claimed.statements(named.value)
    kept = [sidecar(file) for file in files]
    if kept[0] is not None:
        if len(files) > 1 or named != Named() or claimed.arms or claimed.unpaired or claimed.looks:
            raise UserError(
                f"{files[0]} is judged as it was sampled: name no other file, and of claims the "
                f"region and family alone"
            )
        region = stated[0].place if stated and claimed.region is not None else None
        chosen = None if claimed.claims is None else stated
        return judge_again(kept[0], command, region=region, stated=chosen, verdicts=claimed.family)
    if stated is None:
        raise UserError(
            "no claim is stated: say where the number has to be with --region, or give --claims"
        )
    return judge_files(sources(files), stated, named.columns(), command, verdicts=claimed.family)
