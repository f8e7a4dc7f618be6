"""Precision: half precision is computed in float32 on a CPU, and whoever does it is told so."""

import json
from pathlib import Path

import numpy as np
import pytest
from families import small_llama

from lazarus_bench import memory
from lazarus_bench.analysis.lens import lens
from lazarus_bench.backend import mx
from lazarus_bench.jobs.spec import Checkpoint, Job
from lazarus_bench.models.load import load
from lazarus_bench.models.precision import Precision, choose, stored, weights_as
from lazarus_bench.session.options import Options
from lazarus_bench.session.session import Session, Watch
from lazarus_bench.training import Fuse, Sft
from lazarus_bench.training.recipe import Stack

SHORT = Sft(steps=2, batch=2, examples=20, validation=4, checkpoints=())


def rewritten(source: Path, out: Path, dtype: str) -> Path:
    """The model in `source` with its weights rounded to bfloat16 and stored as `dtype`."""
    out.mkdir()
    for file in source.iterdir():
        if file.suffix != ".safetensors":
            (out / file.name).write_bytes(file.read_bytes())
    weights = mx.load(str(source / "model.safetensors"))
    kept = {n: w.astype(mx.bfloat16).astype(getattr(mx, dtype)) for n, w in weights.items()}
    mx.save_safetensors(str(out / "model.safetensors"), kept)
    config = json.loads((source / "config.json").read_text()) | {"torch_dtype": dtype}
    (out / "config.json").write_text(json.dumps(config))
    return out


@pytest.fixture(scope="module")
def half(tiny, tmp_path_factory) -> Path:
    return rewritten(tiny, tmp_path_factory.mktemp("half") / "m", "bfloat16")


@pytest.fixture(scope="module")
def whole(tiny, tmp_path_factory) -> Path:
    return rewritten(tiny, tmp_path_factory.mktemp("whole") / "m", "float32")


def test_auto_takes_float32_on_a_cpu_and_says_so(half, whole):
    found = choose("mine", half, "auto")
    assert found.dtype == "float32"
    assert "mine holds bfloat16 weights, and is computed in float32" in found.says
    assert choose("mine", whole, "auto") == Precision()


def test_auto_leaves_what_would_not_fit_and_names_the_cost(half, monkeypatch):
    monkeypatch.setattr(memory, "limit", lambda: 4 * stored(half).floats["bfloat16"] + 1)
    found = choose("mine", half, "auto")
    assert found.dtype is None
    assert "as stored: in float32 its weights would take" in found.says


@pytest.mark.parametrize(
    ("wish", "dtype", "said"),
    [
        ("bfloat16", None, "mine is computed in bfloat16: on a CPU"),
        ("float16", "float16", "mine is computed in float16: on a CPU"),
        ("float32", "float32", ""),
    ],
)
def test_a_wish_is_heeded(half, wish, dtype, said):
    found = choose("mine", half, wish)
    assert found.dtype == dtype
    assert (found.says or "").startswith(said)


def test_quantised_weights_are_warned_about(tmp_path):
    found = choose("mine", small_llama(tmp_path, 64, 2, 2, bits=4), "auto")
    assert "mine holds 4-bit weights: on a CPU" in found.says


def test_values_are_those_of_a_float32_copy(half, whole, tmp_path):
    prompts = ["7 * 8 = ", "12 + 5 = "]
    one, other = (lens(load(m, dtype=d), prompts, {}, [1, 3], 3) for m, d in _both(half, whole))
    assert json.dumps(one.to_json(), default=np.ndarray.tolist) == json.dumps(
        other.to_json(), default=np.ndarray.tolist
    )
    for name, (model, dtype) in zip("ab", _both(half, whole), strict=True):
        (tmp_path / name).mkdir()
        (tmp_path / f"{name}-fused").mkdir()
        with weights_as(dtype):
            SHORT.train(model, tmp_path / name, 0, show=False)
            stack = Stack(model=model, adapter=tmp_path / name)
            Fuse().train(stack, tmp_path / f"{name}-fused", 0)
    for file in ("adapters.safetensors", "-fused/model.safetensors"):
        first, second = (
            mx.load(str(tmp_path / (f"{n}{file}" if file[0] == "-" else f"{n}/{file}")))
            for n in "ab"
        )
        assert all(mx.array_equal(first[name], second[name]) for name in second)


def _both(half, whole):
    return (half, "float32"), (whole, None)


def test_an_adapter_stays_as_it_is_stored(half, tmp_path):
    SHORT.train(half, tmp_path, 0, show=False)
    model = load(half, tmp_path, dtype="float16").model
    kinds = {w.dtype for n, w in _flat(model) if "lora" not in n}
    assert kinds == {mx.float16}
    assert {w.dtype for n, w in _flat(model) if "lora" in n} == {mx.float32}


def _flat(model):
    from mlx.utils import tree_flatten

    return tree_flatten(model.parameters())


def test_a_type_that_is_not_the_stored_one_is_part_of_the_digest():
    base = Checkpoint(source="org/model", fingerprint="ab")
    job = Job(recipe=Sft(), base=base, seed=0)
    assert job.digest == "ccf237ae7a69c6f243ac86431a3acb6a17410ab4066e247b4ce6ecd1c8963ec5"
    assert Job(recipe=Sft(), base=base, seed=0, dtype="float32").digest != job.digest


def test_a_session_trains_and_measures_in_the_type_that_its_manifest_names(half, tmp_path):
    name = str(half)
    session = Session(Options(model=(name,), store=tmp_path / "store"))
    [job] = jobs = session.jobs(name, SHORT)[:1]
    assert job.dtype == "float32"
    session.train(session.plan(jobs), Watch(say=lambda _: None, live=lambda _: None))
    assert "weights float32" in session.artifact(job).manifest["made_by"]["dtype"]
    assert session.precision_lines(name) == {f"weights of {name}": "turned into float32"}
    assert "--dtype bfloat16 leaves them" in session.notes[0]
    base = session.runs(name, None)[0]
    assert {w.dtype for _, w in _flat(base.loaded.model)} == {mx.float32}
    stays = Session(Options(model=(name,), store=tmp_path / "store", dtype="bfloat16"))
    assert stays.jobs(name, SHORT)[0].digest != job.digest
    assert base.classifier_layer == stays.runs(name, None)[0].classifier_layer
    kept = list((tmp_path / "store" / ".measurements").rglob("checkpoint@*/*"))
    assert len(kept) == 2, "one in each type"
