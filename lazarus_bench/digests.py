"""Digests of everything that determines a result: hashes of frozen records in canonical JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any


def digest_of(canonical: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical JSON of plain values, 64 hexadecimal digits."""
    text = json.dumps(canonical, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def canonical_recipe(recipe: Any) -> dict[str, Any]:
    """Every field of a recipe that counts in a comparison, with its kind and version."""
    return {"kind": recipe.kind, "version": recipe.version, "recipe": _fields_of(recipe)}


def _fields_of(record: Any) -> dict[str, Any]:
    """The compared fields of a record; a record in a field is nested.

    A field that was `added` later counts where it is not at its default, so that older records keep
    their digests. Equal numbers are of one type here (`training.recipe`), so that JSON writes them
    alike.
    """
    values = {
        item.name: getattr(record, item.name)
        for item in fields(record)
        if item.compare
        and not (item.metadata.get("added") and getattr(record, item.name) == item.default)
    }
    return {
        name: _fields_of(v) if is_dataclass(v) and not isinstance(v, type) else v
        for name, v in values.items()
    }
