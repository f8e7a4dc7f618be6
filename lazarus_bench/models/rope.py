"""Rotary embeddings as transformers from version 5 writes them, told to mlx-lm in the older words.

Version 5 saves `rope_parameters` in place of `rope_theta` and `rope_scaling`. Most of mlx-lm's
classes know the older words only and would fall back to their own default base without a word, and
the lens check cannot see it: the model would be another one, consistently.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def older_rope(config: Mapping[str, Any]) -> dict[str, Any]:
    """The entries to add to a config.json so that mlx-lm turns queries and keys as it was trained.

    Entries that the configuration has already are left as they are. Where layers of whole and of
    sliding attention differ (Gemma 3), the older words for the latter are `rope_local_base_freq`.
    """
    added: dict[str, Any] = {}
    text = config.get("text_config")
    if isinstance(text, dict) and (inner := older_rope(text)):
        added["text_config"] = {**text, **inner}
    given = config.get("rope_parameters")
    if isinstance(given, dict):
        added |= {key: v for key, v in _words(given).items() if config.get(key) is None}
    return added


def _words(given: Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(whole := given.get("full_attention"), dict):
        local = given.get("sliding_attention") or {}
        return _words(whole) | _renamed(local, {"rope_theta": "rope_local_base_freq"})
    words = _renamed(given, {key: key for key in ("rope_theta", "partial_rotary_factor")})
    kind = given.get("rope_type", "default")
    return words if kind == "default" else {**words, "rope_scaling": {**given, "type": kind}}


def _renamed(given: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {new: given[old] for old, new in names.items() if old in given}
