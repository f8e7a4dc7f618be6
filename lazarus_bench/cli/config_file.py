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
    except yaml.YAMLError as error:
        why = " ".join(str(error).split())
        raise UserError(f"--config {named} is no YAML ({why}): mend it there") from error


class _Loader(yaml.SafeLoader):
    """YAML's safe loader, but for a key that comes twice: the first would be passed over."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Refuse two equal keys."""
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = next((key for at, key in enumerate(keys) if key in keys[:at]), None)
        if twice is not None:
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {twice!r} comes twice", node.start_mark
            )
        return super().construct_mapping(node, deep)
