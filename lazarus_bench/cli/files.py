"""Files that a command reads and writes."""

from pathlib import Path

from lazarus_bench.errors import UserError

REPORT = "report.json"


def report_file(named: str | Path) -> Path:
    """The report.json of a folder, or the file that is named itself."""
    path = Path(named).expanduser()
    return path / REPORT if path.is_dir() else path


def check_apart(output: str | Path | None, *read: Path) -> None:
    """Make sure that `--output` names none of the files that are read, links followed.

    Raises:
        UserError: It does, and would overwrite it.
    """
    if output is None:
        return
    written = Path(output).expanduser().resolve()
    for path in read:
        if path.expanduser().resolve() == written:
            raise UserError(
                f"--output {output} is the report that is read, and writing it would destroy it: "
                f"name another file"
            )
