"""The tuned lens: what it converges to is known where the model above a layer is linear."""

import numpy as np
import pytest
from trainings import made

from lazarus_bench.analysis.lens import fitted_on, read_lens
from lazarus_bench.backend import mx, nn
from lazarus_bench.models.anatomy import Anatomy
from lazarus_bench.models.lenses import read_fitted
from lazarus_bench.models.load import LoadedModel, load, with_lens
from lazarus_bench.training import TunedLens, tuned_lens

SPEC = TunedLens(examples=64, batch=8, steps=30, learning_rate=3e-3)
WIDTH, VOCABULARY = 4, 24


class Linear(nn.Module):
    """A block that multiplies the residual by a matrix and adds a vector."""

    def __init__(self, weight, bias):
        super().__init__()
        self.weight, self.bias = weight, bias

    def __call__(self, hidden, *rest):
        return hidden @ self.weight.T + self.bias


class Toy(nn.Module):
    """Tokens of random residuals, two linear blocks, no norm, and a random unembedding."""

    def __init__(self):
        super().__init__()
        rng = np.random.default_rng(0)

        def drawn(*shape, size=1.0):
            return mx.array((size * rng.normal(size=shape)).astype(np.float32))

        self.embed = nn.Embedding(VOCABULARY, WIDTH)
        self.embed.weight = drawn(VOCABULARY, WIDTH, size=0.7)
        self.head = nn.Linear(WIDTH, VOCABULARY, bias=False)
        self.head.weight = drawn(VOCABULARY, WIDTH, size=0.5)
        self.norm = nn.Identity()
        self.layers = [
            Linear(mx.eye(WIDTH) + drawn(WIDTH, WIDTH, size=0.3), drawn(WIDTH, size=0.7))
            for _ in range(2)
        ]

    def __call__(self, tokens, *rest):
        hidden = self.embed(tokens)
        for layer in self.layers:
            hidden = layer(hidden)
        return self.head(self.norm(hidden))


class Letters:
    """A tokenizer of one token a letter, each about as frequent as another."""

    eos_token_id = None

    def encode(self, text, add_special_tokens=True):
        return [(ord(letter) + 7 * at) % VOCABULARY for at, letter in enumerate(text)]


@pytest.fixture
def toy(monkeypatch, tmp_path):
    anatomy = Anatomy(layers="layers", norm="norm", embedding="embed", unembedding="head")
    loaded = LoadedModel(name="toy", model=Toy(), tokenizer=Letters(), config={}, anatomy=anatomy)
    monkeypatch.setattr(tuned_lens, "load", lambda _: loaded)
    monkeypatch.setattr(tuned_lens, "weights_digest", lambda _: "toy")
    return loaded


@pytest.mark.parametrize("bias_only", [False, True])
def test_it_reaches_the_closed_form_of_a_linear_model(toy, tmp_path, bias_only, monkeypatch):
    """Above layer 0 the model is h ↦ M h + c, and a lens is M and c when it diverges by nothing.

    With M the identity, c alone is left to find.
    """
    block = toy.model.layers[1]
    if bias_only:
        block.weight = mx.eye(WIDTH)
    spec = TunedLens(examples=160, batch=20, steps=700, learning_rate=0.2, bias_only=bias_only)
    out = made(tmp_path / "out", spec, tmp_path)
    monkeypatch.setattr("lazarus_bench.models.lenses.weights_digest", lambda _: "toy")
    lens = read_fitted(out, tmp_path)
    assert lens.layers == (0,)
    assert lens.about["kl_untuned"]["0"] > 0.1 > 1e-4 > lens.about["kl"]["0"]
    np.testing.assert_allclose(lens.biases[0], block.bias, atol=0.02)
    if bias_only:
        assert not lens.weights
    else:
        np.testing.assert_allclose(lens.weights[0], block.weight, atol=0.02)


def test_it_starts_as_the_identity_and_comes_nearer(tiny, tmp_path):
    lens = read_fitted(made(tmp_path / "out", SPEC, tiny), tiny)
    assert lens.layers == (0, 1, 2)
    before, after = lens.about["kl_untuned"], lens.about["kl"]
    assert all(after[layer] < before[layer] for layer in before)
    assert lens.about["text"]["texts"] == 56
    assert lens.about["held_out"]["texts"] == 8
    assert "on held-out text, KL" in fitted_on({"kind": lens.kind, **lens.about})
    still = TunedLens(examples=16, batch=4, steps=1, learning_rate=1e-30)
    untouched = read_fitted(made(tmp_path / "still", still, tiny), tiny)
    prompts, targets = [load(tiny).encode("7 * 8 = ")], np.arange(20)[None]
    plain, read = (
        read_lens(m, prompts, targets) for m in (load(tiny), with_lens(load(tiny), untouched))
    )
    np.testing.assert_allclose(plain.probability, read.probability, rtol=1e-5)


def test_the_label_says_what_is_unusual():
    spec = TunedLens(bias_only=True, layers=(4, 5))
    assert (TunedLens().label, spec.label) == ("tuned lens", "tuned lens, bias only L4,5")
