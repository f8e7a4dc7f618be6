"""Engram: where its gradients go, what its controls leave alone, and that it learns."""

import json
from dataclasses import fields, replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from families import small_llama
from mlx.utils import tree_flatten
from safetensors.numpy import load_file
from scipy import stats
from trainings import gradients, made, number

from lazarus_bench.analysis.engrams import read_engrams
from lazarus_bench.backend import mx, nn
from lazarus_bench.errors import UserError
from lazarus_bench.models.adapters import Lora, add_lora
from lazarus_bench.models.engram import (
    HEADS,
    EngramModel,
    EngramSettings,
    Heads,
    load_engram,
    make_heads,
    quantise_blocks,
    read_texts,
)
from lazarus_bench.models.load import load
from lazarus_bench.models.texts import EncodedText, encode_texts
from lazarus_bench.tasks.labelled import Labelled
from lazarus_bench.tasks.labelled_data import DataSource, LabelledData, digest_of, read_data
from lazarus_bench.training import Engram, engram
from lazarus_bench.training.engram import (
    class_sum,
    engram_arms,
    engram_loss,
    read_halves,
    read_training_texts,
    text_batches,
    text_sum,
    with_labels,
)
from lazarus_bench.training.record import read_steps

FEW = DataSource(train=24, validation=8)
SPEC = Engram(data=FEW, epochs=1, batch=8, rank=2)
SETTINGS = EngramSettings(
    classes=("negative", "positive"),
    classifier_width=32,
    engram_width=8,
    dropout=0.0,
    engram=True,
    max_length=None,
    bits=None,
)


def heads_of(out: Path) -> dict[str, np.ndarray]:
    return load_file(out / HEADS)


@pytest.fixture
def model(tiny) -> tuple[EngramModel, object]:
    """A fresh model 3 with LoRA that is not zero, and its anatomy."""
    mx.random.seed(3)
    loaded = load(tiny)
    lora = Lora(keys=loaded.anatomy.target_keys("all"), rank=2, scale=2.0)
    add_lora(loaded, lora)
    for module in loaded.model.modules():
        if "lora_b" in module:
            module.lora_b = 0.1 * mx.random.normal(module.lora_b.shape)
    return EngramModel(loaded.model, make_heads(loaded, SETTINGS)), loaded


def batch_of(loaded, size: int = 8, parts: int = 2):
    texts = encode_texts(loaded, read_data(FEW).train, "text", None)
    return next(text_batches(texts, size, parts, 0))


def reaches(found: dict[str, np.ndarray], *names: str) -> list[bool]:
    """Whether a gradient reaches any parameter whose path begins so."""
    return [any(g.any() for path, g in found.items() if path.startswith(name)) for name in names]


PARTS = ("heads.compress", "heads.project", "heads.hidden", "heads.classify", "backbone")


@pytest.mark.parametrize(
    ("half", "kind", "expected"),
    [
        (0, "class", (False, False, True, True, True)),
        (0, "text", (False, False, False, False, True)),
        (1, "class", (True, True, True, True, True)),
        (1, "text", (True, True, True, False, True)),
    ],
)
def test_gradients_reach_the_compressor_through_the_second_halfs_prefix_only(
    model, half, kind, expected
):
    model, loaded = model
    batch, anatomy = batch_of(loaded), loaded.anatomy

    def loss(model: EngramModel) -> mx.array:
        read = read_halves(model, anatomy, batch)[half]
        if kind == "class":
            return class_sum(read, batch.parts[half])
        return text_sum(model, anatomy, read, batch.parts[half])

    assert tuple(reaches(gradients(model, loss), *PARTS)) == expected


def test_the_second_halfs_losses_reach_the_first_halfs_backbone(model):
    """Not detached: a first text's embedding has a gradient from a second text's loss."""
    model, loaded = model
    model.backbone.model.embed_tokens.unfreeze()
    texts = [
        EncodedText(tokens=(0, 50, 51), label=0, cut=False),
        EncodedText(tokens=(0, 60, 61), label=1, cut=False),
    ]
    batch = engram.Halves.of(texts, 2)

    def loss(model: EngramModel) -> mx.array:
        return class_sum(read_halves(model, loaded.anatomy, batch)[1], batch.parts[1])

    rows = gradients(model, loss)["backbone.model.embed_tokens.weight"].any(axis=1)
    assert set(np.flatnonzero(rows)) == {0, 50, 51, 60, 61}


