"""The modules of a folder of claim files, imported by path and forgotten afterwards.

A study may be a package: its files then import one another relatively, as they do under pytest. A
folder that is none imports what is beside a file by name. Modules live under a name of our own
while they are read, so that neither a package of the same name nor pytest's copies get in the way.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import lazarus_bench
from lazarus_bench.errors import UserError

_NAME = "lazarus_bench_claim_files"
_PACKAGE = "__init__.py"


@contextmanager
def imported(directory: Path) -> Iterator[Callable[[Path], ModuleType]]:
    """A function that imports a file of `directory`, each file's siblings being imported once.

    The function raises UserError when a file cannot be imported.
    """
    here = directory.resolve()
    around = _top(here).parent
    parent = ModuleType(_NAME)
    parent.__path__ = [str(around)]

    def read(file: Path) -> ModuleType:
        place = here / file.relative_to(directory)
        base = _base(place)
        inside = place.relative_to(around).with_suffix("").parts
        spec = importlib.util.spec_from_file_location(".".join((_NAME, *inside)), file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.path.insert(0, base)
        sys.modules[spec.name] = module
        try:
            spec.loader.exec_module(module)
        except UserError:
            raise
        except Exception as error:
            raise UserError(
                f"cannot read the claims of {file} ({type(error).__name__}: {error}): mend the file"
            ) from error
        finally:
            sys.path.remove(base)
        return module

    sys.modules[_NAME] = parent
    try:
        yield read
    finally:
        for name in [name for name in sys.modules if f"{name}.".startswith(f"{_NAME}.")]:
            del sys.modules[name]


def _top(directory: Path) -> Path:
    """The outermost package around `directory`, ours excepted, which holds the study in a wheel."""
    ours = Path(lazarus_bench.__file__).resolve().parent
    while (directory / _PACKAGE).exists() and (directory.parent / _PACKAGE).exists():
        if directory.parent == ours:
            break
        directory = directory.parent
    return directory


def _base(file: Path) -> str:
    """The folder that pytest would put on the path: the innermost that is no package."""
    return str(next(folder for folder in file.parents if not (folder / _PACKAGE).exists()))
