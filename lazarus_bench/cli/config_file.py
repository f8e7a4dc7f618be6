"""--config FILE.yaml as YAML has it: read safely, and no key twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from lazarus_bench.errors import UserError


def read_yaml(named: str) -> Any:
    """The content of a YAML file; None where it is empty.

    Raises:
        UserError: it cannot be read, is no YAML, or has a key twice.
    """
    try:
        text = Path(named).expanduser().read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(
            f"--config {named} cannot be read ({error.strerror}): name a YAML file"
        ) from error
    except UnicodeDecodeError as error:
        raise UserError(f"--config {named} is not UTF-8: save it again so") from error
    try:
        return yaml.load(text, Loader=_Loader)  # a SafeLoader, see below
    except _TwiceError as error:
        raise UserError(f"--config {named} has {error}: leave one out") from error
    except yaml.YAMLError as error:
        raise UserError(f"--config {named} is no YAML ({_where(error)}): mend it there") from error


def _where(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return " ".join(str(error).split())
    return f"line {mark.line + 1}, column {mark.column + 1}: {getattr(error, 'problem', '')}"


class _TwiceError(Exception):
    """A key comes twice; it says which and where."""


class _Loader(yaml.SafeLoader):
    """YAML's safe loader, but for a key that comes twice: the first would be passed over."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Refuse two equal keys."""
        seen: list[Any] = []
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise _TwiceError(
                    f"the key {key} twice, again in line {key_node.start_mark.line + 1}"
                )
            seen.append(key)
        return super().construct_mapping(node, deep)