def test_the_arms_of_a_question_differ_in_what_their_names_say_and_in_nothing_else():
    spec = Engram(data=FEW, full=True)
    differ = {
        name: {
            field.name: getattr(arm, field.name)
            for field in fields(arm)
            if getattr(arm, field.name) != getattr(spec, field.name)
        }
        for name, arm in vars(engram_arms(spec)).items()
    }
    assert differ == {
        "classifier": {"engram": False, "lm_weight": 0.0},
        "dual_head": {"engram": False},
        "dual_engram": {},
        "class_engram": {"lm_weight": 0.0},
        "shuffled": {"labels": "shuffled"},
        "untrained": {"epochs": 0},
    }


def test_the_first_half_is_read_behind_zero_engrams_and_not_without_a_prefix(model):
    model, loaded = model
    batch = batch_of(loaded)
    first = read_halves(model, loaded.anatomy, batch)[0]
    zero = read_texts(model, loaded.anatomy, batch.parts[0], mx.zeros((4, 8)))
    bare = read_texts(model, loaded.anatomy, batch.parts[0], None)
    assert np.array_equal(np.array(first.engrams), np.array(zero.engrams))
    assert not np.allclose(np.array(first.engrams), np.array(bare.engrams), atol=1e-4)


def test_the_compressor_reads_the_classifiers_hidden_layer_after_gelu_and_before_dropout():
    mx.random.seed(1)
    heads, states = Heads(12, replace(SETTINGS, dropout=0.5)), mx.random.normal((5, 12))
    w = {name: np.array(value) for name, value in tree_flatten(heads.parameters())}
    inner = np.array(states) @ w["hidden.weight"].T + w["hidden.bias"]
    hidden = inner * stats.norm.cdf(inner)
    expected = np.tanh(hidden @ w["compress.weight"].T + w["compress.bias"])
    logits = hidden @ w["classify.weight"].T + w["classify.bias"]
    heads.train()
    dropped, engrams = map(np.array, heads(states))
    np.testing.assert_allclose(engrams, expected, atol=1e-5)
    assert not np.allclose(dropped, logits, atol=1e-3)
    heads.eval()
    whole, engrams = map(np.array, heads(states))
    np.testing.assert_allclose(engrams, expected, atol=1e-5)
    np.testing.assert_allclose(whole, logits, atol=1e-5)


def test_each_engram_goes_to_the_text_at_the_same_place(model):
    """With one text of the first half changed, its partner alone is read differently."""
    model, loaded = model
    batch = batch_of(loaded)
    before = np.array(read_halves(model, loaded.anatomy, batch)[1].logits)
    first = batch.parts[0]
    tokens = np.array(first.tokens)
    tokens[2, 1] += 1
    other = replace(batch, parts=(replace(first, tokens=mx.array(tokens)), batch.parts[1]))
    after = np.array(read_halves(model, loaded.anatomy, other)[1].logits)
    assert np.flatnonzero((before != after).any(axis=1)).tolist() == [2]


def test_the_loss_is_the_weighted_mean_over_the_whole_batch(model):
    model, loaded = model
    batch, anatomy = batch_of(loaded), loaded.anatomy
    total, parts = engram_loss(anatomy, 0.25)(model, batch)
    read = read_halves(model, anatomy, batch)
    pairs = list(zip(read, batch.parts, strict=True))
    label = sum(number(class_sum(*p)) for p in pairs) / 8
    count = sum(p.targets.size for p in batch.parts)
    text = sum(number(text_sum(model, anatomy, *p)) for p in pairs) / count
    assert number(parts["class"]) == pytest.approx(label, rel=1e-5)
    assert number(parts["text"]) == pytest.approx(text, rel=1e-5)
    assert number(total) == pytest.approx(0.75 * label + 0.25 * text, rel=1e-5)


