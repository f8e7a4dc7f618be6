"""The Jacobian lens is the mean derivative, whoever takes it; a fitted one reads its own model."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
from families import made as family_model
from trainings import made

from lazarus_bench.analysis.emergence import read_emergence
from lazarus_bench.analysis.lens import read_lens
from lazarus_bench.backend import mx
from lazarus_bench.errors import UserError
from lazarus_bench.models.edits import Add
from lazarus_bench.models.lenses import ABOUT, FILE, read_fitted
from lazarus_bench.models.load import load, with_lens
from lazarus_bench.models.published_lenses import read_published
from lazarus_bench.models.taps import edited, residual_stream
from lazarus_bench.training import JacobianLens
from lazarus_bench.training.jacobian_lens import jacobians
from lazarus_bench.training.lens_texts import SINKS, lens_batch, lens_texts, skipped

SPEC = JacobianLens(examples=12, batch=6)
TEXTS = [(1, 5, 9, 2, 7), (1, 4, 4, 8), (1, 3, 2), tuple(range(1, 12))]


@pytest.fixture(scope="module")
def fitted(tiny, tmp_path_factory):
    return made(tmp_path_factory.mktemp("lens") / "out", SPEC, tiny)


def differences(loaded, layer, batch, direction, step=1e-2):
    """J v of each text, (F(+step v) − F(−step v)) / 2 step: F sums h_L over valid targets."""
    valid = (np.array(batch.weights) > 0)[..., None]

    def total(size):
        by = mx.array(np.float32(size) * valid * direction)
        with edited(loaded.model, loaded.anatomy, [Add(layer=layer, change=by)]):
            last = residual_stream(loaded.model, loaded.anatomy, batch.tokens)[-1]
        return (np.array(last).astype(np.float64) * valid).sum(axis=1)

    return (total(step) - total(-step)) / (2 * step) / valid.sum(axis=1)


@pytest.mark.parametrize("family", ["llama", "gemma2", "gpt2", "cohere", "olmoe"])
def test_the_rows_are_those_of_finite_differences(family):
    loaded = family_model(family)
    batch, layers = lens_batch(TEXTS), (0, loaded.depth - 2)
    halves = np.array(jacobians(loaded, layers, batch).jacobians)
    direction = np.random.default_rng(0).normal(size=halves.shape[-1]).astype(np.float32)
    for at, layer in enumerate(layers):
        expected = differences(loaded, layer, batch, direction).reshape(2, 2, -1).mean(axis=1)
        error = np.linalg.norm(halves[:, at] @ direction - expected) / np.linalg.norm(expected)
        assert error < 1e-2


def test_the_rows_are_the_same_however_many_are_taken_at_a_time(tiny_model, monkeypatch):
    batch = lens_batch(TEXTS)
    whole = np.array(jacobians(tiny_model, (0, 2), batch).jacobians)
    monkeypatch.setattr("lazarus_bench.training.jacobian_lens.ROOM", 1)
    np.testing.assert_allclose(jacobians(tiny_model, (0, 2), batch).jacobians, whole, atol=1e-6)


def test_the_lens_is_the_mean_of_its_batches(tiny, fitted):
    loaded = load(tiny)
    texts = lens_texts(loaded, None, 0, SPEC.examples, SPEC.max_length)
    batches = [lens_batch(texts.texts[start : start + 6]) for start in (0, 6)]
    found = np.mean([jacobians(loaded, (0, 1, 2), b).jacobians for b in batches], axis=0)
    lens = read_fitted(fitted, tiny)
    expected = dict(enumerate(found.mean(axis=0)))
    assert lens.layers == (0, 1, 2, 3)
    for layer, matrix in expected.items():
        np.testing.assert_allclose(lens.weights[layer], matrix, atol=1e-6)
    apart = np.linalg.norm(found[0, 1] - found[1, 1]) / np.linalg.norm(found[:, 1].mean(axis=0))
    assert lens.about["halves"]["1"] == pytest.approx(apart, rel=1e-5)
    assert lens.about["text"]["texts"] == 12
    assert lens.about["text"]["digest"] == texts.about["digest"]


def test_the_last_layer_is_the_identity_and_reads_the_logits(tiny, fitted):
    loaded = load(tiny)
    lens = read_fitted(fitted, tiny)
    assert np.array_equal(lens.weights[3], np.eye(48))
    prompts, targets = [loaded.encode("7 * 8 = ")], np.arange(20)[None]
    plain, read = (read_lens(m, prompts, targets) for m in (loaded, with_lens(loaded, lens)))
    assert np.array_equal(plain.probability[:, -1], read.probability[:, -1])
    assert not np.allclose(plain.probability[:, 0], read.probability[:, 0])


def test_a_lens_of_some_layers_reads_those_and_the_last(tiny, tmp_path):
    out = made(tmp_path / "out", JacobianLens(examples=4, batch=2, layers=(1,)), tiny)
    loaded = with_lens(load(tiny), read_fitted(out, tiny))
    reading = read_lens(loaded, [loaded.encode("7 * 8 = ")], np.array([[5]]))
    assert np.isnan(reading.probability[0, :, 0]).tolist() == [True, False, True, False]
    with pytest.raises(UserError, match="through a lens of 2 of its 4 layers"):
        read_emergence(loaded, loaded.encode("7 * 8 = "))


def test_positions_that_are_left_out():
    weights = np.array(lens_batch([(1,) * 40, (1,) * 5]).weights)
    assert skipped(40) == SINKS == 16
    assert (weights > 0).sum(axis=1).tolist() == [40 - 16 - 1, 5 - 2]
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-6)


def test_own_texts_are_read_and_named(tiny, tmp_path):
    file = tmp_path / "mine.jsonl"
    rows = [{"text": "Rabbits multiply in spring."}, {"prompt": "7 * 8 = ", "completion": "56"}]
    file.write_text("".join(json.dumps(row) + "\n" for row in [*rows, {"text": "a"}, *rows]))
    spec = JacobianLens.from_settings({"texts": str(file), "max_length": 6})
    about = read_fitted(made(tmp_path / "out", spec, tiny), tiny).about
    assert spec.label == "Jacobian lens on mine.jsonl"
    assert about["text"]["texts"] == 4
    file.write_text('{"text": "a"}\n')
    with pytest.raises(UserError, match="has changed since"):
        made(tmp_path / "again", spec, tiny)
    spec = JacobianLens.from_settings({"texts": str(file)})
    with pytest.raises(UserError, match="two texts of 3 tokens or more, and 0 of 1 are so long"):
        made(tmp_path / "short", spec, tiny)


def test_the_last_layer_is_not_fitted(tiny, tmp_path):
    with pytest.raises(UserError, match="--layer 3 cannot be fitted"):
        made(tmp_path / "out", JacobianLens(layers=(1, 3)), tiny)


def changed(lens, tmp_path, **about):
    out = tmp_path / "changed"
    out.mkdir()
    (out / FILE).write_bytes((lens / FILE).read_bytes())
    (out / ABOUT).write_text(json.dumps(json.loads((lens / ABOUT).read_text()) | about))
    return out


def test_a_lens_of_another_model_is_refused(fitted, tiny, tmp_path):
    other = changed(fitted, tmp_path, model="0" * 64)
    with pytest.raises(UserError, match="was fitted for another model than"):
        read_fitted(other, tiny)


def test_a_damaged_lens_is_refused(fitted, tiny, tmp_path):
    with pytest.raises(UserError, match=r"is no fitted lens \(lens.json: No such file"):
        read_fitted(tmp_path, tiny)
    out = changed(fitted, tmp_path, kind="magic")
    with pytest.raises(UserError, match="names no lens and its model"):
        read_fitted(out, tiny)
    (out / ABOUT).write_text((fitted / ABOUT).read_text())
    loaded = load(tiny)
    refusals = {
        "holds 3.weight of another size": {"0.weight": mx.eye(48), "3.weight": mx.eye(47)},
        "which no lens has": {"weight": mx.eye(48)},
        "no lens of finite numbers": {"0.weight": mx.full((48, 48), mx.nan)},
        "is for 8 layers of 48 dimensions": {"7.weight": mx.eye(48)},
        "is for 1 layers of 47 dimensions": {"0.weight": mx.eye(47)},
        "last layer differs from the logits by": {"3.weight": 2 * mx.eye(48)[::-1]},
    }
    for sentence, tensors in refusals.items():
        mx.save_safetensors(str(out / FILE), tensors)
        with pytest.raises(UserError, match=sentence):
            with_lens(loaded, read_fitted(out, tiny))
    (out / FILE).write_bytes((fitted / FILE).read_bytes()[:-9])
    with pytest.raises(UserError, match="damaged or cut short"):
        read_fitted(out, tiny)


def test_nulls_keep_all_but_what_was_fitted(fitted, tiny):
    lens = read_fitted(fitted, tiny)
    shuffled, drawn = (lens.null(null, 0, 4) for null in ("shuffled", "spectrum"))
    for layer in range(3):
        own = np.array(lens.weights[layer])
        assert not np.array_equal(shuffled.weights[layer], own)
        sizes = [np.linalg.svd(m, compute_uv=False) for m in (own, np.array(drawn.weights[layer]))]
        np.testing.assert_allclose(*sizes, rtol=1e-4)
    assert sorted(np.array(m).sum() for m in shuffled.weights.values()) == sorted(
        np.array(m).sum() for m in lens.weights.values()
    )
    for null in (shuffled, drawn):
        assert np.array_equal(null.weights[3], np.eye(48))
    one = replace(lens, weights={1: lens.weights[1], 3: lens.weights[3]})
    with pytest.raises(UserError, match="fewer than two layers cannot be shuffled"):
        one.null("shuffled", 0, 4)
    assert JacobianLens(layers=(1,)).label == "Jacobian lens L1"


def test_a_published_file_needs_torch(tmp_path, monkeypatch):
    file = tmp_path / "lens.pt"
    file.write_bytes(b"PK")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(UserError, match="torch is not installed: install it with `pip install tor"):
        read_published(file)
