"""Start a project of your own claims: one claim, one finding, one recipe, and CI that judges them.

Examples:
    lazarus-bench init my-claims
    cd my-claims && lazarus-bench run --published
"""

from __future__ import annotations

import importlib.util
import keyword
import re
import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from lazarus_bench.cli.flags import Json
from lazarus_bench.errors import UserError

STARTER = Path(__file__).parents[1] / "starter"
SUFFIX = ".tmpl"


def run(
    directory: Annotated[
        Path, Parameter(metavar="DIR", help="a folder that is empty or not there yet")
    ],
    /,
    *,
    as_json: Json = False,
) -> int:
    """Write the project, named after `directory`, and put its claim on record."""
    from lazarus_bench.cli import terminal
    from lazarus_bench.report.files import write_text

    folder = directory.expanduser().absolute()
    study = _name(folder)
    _check_empty(folder)
    words = {"STUDY": study, "PROJECT": study.replace("_", "-")}
    words |= {"FAMILY": words["PROJECT"], "KIND": words["PROJECT"]}
    written = []
    for template in sorted(STARTER.rglob(f"*{SUFFIX}")):
        name = str(template.relative_to(STARTER)).removesuffix(SUFFIX)
        file = folder / _filled(name, words)
        write_text(_filled(template.read_text(encoding="utf-8"), words), file, "project")
        written.append(file)
    written += _registered(folder / study)
    if as_json:
        terminal.write_document("init", directory=str(folder), files=list(map(str, written)))
        return 0
    lines = [f"written: {file.relative_to(folder)}" for file in written]
    into = shlex.quote(str(directory))
    then = f"next: cd {into} && lazarus-bench run --published; README.md has the rest"
    terminal.write("\n".join([*lines, then]))
    return 0


def _filled(text: str, words: dict[str, str]) -> str:
    return re.sub(r"\b(?:STUDY|PROJECT|FAMILY|KIND)\b", lambda found: words[found[0]], text)


def _name(folder: Path) -> str:
    """The Python package that a folder's name makes.

    Raises:
        UserError: it makes none, or one that is installed already.
    """
    name = re.sub(r"\W+", "_", folder.name.lower(), flags=re.ASCII).strip("_")
    remedy = "choose another, such as my-claims"
    if not name.isidentifier() or keyword.iskeyword(name):
        raise UserError(f"{folder.name!r} makes no name of a Python package: {remedy}")
    if importlib.util.find_spec(name) is not None:
        raise UserError(f"{name} is a Python package that is installed already: {remedy}")
    return name


def _check_empty(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file: name a folder that is empty or not there yet")
    if folder.is_dir() and any(folder.iterdir()):
        raise UserError(f"{folder} is not empty: name a folder that is empty or not there yet")


def _registered(study: Path) -> list[Path]:
    """The registry beside the claims, written."""
    from lazarus_bench.claims.claim_files import read_claims
    from lazarus_bench.report.files import write_text
    from lazarus_bench.report.registry import (
        FILE,
        PAGE,
        drawn_up,
        put_on_record,
        render_registry,
        to_text,
    )

    today = datetime.now(UTC).date().isoformat()
    claims = put_on_record(drawn_up(read_claims(study)), None, on=today, known=None, seen=None)
    write_text(to_text(claims), study / FILE, "registry")
    write_text(render_registry(claims), study / PAGE, "registry")
    return [study / FILE, study / PAGE]
