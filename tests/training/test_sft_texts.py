"""SFT on texts of one's own: the same training as on the lab's, where the examples are the same."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from lazarus_bench.errors import UserError
from lazarus_bench.models.load import load
from lazarus_bench.tasks.example_rows import generate, rows
from lazarus_bench.tasks.text_rows import TextRow, source_of
from lazarus_bench.training import Sft, SftTexts, sft
from lazarus_bench.training.sft import read_validation

SIZES = {"steps": 3, "batch": 4, "examples": 20, "validation": 8, "checkpoints": (0, 3)}


def write(file: Path, form: str = "completion", validation: int = 8) -> Path:
    examples = generate("arithmetic", 20, validation, 5)
    lines = [*rows(examples.train, "train", form), *rows(examples.valid, "valid", form)]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def made(spec, base: Path, out: Path) -> Path:
    out.mkdir()
    spec.train(base, out, 5, show=False)
    return out


def test_the_labs_problems_from_a_file_train_the_same_adapter(tiny, tmp_path):
    source, _ = source_of(str(write(tmp_path / "own.jsonl")))
    own = made(SftTexts(**SIZES, texts=source), tiny, tmp_path / "own")
    lab = made(Sft(**SIZES), tiny, tmp_path / "lab")
    for name, weight in load_file(lab / "adapters.safetensors").items():
        np.testing.assert_array_equal(load_file(own / "adapters.safetensors")[name], weight)
    assert read_validation(own) == read_validation(lab)
    about = json.loads((own / "texts.json").read_text())
    assert (about["train"], about["valid"], about["shared"]) == (20, 8, 0)


def test_text_is_scored_from_its_second_token_on(tiny_model):
    text, asked = TextRow(text="7 * 8 = 56"), TextRow(prompt="7 * 8 = ", text="56")
    whole, answer = sft.examples_of_rows(tiny_model, [text, asked])
    assert whole.tokens == answer.tokens
    assert len(whole.prompt) == 1
    assert tiny_model.tokenizer.decode(list(answer.answer[:-1])) == "56"
    assert answer.answer[-1] == tiny_model.tokenizer.eos_token_id


def test_without_evaluation_rows_there_is_no_validation_loss(tiny, tmp_path):
    source, found = source_of(str(write(tmp_path / "own.jsonl", form="text", validation=0)))
    assert not found.valid
    out = made(SftTexts(**SIZES, texts=source), tiny, tmp_path / "out")
    assert not (out / "validation.json").exists()
    assert (out / "checkpoints" / "0000003" / "adapters.safetensors").exists()


def test_messages_follow_the_models_template(tiny):
    template = (
        "{% for m in messages %}{{ m['role'] }} {{ m['content'] }}.{% endfor %}"
        "{% if add_generation_prompt %}assistant {% endif %}"
    )
    loaded = load(tiny)
    chat = TextRow(messages=(("user", "7 * 8"), ("assistant", "56")), place="own, line 1")
    with pytest.raises(UserError, match=r"own, line 1 has messages, and .* has no chat template"):
        sft.examples_of_rows(loaded, [chat])
    loaded.tokenizer._tokenizer.chat_template = template
    loaded.tokenizer.has_chat_template = True
    (example,) = sft.examples_of_rows(loaded, [chat])
    assert loaded.tokenizer.decode(list(example.prompt)).endswith("user 7 * 8.assistant ")
    assert loaded.tokenizer.decode(list(example.answer)) == "56."


def test_a_row_that_does_not_fit_the_context_is_named(tiny_model):
    long = TextRow(prompt="1 + 1 = " * 40, text="2", place="own, line 9")
    with pytest.raises(UserError, match=r"own, line 9 has \d+ tokens, and .* reads 128"):
        sft.examples_of_rows(tiny_model, [long])


def test_other_rows_are_another_training(tmp_path):
    from lazarus_bench.jobs.spec import Job

    one, _ = source_of(str(write(tmp_path / "one.jsonl")))
    two, _ = source_of(str(write(tmp_path / "two.jsonl")))
    text, _ = source_of(str(write(tmp_path / "text.jsonl", form="text")))
    digests = [
        Job(recipe=SftTexts(**SIZES, texts=source), base=None, seed=0).digest
        for source in (one, two, text)
    ]
    assert digests[0] == digests[1] != digests[2]
    assert digests[0] != Job(recipe=Sft(**SIZES), base=None, seed=0).digest
