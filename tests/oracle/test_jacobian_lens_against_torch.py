"""The Jacobian lens is that of torch's autograd on the same weights, read by transformers."""

import numpy as np
import pytest

from lazarus_bench.models.lenses import read_fitted
from lazarus_bench.models.load import load
from lazarus_bench.training import JacobianLens
from lazarus_bench.training.lens_texts import lens_texts, skipped

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

pytestmark = pytest.mark.oracle

SPEC = JacobianLens(examples=4, batch=2)


def their_jacobians(model, ids) -> np.ndarray:
    """Of one text, `[layer, d, d]`, an autograd pass a row."""
    kept = []
    hooks = [
        layer.register_forward_hook(lambda *told: kept.append(told[2])) for layer in model.layers
    ]
    embedded = model.embed_tokens(torch.tensor([ids])).detach().requires_grad_()
    model(inputs_embeds=embedded)
    for hook in hooks:
        hook.remove()
    states = [k[0] if isinstance(k, tuple) else k for k in kept]
    valid = slice(skipped(len(ids)), len(ids) - 1)
    total = states[-1][0, valid].sum(dim=0)
    rows = [torch.autograd.grad(x, states[:-1], retain_graph=True) for x in total]
    return np.array([[g[0, valid].mean(dim=0).numpy() for g in layer] for layer in zip(*rows)])  # noqa: B905


def test_every_layer_s_matrix(tiny, tmp_path):
    ours = load(tiny)
    texts = lens_texts(ours, None, 0, SPEC.examples, SPEC.max_length).texts
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32).eval()
    expected = np.mean([their_jacobians(theirs.model, list(ids)) for ids in texts], axis=0)
    SPEC.train(tiny, tmp_path, 0, show=False)
    lens = read_fitted(tmp_path, tiny)
    for layer, matrix in enumerate(expected):
        error = np.linalg.norm(np.array(lens.weights[layer]) - matrix) / np.linalg.norm(matrix)
        assert error < 1e-4
