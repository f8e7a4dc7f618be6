"""Bases on a few steps or none: deterministic, leak-free, loadable."""

import json
from pathlib import Path

import numpy as np
import pytest
from trainings import made, number

from lazarus_bench.backend import mx
from lazarus_bench.errors import UserError
from lazarus_bench.models import lab, lab_tokenizer
from lazarus_bench.models.adapters import trainable_parameters
from lazarus_bench.models.families import LAB
from lazarus_bench.models.load import load
from lazarus_bench.models.texts import context_of
from lazarus_bench.tasks import corpus
from lazarus_bench.tasks.labelled_data import DataSource, read_data
from lazarus_bench.training import Blank, Instruct, Pretrain, pretrain
from lazarus_bench.training.record import read_metrics

TINY = Pretrain(steps=6, symbols=8, words=4, prose=4)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return made(tmp_path_factory.mktemp("pretrain") / "base", TINY, None)


def test_the_loss_falls_in_every_part(tmp_path):
    out = made(tmp_path / "out", Pretrain(steps=20, symbols=16, words=8, prose=8), None)
    first, *_, last = read_metrics(out)
    assert set(first.parts) == {"symbols", "words", "prose"}
    assert all(last.parts[name] < first.parts[name] for name in first.parts)


@pytest.mark.parametrize("family", [name for name in LAB if name != "llama"])
def test_every_family_learns_and_loads(family, tmp_path):
    spec = Pretrain(family=family, steps=15, symbols=12, words=4, prose=4)
    out = made(tmp_path / family, spec, None)
    first, *_, last = read_metrics(out)
    assert last.loss < 0.8 * first.loss
    assert load(out).config == lab.config_of(family)
    routed = family in ("olmoe", "gpt-oss")
    assert (out / "load.json").exists() == ("balance" in last.parts) == routed
    if routed:
        assert 1.0 <= last.parts["balance"] < 8.0
        shares = json.loads((out / "load.json").read_text())["shares"]
        np.testing.assert_allclose(np.sum(shares, axis=1), 1.0, atol=1e-6)


def test_instruct_starts_from_the_base_and_is_a_whole_model(base, tmp_path):
    spec = Instruct(steps=3, questions=4, symbols=4, prose=2)
    out = made(tmp_path / "out", spec, base)
    before, after = (np.array(load(it).model.model.embed_tokens.weight) for it in (base, out))
    assert 0 < np.abs(after - before).max() < 0.1


def test_documents_become_a_prompt_without_loss_and_a_text_with_one():
    tokenizer = lab_tokenizer.tokenizer()
    question = corpus.Document(given="7 * 8 = ", text="56")
    prose = corpus.Document(given="", text="Rest now.")
    first, second = pretrain.encode(tokenizer, [question, prose])
    assert list(first.prompt) == tokenizer.encode("7 * 8 = ").ids
    assert tokenizer.decode(list(first.answer), skip_special_tokens=False).startswith("56<|end")
    assert second.prompt == (0,)
    assert tokenizer.decode(list(second.answer)) == "Rest now."


def test_the_schedule_warms_up_and_ends_at_a_twentieth():
    from lazarus_bench.backend import mx

    schedule = pretrain.warm_cosine(1.0, 200)
    values = [number(schedule(mx.array(step))) for step in (0, 25, 50, 199)]
    assert values[0] == 0.0
    assert values[1] == pytest.approx(0.5)
    assert values[2] == pytest.approx(1.0)
    assert values[3] == pytest.approx(0.05, abs=0.01)


def test_an_unknown_family_is_refused_before_training(tmp_path):
    with pytest.raises(UserError, match="lab family"):
        made(tmp_path / "none", Pretrain(family="lama"), None)


def test_every_part_of_a_step_is_shared_by_the_ranks(base):
    loaded, parts = load(base), TINY.parts
    step = next(pretrain.steps_of(parts, 0))
    loss = pretrain.mixed_loss(loaded.anatomy, parts)
    whole, by_part = loss(loaded.model, step)
    shards = [loss(loaded.model, step.shard(rank, 2)) for rank in range(2)]
    assert np.mean([number(s[0]) for s in shards]) == pytest.approx(number(whole))
    for name, value in by_part.items():
        mean = np.mean([number(s[1][name]) for s in shards])
        assert mean == pytest.approx(number(value), rel=1e-5)
    with pytest.raises(UserError, match=r"a part 'words' of 4 cannot be shared by 5 ranks"):
        step.shard(0, 5)


BLANK = Blank(data=DataSource(name="topics", train=200, validation=60))
FILES = {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}


@pytest.fixture(scope="module")
def blank(tmp_path_factory) -> Path:
    return made(tmp_path_factory.mktemp("blank") / "out", BLANK, None)


def test_it_is_loaded_like_any_other_model(blank):
    loaded = load(blank)
    assert {file.name for file in blank.iterdir()} == FILES
    assert (loaded.depth, context_of(loaded)) == (2, 512)
    tokens = loaded.encode("The team won the final.")
    assert tokens[0] == loaded.tokenizer.bos_token_id
    assert loaded.tokenizer.decode(tokens[1:]) == "The team won the final."
    logits = np.array(loaded.model(mx.array([tokens])))
    # Untrained: near a uniform guess.
    assert logits.std() < 0.5


def test_the_defaults_have_the_sources_1_3_million_parameters(blank, tmp_path):
    loaded = load(blank)
    words = int(loaded.config["vocab_size"])
    blocks = trainable_parameters(loaded) - 160 * words
    # Five gains of norms, 2 · (4 · 160² + 3 · 160 · 480) in matrices.
    assert blocks == 5 * 160 + 665_600
    assert blocks + 160 * Blank().vocabulary == 1_306_400


def test_seeds_differ_in_weights_alone(blank, tmp_path):
    again, other = (made(tmp_path / str(seed), BLANK, None, seed) for seed in (0, 1))
    for name in FILES:
        assert (again / name).read_bytes() == (blank / name).read_bytes()
        assert ((other / name).read_bytes() == (blank / name).read_bytes()) == (
            name != "model.safetensors"
        )


def test_the_vocabulary_is_bounded_and_learnt_from_the_training_split(blank, tmp_path):
    small = load(made(tmp_path / "small", Blank(data=BLANK.data, vocabulary=512), None))
    assert small.config["vocab_size"] <= 512
    loaded = load(blank)
    known = {text.text for text in read_data(BLANK.data).train}
    tokens = [len(loaded.encode(text)) for text in sorted(known)[:20]]
    # A word or a little more a token, where bytes would be about five.
    assert np.mean(tokens) < 15