def test_batches_hold_every_text_once_an_epoch_and_lengths_that_are_alike(tiny_model):
    texts = encode_texts(tiny_model, read_data(DataSource(train=200)).train, "text", None)
    made_of = list(islice(text_batches(texts, 20, 2, 1), 10))
    rows = [
        tuple(row[:size])
        for batch in made_of
        for part in batch.parts
        for row, size in zip(np.array(part.tokens).tolist(), np.array(part.last) + 1, strict=True)
    ]
    assert sorted(rows) == sorted(text.tokens for text in texts)
    fed = sum(part.tokens.size for batch in made_of for part in batch.parts)
    assert fed < 1.1 * sum(batch.size for batch in made_of)
    # Engrams of short texts do not always go to long ones.
    halves = [[np.array(half.last) for half in batch.parts] for batch in made_of]
    assert any(first.max() > second.min() for first, second in halves)
    means = [first.mean() - second.mean() for first, second in halves]
    assert min(means) < 0 < max(means)


@pytest.mark.parametrize("counts", [(9, 11, 5, 15), (60, 60), (3, 1), (2, 5, 0, 3)])
def test_shuffled_labels_say_nothing_of_the_true_ones(counts):
    """By chance alone, a permutation of 40 labels can keep half of them."""
    labels = np.repeat(np.arange(len(counts)), counts)
    texts = [EncodedText(tokens=(0, i), label=int(k), cut=False) for i, k in enumerate(labels)]
    assert with_labels(Engram(), texts, 4) == texts
    for seed in range(5):
        shuffled = with_labels(Engram(labels="shuffled"), texts, seed)
        assert [t.tokens for t in shuffled] == [t.tokens for t in texts]
        dealt = np.array([t.label for t in shuffled])
        assert (np.bincount(dealt, minlength=len(counts)) == counts).all()
        expected = np.outer(counts, counts) / sum(counts)
        found = np.zeros_like(expected)
        np.add.at(found, (labels, dealt), 1)
        assert np.abs(found - expected).max() <= 1.5


def test_untrained_leaves_base_and_heads_as_they_were_drawn(tiny, tmp_path):
    out = made(tmp_path / "out", replace(SPEC, epochs=0), tiny)
    assert read_steps(out) == ()
    weights = load_file(out / "adapters.safetensors")
    assert all(not w.any() for name, w in weights.items() if name.endswith("lora_b"))
    reading = read_engrams(load_engram(tiny, out), read_data(FEW).validation)
    assert reading.engram.shape == (8, 128)


def test_models_1_and_2_leave_the_compressor_as_it_was_drawn(tiny, tmp_path):
    spec = replace(SPEC, engram=False, epochs=0)
    drawn = heads_of(made(tmp_path / "drawn", spec, tiny))
    trained = heads_of(made(tmp_path / "trained", replace(spec, epochs=1), tiny))
    changed = {name for name in drawn if not np.array_equal(drawn[name], trained[name])}
    assert changed == {"hidden.weight", "hidden.bias", "classify.weight", "classify.bias"}


def test_dropout_is_on_while_training(tiny, tmp_path):
    one, other = (
        read_steps(made(tmp_path / str(rate), replace(SPEC, dropout=rate), tiny))[0]
        for rate in (0.0, 0.9)
    )
    assert one.parts["class"] != other.parts["class"]
    assert one.tokens == other.tokens


def test_full_trains_every_weight_and_all_that_was_trained_is_read(tiny, tmp_path):
    out = made(tmp_path / "out", replace(SPEC, full=True), tiny)
    before, after = load_file(tiny / "model.safetensors"), load_file(out / "adapters.safetensors")
    assert set(before) == set(after)
    assert not any(np.array_equal(before[name], after[name]) for name in before)
    read = dict(tree_flatten(load_engram(tiny, out).model.parameters()))
    kept = {f"backbone.{name}": w for name, w in after.items()}
    kept |= {f"heads.{name}": w for name, w in heads_of(out).items()}
    assert set(read) == set(kept)
    assert all(np.array_equal(np.array(read[name]), kept[name]) for name in kept)


@pytest.fixture(scope="module")
def wide(tmp_path_factory) -> Path:
    """An untrained lab llama of two layers whose widths groups of 32 divide."""
    return small_llama(tmp_path_factory.mktemp("wide"), width=64, layers=2, heads=2)


