"""What a command writes lies apart from what it reads."""

from pathlib import Path

from lazarus_bench.errors import UserError


def check_apart(output: str | None, *read: Path) -> None:
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
                f"--output {output} is the report that is read, which it would overwrite: name "
                f"another file"
            )
