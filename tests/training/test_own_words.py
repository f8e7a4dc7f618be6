"""Words and rows of one's own: what stands for a class, and that a training raises it."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from trainings import digest, log_softmax, made, number

from lazarus_bench.analysis.lens import read_phrases
from lazarus_bench.analysis.operations import read_operations
from lazarus_bench.backend import mx
from lazarus_bench.errors import NotApplicable, UserError
from lazarus_bench.models.anatomy import unembed
from lazarus_bench.models.load import load
from lazarus_bench.models.prompts import Example, collate, word_ids
from lazarus_bench.models.taps import residual_stream
from lazarus_bench.models.templates import own_problems_of
from lazarus_bench.session.controls import overlap
from lazarus_bench.session.run import Run
from lazarus_bench.session.runs import Runs
from lazarus_bench.tasks.arithmetic import Operation, held_out, sample_prompts
from lazarus_bench.tasks.example_rows import generate, rows
from lazarus_bench.tasks.text_rows import own_problems, problems_in, read_rows
from lazarus_bench.training import DualReward, Grpo, GrpoDual, Sft, recipe
from lazarus_bench.training.arithmetic_data import draw_problems, gold_tokens
from lazarus_bench.training.grpo import class_part, frozen_policy, grpo_loss, targets_of
from lazarus_bench.training.losses import phrase_loss
from lazarus_bench.training.own_rows import examples_of_rows
from lazarus_bench.training.record import read_metrics, read_problems
from lazarus_bench.training.rewards import rewarded, same_text
from lazarus_bench.training.rollouts import Asked, Roller

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


def test_a_phrase_is_read_in_a_claim_by_all_its_tokens(stories):
    problems, words = held_out(6, 0), {"add": "the sum"}
    found = read_operations(stories, problems, 3, words, token="phrase")
    phrases = [(word.bare, *word.rest) for word in found.words]
    assert min(map(len, phrases)) > 1
    prompts = [stories.encode(p.symbols) for p in problems]
    expected = read_phrases(stories, prompts, phrases, top=3)
    np.testing.assert_array_equal(found.bare, expected.probability)
    np.testing.assert_array_equal(found.variants, expected.probability)
    first = read_operations(stories, problems, 3, words, token="first")
    np.testing.assert_array_equal(found.answer, first.answer)
    np.testing.assert_array_equal(found.hits, first.hits)
    assert (found.bare < first.bare).all()


def test_grpos_class_loss_is_of_whole_phrases_among_ranks_too(stories):
    problems = tuple(draw_problems(0, 4))
    roll = Roller(
        spec=GrpoDual(prompts=4, answers=2, answer_tokens=2),
        loaded=stories,
        reference=frozen_policy(stories.model, stories.anatomy),
        reward=same_text,
        gold=targets_of(gold_tokens(stories, token="phrase"), shared=False),
        seed=0,
    )
    rollouts = roll(Asked(iteration=0, problems=problems))
    loss = grpo_loss(stories.anatomy, 0.2, 0.1, 0.4, class_part(stories.anatomy, 2, 0.0))
    whole, *shards = (
        number(loss(stories.model, part)[1]["class"])
        for part in (rollouts, rollouts.shard(0, 2), rollouts.shard(1, 2))
    )
    gold = gold_tokens(stories, token="phrase")
    by_hand = [
        -log_probability(stories, stories.encode(p.symbols), gold[p.operation], 2) for p in problems
    ]
    assert whole == pytest.approx(np.mean(by_hand), rel=1e-5)
    assert np.mean(shards) == pytest.approx(whole, rel=1e-5)


@pytest.mark.parametrize("token", ["first", "phrase"])
def test_grpo_and_dual_reward_train_on_words_of_several_tokens(shared, tmp_path, token):
    spec = GrpoDual(
        prompts=4, answers=2, iterations=8, examples=20, learning_rate=3e-3, weight=0.9,
        token=token,
    )  # fmt: skip
    out = made(tmp_path / "out", spec, shared / "models" / "TinyStories-656K")
    first, *_, last = read_metrics(out)
    assert last.parts["class"] < 0.9 * first.parts["class"]


def write_rows(file, rows):
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(file)


SIZES = {"batch": 4, "steps": 3, "rank": 2, "examples": 20}
ROLLED = {"full": False, "prompts": 4, "answers": 4, "iterations": 3, "rank": 2, "examples": 20}


@pytest.mark.parametrize(
    "spec",
    [DualReward(**SIZES), Grpo(**ROLLED), GrpoDual(**ROLLED), GrpoDual(**ROLLED, balanced=True)],
    ids=lambda spec: spec.label,
)
def test_the_labs_problems_from_a_file_train_the_same_weights(spec, tiny, tmp_path):
    drawn = generate("arithmetic", 20, 0, 5).train
    source = problems_in(
        write_rows(tmp_path / "own.jsonl", rows(drawn, "train", "completion")), classes=True
    )
    lab = made(tmp_path / "lab", spec, tiny, seed=5)
    own = made(tmp_path / "own", replace(spec, texts=source), tiny, seed=5)
    assert digest(own) == digest(lab)
    assert replace(spec, texts=source).label.startswith(f"{spec.label.split(',')[0]} on own.jsonl")
    seen = read_problems(own)
    assert {p.key for p in seen} == {p.key for p in read_problems(lab)}
    assert {p.symbols for p in seen} == {p.prompt for p in drawn}


ANIMALS = [
    {"prompt": f"The {who}\nsays ", "completion": says, "class": name}
    for who, says, name in [
        ("dog", "woof", "dog"), ("puppy", "woof", "dog"), ("cat", "meow", "cat"),
        ("kitten", "meow", "cat"), ("cow", "moo", "cow"), ("calf", "moo", "cow"),
    ]
]  # fmt: skip


def test_problems_and_classes_of_ones_own_on_a_real_checkpoint(stories, shared, tmp_path):
    file, directory = write_rows(tmp_path / "own.jsonl", ANIMALS), shared / "models" / "stories260K"
    source = problems_in(file, classes=True)
    spec = DualReward(
        texts=source, steps=80, batch=6, rank=8, learning_rate=1e-2, token="first",
        words=("dog=Lily", "cat=happy"),
    )  # fmt: skip
    run = partial(Run, name="stories", seed=0, directory=directory)
    base = run()
    out = made(tmp_path / "out", spec, directory)
    vo = run(adapter=out, artifact=out, recipe=spec, base=base)
    problems = own_problems(read_rows(source).train)
    asked = {"words": recipe.words_by_class(spec.words), "token": "first"}
    before, after = (each.lens(problems, **asked) for each in (base, vo))
    assert [word.word for word in after.words] == ["cat", "cow", "dog"]
    layer = stories.classifier_layer
    assert after.gold_probability[:, layer].mean() > 5 * before.gold_probability[:, layer].mean()
    assert after.restricted_hits[:, layer].all()
    shown = Runs([vo]).lens(problems, **asked).gold_probability
    control = overlap(shown.asked)
    assert (control.name, control.value) == ("prompts shared by training and evaluation", 6)
    assert not control.passed
    assert overlap(Runs([base]).lens(problems, **asked).gold_probability.asked).passed


@pytest.mark.parametrize("prompt", ["8 * 7 = ", "7*8="])
def test_arithmetic_in_own_rows_is_arithmetic_to_the_overlap_control(prompt, tiny, tmp_path):
    rows = [{"prompt": prompt, "completion": "56"}, {"prompt": "say ", "completion": "it"}]
    spec = Sft.from_settings(
        {"texts": write_rows(tmp_path / "own.jsonl", rows), "steps": 2, "batch": 2, "rank": 2}
    )
    out = made(tmp_path / "out", spec, tiny)
    run = Run(name="own", seed=0, directory=tiny, adapter=out, artifact=out, recipe=spec)
    asked = Runs([run]).lens(sample_prompts()).gold_probability.asked
    assert sample_prompts()[0].symbols == "7 * 8 = "
    assert overlap(asked).value == 1
    assert overlap(asked).name == "operand pairs shared by training and evaluation"


def test_a_reward_of_texts_needs_a_text_to_compare_with(shared, tmp_path):
    source = problems_in(write_rows(tmp_path / "own.jsonl", ANIMALS))
    spec = Grpo(texts=source, prompts=2, answers=2, iterations=2, answer_tokens=3)
    directory = shared / "models" / "stories260K"
    with pytest.raises(UserError, match=r"completion 'woof' .* has none: give --reward same-text"):
        made(tmp_path / "none", spec, directory)
    made(tmp_path / "out", replace(spec, reward="same-text"), directory)
    assert rewarded(same_text, "says ", " woof\n", "woof") == 1.0


@pytest.mark.parametrize(
    ("row", "classes", "sentence"),
    [
        ({"text": "woof"}, False, "line 1 has no prompt: give prompt and completion, or messages"),
        ({"prompt": "a", "completion": "b"}, True, r'line 1 has no class: add one, such as "class'),
        ({"prompt": "a", "completion": "b", "class": 3}, True, "line 1 has no class"),
        ({"prompt": "a", "completion": "b", "class": "c"}, True, "give rows of at least two"),
    ],
)
def test_rows_that_are_no_problems_are_one_sentence(tmp_path, row, classes, sentence):
    with pytest.raises(UserError, match=sentence):
        problems_in(write_rows(tmp_path / "own.jsonl", [row]), classes=classes)


def test_messages_are_the_models_own_prompt(tiny, tmp_path):
    template = (
        "{{ bos_token }}{% for m in messages %}{{ m['role'] }}\n{{ m['content'] }}\n{% endfor %}"
        "{% if add_generation_prompt %}assistant\n{% endif %}"
    )
    loaded = load(tiny)
    chats = [
        {
            "messages": [
                {"role": "user", "content": row["prompt"]},
                {"role": "assistant", "content": row["completion"]},
            ],
            "class": row["class"],
        }
        for row in ANIMALS
    ]
    source = problems_in(write_rows(tmp_path / "own.jsonl", chats), classes=True)
    rows = read_rows(source).train
    with pytest.raises(UserError, match=r"own.jsonl, line 1 has messages, and .* give prompts"):
        own_problems_of(loaded, rows)
    loaded.tokenizer._tokenizer.chat_template = template
    loaded.tokenizer.has_chat_template = True
    problems = own_problems_of(loaded, rows)
    assert problems[0].symbols == "user\nThe dog\nsays \nassistant\n"
    assert (problems[0].answer, problems[0].operation) == ("woof", "dog")
    gold = {name: (at,) for at, name in enumerate(("dog", "cat", "cow"), 300)}
    (example, *_) = examples_of_rows(loaded, rows, gold=gold)
    assert list(example.prompt) == loaded.encode(problems[0].symbols)
    assert example.gold == (300,)