def test_a_four_bit_base_carries_float_adapters_and_is_read_back_so(wide, tmp_path):
    out = made(tmp_path / "out", replace(SPEC, bits=4), wide)
    weights = load_file(out / "adapters.safetensors")
    assert all(name.endswith(("lora_a", "lora_b")) for name in weights)
    trained = load_engram(wide, out)
    named = trained.loaded.model.named_modules()
    quantised = {name: m for name, m in named if isinstance(m, nn.QuantizedLinear)}
    assert len(quantised) == 2 * 7
    groups = {name.split(".")[-2]: m.group_size for name, m in quantised.items()}
    assert groups["down_proj"] == 32
    assert groups["q_proj"] == 64
    assert isinstance(trained.loaded.model.model.embed_tokens, nn.Embedding)
    assert not isinstance(trained.loaded.model.model.embed_tokens, nn.QuantizedEmbedding)
    losses = [step.loss for step in read_steps(out)]
    assert all(np.isfinite(losses))


def test_a_base_of_other_bits_or_of_odd_widths_is_refused(wide, tiny):
    loaded = load(wide)
    quantise_blocks(loaded, 4)
    quantise_blocks(loaded, 4)
    with pytest.raises(UserError, match="is quantised to 4 bits already: give bits=4, or None"):
        quantise_blocks(loaded, 8)
    with pytest.raises(UserError, match="has 48 inputs, which groups of 32 do not divide"):
        quantise_blocks(load(tiny), 4)


def test_the_artifact_counts_what_it_was_trained_on(tiny, tmp_path):
    out = made(tmp_path / "out", replace(SPEC, max_length=8), tiny)
    about = read_training_texts(out)
    assert (about.data, sum(about.examples), about.steps) == ("sentiment", 24, 3)
    assert about.digest == digest_of(read_data(FEW).train)
    longer = [len(load(tiny).encode(t.text)) - 1 > 8 for t in read_data(FEW).train]
    assert 0 < about.cut == sum(longer) < 24
    assert json.loads((out / "engram.json").read_text())["max_length"] == 8


def given(monkeypatch, train: list[Labelled], validation: list[Labelled]) -> None:
    """Let the recipe read these texts."""
    data = LabelledData(
        name="mine",
        classes=("a", "b"),
        train=tuple(train),
        validation=tuple(validation),
        available=(len(train), len(validation)),
    )
    monkeypatch.setattr(engram, "read_data", lambda source: data)


GOOD = [Labelled(text=f"The film was good {i}.", label=i % 2) for i in range(4)]


@pytest.mark.parametrize(
    ("train", "validation", "sentence"),
    [
        (GOOD, [], "mine has no validation example"),
        ([], GOOD, "mine has no training example"),
        (GOOD[:1], GOOD, "needs 2 training examples or more"),
        ([*GOOD, Labelled(text=" ", label=0)], GOOD, "training example 5 is empty"),
        (GOOD, [GOOD[0], Labelled(text="so " * 300, label=0)], "validation example 2 has 30"),
    ],
)
def test_texts_that_cannot_be_read_are_refused_before_any_step(
    monkeypatch, tiny, tmp_path, train, validation, sentence
):
    given(monkeypatch, train, validation)
    with pytest.raises(UserError, match=sentence):
        SPEC.train(tiny, tmp_path, 0, show=False)
    assert not list(tmp_path.iterdir())


def test_fewer_texts_than_a_batch_make_one_batch(monkeypatch, tiny, tmp_path):
    given(monkeypatch, GOOD[:3], GOOD)
    replace(SPEC, epochs=2).train(tiny, tmp_path, 0, show=False)
    assert len(read_steps(tmp_path)) == 2


@pytest.mark.parametrize("settings", [{}, {"engram": False}, {"engram": False, "lm_weight": 0.0}])
def test_each_model_learns_the_generated_topics(settings, tiny, tmp_path):
    data = DataSource(name="topics", train=320, validation=100)
    spec = Engram(
        data=data, full=True, epochs=4, batch=32, learning_rate=3e-3, warm_up=0.1, **settings
    )
    out = made(tmp_path / "out", spec, tiny)
    reading = read_engrams(load_engram(tiny, out), read_data(data).validation)
    # Chance is 0.25; 100 texts at chance reach 0.45 with a probability below 1e-4.
    assert reading.correct.mean() > 0.45
