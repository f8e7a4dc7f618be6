"""A randomly initialised model of the same configuration: the control beside a lens or a probe."""

from __future__ import annotations

from dataclasses import replace

from lazarus_bench import backend
from lazarus_bench.backend import mx
from lazarus_bench.models import activations
from lazarus_bench.models.load import LoadedModel

SEED = 0


def randomise(loaded: LoadedModel, seed: int = SEED) -> LoadedModel:
    """The same architecture, tokenizer and dtype with weights as the family initialises them."""
    from mlx_lm.utils import _get_classes

    activations.install()
    backend.seed(seed)
    model_class, arguments = _get_classes(loaded.config)
    model = model_class(arguments.from_dict(loaded.config))
    model.eval()
    mx.eval(model.parameters())
    return replace(loaded, name=f"{loaded.name}, random weights", model=model)
