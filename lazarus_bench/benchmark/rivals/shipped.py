"""mlx-lm as it is shipped, in a process where `models.mlp` has changed its gates."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from lazarus_bench.models import mlp


@contextlib.contextmanager
def as_shipped() -> Iterator[None]:
    """Within the block, mlx-lm's families compute their gates as mlx-lm does."""
    with _gates(_shipped_gates()):
        yield


@contextlib.contextmanager
def _gates(wanted: Mapping[str, Any]) -> Iterator[None]:
    changed: list[tuple[Any, str, Any]] = []
    for name, module in list(sys.modules.items()):
        if name.startswith("mlx_lm.models."):
            for gate, function in wanted.items():
                if vars(module).get(gate) is getattr(mlp, gate):
                    changed.append((module, gate, vars(module)[gate]))
                    setattr(module, gate, function)
    try:
        yield
    finally:
        for module, gate, function in changed:
            setattr(module, gate, function)


_FRESH: dict[str, Any] = {}


def _shipped_gates() -> Mapping[str, Any]:
    """mlx-lm's own gates, from a second copy of their module, once a process."""
    if not _FRESH:
        from mlx_lm.models import activations as patched

        spec = importlib.util.spec_from_file_location("_shipped_activations", patched.__file__)
        assert spec is not None
        assert spec.loader is not None
        fresh = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(fresh)
        _FRESH.update({name: getattr(fresh, name) for name in ("swiglu", "swiglu_oai")})
    return _FRESH
