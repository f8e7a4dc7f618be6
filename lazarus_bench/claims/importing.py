"""The modules of a folder of claim files, imported by path and forgotten afterwards.

A study may be a package: its files then import one another relatively, as they do under pytest. In
any other folder a file imports its siblings by name. While they are read, modules live under a
private name, so that neither a package of the same name nor pytest's copies get in the way.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

import lazarus_bench
from lazarus_bench.errors import UserError

_NAME = "lazarus_bench_claim_files"
_PACKAGE = "__init__.py"


class _FromSource(SourceFileLoader):
    """Compiles the source: cached bytecode, keyed by whole seconds and size, can hide an edit."""

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002 - the loader's own signature
        return self.source_to_code(self.get_data(self.path), self.path)


class _Finder:
    """Compiles from source what claim files import from `base` or from one another."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.found = [_NAME]

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package = name.rpartition(".")[0]
        if package and package not in self.found and not package.startswith(f"{_NAME}."):
            return None
        spec = PathFinder.find_spec(name, path if package else [self.base], target)
        if spec is None or not isinstance(spec.loader, SourceFileLoader):
            return None
        spec.loader = _FromSource(name, spec.loader.path)
        self.found.append(name)
        return spec


@contextmanager
def imported(directory: Path) -> Iterator[Callable[[Path], ModuleType]]:
    """A function that imports a file of `directory`, its siblings once; UserError if it cannot."""
    here = directory.resolve()
    around = _top(here).parent
    parent = ModuleType(_NAME)
    parent.__path__ = [str(around)]
    imports: list[str] = []

    def read(file: Path) -> ModuleType:
        place = here / file.relative_to(directory)
        # The folder that pytest would put on the path: the innermost that is no package.
        base = str(next(up for up in place.parents if not (up / _PACKAGE).exists()))
        inside = place.relative_to(around).with_suffix("").parts
        name = ".".join((_NAME, *inside))
        loader = _FromSource(name, str(file))
        spec = importlib.util.spec_from_file_location(name, file, loader=loader)
        assert spec is not None
        module = importlib.util.module_from_spec(spec)
        finder = _Finder(base)
        sys.meta_path.insert(0, finder)
        sys.path.insert(0, base)
        sys.modules[name] = module
        try:
            loader.exec_module(module)
        except (UserError, KeyboardInterrupt):
            raise
        except BaseException as error:  # pytest.skip and sys.exit too
            raise UserError(
                f"cannot read the claims of {file} ({type(error).__name__}: {error}): fix the file"
            ) from error
        finally:
            sys.meta_path.remove(finder)
            sys.path.remove(base)
            imports.extend(finder.found)
        return module

    sys.modules[_NAME] = parent
    try:
        yield read
    finally:
        for name in [name for name in sys.modules if f"{name}.".startswith(f"{_NAME}.")]:
            del sys.modules[name]
        for name in imports:
            sys.modules.pop(name, None)


def _top(directory: Path) -> Path:
    """The outermost package around `directory`, except ours, which holds the study in a wheel."""
    ours = Path(lazarus_bench.__file__).resolve().parent
    while (directory / _PACKAGE).exists() and (directory.parent / _PACKAGE).exists():
        if directory.parent == ours:
            break
        directory = directory.parent
    return directory
