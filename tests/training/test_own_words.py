"""Words of one's own: which tokens stand for a class, and that a training raises them."""

from dataclasses import replace

import numpy as np
import pytest
from trainings import log_softmax, made, number

from lazarus_bench.analysis.lens import read_phrases
from lazarus_bench.backend import mx
from lazarus_bench.errors import NotApplicable, UserError
from lazarus_bench.models.anatomy import unembed
from lazarus_bench.models.load import load
from lazarus_bench.models.prompts import Example, collate, word_ids
from lazarus_bench.models.taps import residual_stream
from lazarus_bench.tasks.arithmetic import Operation, held_out
from lazarus_bench.training import DualReward, GrpoDual
from lazarus_bench.training.arithmetic_data import gold_tokens
from lazarus_bench.training.losses import phrase_loss
from lazarus_bench.training.record import read_metrics

EXAMPLES = [
    Example(prompt=(0, 5, 6, 7), answer=(80, 1), gold=(300, 301, 302)),
    Example(prompt=(0, 9), answer=(81,), gold=(301,)),
    Example(prompt=(0, 9, 40, 41, 42, 43), answer=(82, 83, 84, 1), gold=(302, 5)),
]


def log_probability(loaded, prompt, phrase, layer) -> float:
    """ln p of a phrase by the lens at `layer`, one forward a token."""
    total = 0.0
    for at, token in enumerate(phrase):
        tokens = mx.array([[*prompt, *phrase[:at]]])
        state = residual_stream(loaded.model, loaded.anatomy, tokens)[layer][0, -1]
        total += log_softmax(unembed(loaded.model, loaded.anatomy, state))[token]
    return total


@pytest.mark.parametrize("layer", [0, 3])
def test_a_phrases_loss_is_of_its_tokens_one_after_another(tiny_model, layer):
    batch = collate(EXAMPLES, pad=2)
    model, anatomy = tiny_model.model, tiny_model.anatomy
    losses = [-log_probability(tiny_model, e.prompt, e.gold, layer) for e in EXAMPLES]
    assert number(phrase_loss(model, anatomy, batch.phrases, layer)) == pytest.approx(
        np.mean(losses), rel=1e-5
    )
    shards = [batch.shard(rank, 2).phrases for rank in range(2)]
    parts = [number(phrase_loss(model, anatomy, shard, layer)) for shard in shards]
    assert np.mean(parts) == pytest.approx(np.mean(losses), rel=1e-5)


def test_classes_of_one_token_need_no_second_forward():
    assert collate([replace(e, gold=e.gold[:1]) for e in EXAMPLES], pad=2).phrases is None


def test_a_phrases_probability_is_the_product_of_its_tokens(tiny_model):
    prompts, phrases = [list(e.prompt) for e in EXAMPLES], [e.gold for e in EXAMPLES]
    found = read_phrases(tiny_model, prompts, phrases, top=3)
    expected = [
        [[log_probability(tiny_model, p, w, layer) for w in phrases] for layer in range(4)]
        for p in prompts
    ]
    np.testing.assert_allclose(found.probability, np.exp(expected), rtol=1e-5)


@pytest.fixture(scope="module")
def stories(shared):
    """A real checkpoint whose tokenizer splits every operation's name."""
    return load(shared / "models" / "stories260K")


def test_a_word_is_read_as_it_is_asked(stories):
    tokenizer, word = stories.tokenizer, "subtract"
    whole = word_ids(tokenizer, word, "phrase")
    assert len(whole) > 1
    assert word_ids(tokenizer, word, "first") == whole[:1]
    assert word_ids(tokenizer, f"token:{whole[1]}") == (whole[1],)
    with pytest.raises(NotApplicable, match="'subtract' is 8 tokens in this tokenizer"):
        word_ids(tokenizer, word)


@pytest.mark.parametrize(
    ("words", "token", "sentence"),
    [
        ({}, "only", r"'multiply' is 8 tokens.*--word 'multiply=TEXT'.*--token first"),
        ({"power": "the"}, "first", "the word of power: there is no such class among multiply"),
        ({"add": "token:512"}, "first", "there is no token 512: choose 0 to 511"),
        ({"multiply": "the", "add": "the"}, "only", "multiply and add are both read by 'the'"),
    ],
)
def test_what_stands_for_no_class_is_one_sentence(stories, words, token, sentence):
    with pytest.raises((NotApplicable, UserError), match=sentence):
        gold_tokens(stories, words, token)


WAYS = {
    "first token": {"token": "first"},
    "phrases": {"token": "phrase"},
    "own words": {
        "words": ("multiply=happy", "add=token:317", "subtract=sad", "divide=big"),
        "token": "first",
    },
}


@pytest.mark.parametrize("way", WAYS)
def test_dual_reward_raises_the_words_of_a_real_checkpoint(stories, shared, tmp_path, way):
    spec = DualReward(steps=25, batch=8, examples=64, rank=4, learning_rate=2e-2, **WAYS[way])
    directory = shared / "models" / "stories260K"
    out = made(tmp_path / "out", spec, directory)
    first, *_, last = read_metrics(out)
    assert last.parts["class"] < first.parts["class"] - 1
    gold, problems = spec.gold(stories), held_out(12, 0)
    encoded = [stories.encode(p.symbols) for p in problems]
    columns = [list(Operation).index(p.operation) for p in problems]
    before, after = (
        read_phrases(load(directory, adapter), encoded, [gold[o] for o in Operation], 1)
        .probability[np.arange(12), stories.classifier_layer, columns]
        .mean()
        for adapter in (None, out)
    )
    assert after > 3 * before


def test_grpo_and_dual_reward_train_on_first_tokens(shared, tmp_path):
    spec = GrpoDual(
        prompts=4, answers=2, iterations=8, examples=20, learning_rate=3e-3, weight=0.9,
        token="first",
    )  # fmt: skip
    out = made(tmp_path / "out", spec, shared / "models" / "TinyStories-656K")
    first, *_, last = read_metrics(out)
    assert last.parts["class"] < 0.9 * first.parts["class"]
