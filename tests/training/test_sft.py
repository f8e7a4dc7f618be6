"""SFT: what it leaves, that it repeats itself, learns, and moves only its targets."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from trainings import digest, made, weights

from lazarus_bench.backend import mx
from lazarus_bench.errors import UserError
from lazarus_bench.models import templates
from lazarus_bench.models.load import load
from lazarus_bench.tasks.arithmetic import held_out
from lazarus_bench.tasks.example_rows import generate, rows
from lazarus_bench.tasks.text_rows import TextRow, source_of
from lazarus_bench.training import Sft, SftTexts, sft
from lazarus_bench.training.arithmetic_data import examples_of
from lazarus_bench.training.own_rows import examples_of_rows, read_examples
from lazarus_bench.training.record import read_metrics, read_steps
from lazarus_bench.training.sft import read_validation

SPEC = Sft(steps=4, batch=4, examples=40, validation=12, checkpoints=(0, 2, 4), learning_rate=1e-3)


@pytest.fixture(scope="module")
def trained(tiny, tmp_path_factory) -> Path:
    return made(tmp_path_factory.mktemp("sft") / "out", SPEC, tiny)


def test_checkpoints_belong_to_one_run_from_the_base_on(trained, tiny):
    last = sft.checkpoint_directory(trained, 4) / "adapters.safetensors"
    assert last.read_bytes() == (trained / "adapters.safetensors").read_bytes()
    tokens = mx.array([[0, 5, 9, 300]])
    start, base = (load(tiny, at) for at in (sft.checkpoint_directory(trained, 0), None))
    assert np.array_equal(np.array(start.model(tokens)), np.array(base.model(tokens)))
    middle = load_file(sft.checkpoint_directory(trained, 2) / "adapters.safetensors")
    assert all(w.any() for name, w in middle.items() if name.endswith("lora_b"))
    assert not sft.checkpoint_directory(trained, 1).exists()
    assert [m.step for m in read_metrics(trained)] == [1, 4]
    config = json.loads((trained / "adapter_config.json").read_text())
    keys = config["lora_parameters"].pop("keys")
    assert len(keys) == 7
    assert config == {
        "fine_tune_type": "lora",
        "num_layers": 4,
        "lora_parameters": {"rank": 8, "scale": 20.0, "dropout": 0.0},
    }


def test_validation_losses_are_those_of_the_checkpoints(trained, tiny):
    losses = sft.read_validation(trained)
    assert list(losses) == [0, 2, 4]
    problems = held_out(12, 0)
    for step, expected in losses.items():
        loaded = load(tiny, sft.checkpoint_directory(trained, step))
        examples = examples_of(loaded, problems)
        assert sft.validation_loss(loaded, examples) == pytest.approx(expected, rel=1e-5)
        assert sft.validation_loss(loaded, examples, batch=5) == pytest.approx(expected, rel=1e-5)


def test_overlap_with_validation_stops_the_training(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(sft, "draw_problems", lambda seed, count, leak: held_out(count, seed)[:8])
    monkeypatch.setattr(sft, "held_out", lambda count, seed: held_out(40, seed))
    with pytest.raises(UserError, match="occur in training and in evaluation"):
        made(tmp_path / "out", replace(SPEC, examples=40), tiny)


@pytest.mark.parametrize(
    ("targets", "names"),
    [
        ("vo", {"self_attn.v_proj", "self_attn.o_proj"}),
        ("qk", {"self_attn.q_proj", "self_attn.k_proj"}),
        ("mlp", {"mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"}),
    ],
)
def test_only_the_targets_of_every_layer_are_adapted(tiny, tmp_path, targets, names):
    spec = replace(SPEC, targets=targets, steps=1, checkpoints=())
    out = made(tmp_path / "out", spec, tiny)
    adapted = {
        f"model.layers.{i}.{n}.lora_{side}" for i in range(4) for n in names for side in "ab"
    }
    assert weights(out).keys() == adapted
    assert not (out / sft.VALIDATION).exists()


def test_full_fine_tuning_changes_blocks_and_nothing_else(tiny, tmp_path):
    spec = replace(SPEC, full=True, steps=2, checkpoints=(2,))
    after = weights(made(tmp_path / "out", spec, tiny))
    before = load_file(tiny / "model.safetensors")
    assert after.keys() == {n for n in before if n.startswith("model.layers.")}
    assert all(not np.array_equal(after[n], before[n]) for n in after)


def test_prompt_tokens_count_only_when_asked(trained, tiny, tmp_path):
    unmasked = made(tmp_path / "unmasked", replace(SPEC, mask_prompt=False), tiny)
    assert digest(trained) != digest(unmasked)
    assert read_metrics(trained)[0].loss != read_metrics(unmasked)[0].loss


def test_validation_falls_unless_the_labels_are_unshifted_which_only_the_log_hides(tiny, tmp_path):
    spec = replace(SPEC, steps=25, batch=8, checkpoints=(0, 25), scale=2.0, learning_rate=3e-3)
    plain, odd = (
        made(tmp_path / f"out{len(quirks)}", replace(spec, quirks=quirks), tiny)
        for quirks in ((), ("unshifted-labels",))
    )
    steps = read_steps(odd)
    assert steps[-1].loss < steps[0].loss - 0.2
    assert steps[0].parts["true answer"] == pytest.approx(read_steps(plain)[0].loss, rel=1e-6)
    assert read_steps(plain)[0].parts == {}
    assert sft.read_validation(odd)[0] == sft.read_validation(plain)[0]
    assert sft.read_validation(odd)[25] > sft.read_validation(plain)[25] + 1
    assert sft.read_validation(plain)[25] < 0.8 * sft.read_validation(plain)[0]


SIZES = {"steps": 3, "batch": 4, "examples": 20, "validation": 8, "checkpoints": (0, 3)}


def write_rows(file: Path, form: str = "completion", validation: int = 8) -> Path:
    examples = generate("arithmetic", 20, validation, 5)
    lines = [*rows(examples.train, "train", form), *rows(examples.valid, "valid", form)]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def test_the_labs_problems_from_a_file_train_the_same_adapter(tiny, tmp_path):
    source, _ = source_of(str(write_rows(tmp_path / "own.jsonl")))
    own = made(tmp_path / "own", SftTexts(**SIZES, texts=source), tiny, seed=5)
    lab = made(tmp_path / "lab", Sft(**SIZES), tiny, seed=5)
    for name, weight in load_file(lab / "adapters.safetensors").items():
        np.testing.assert_array_equal(load_file(own / "adapters.safetensors")[name], weight)
    assert read_validation(own) == read_validation(lab)
    about = json.loads((own / "texts.json").read_text())
    assert (about["train"], about["valid"], about["shared"]) == (20, 8, 0)


def test_text_is_scored_from_its_second_token_on(tiny_model):
    text, asked = TextRow(text="7 * 8 = 56"), TextRow(prompt="7 * 8 = ", text="56")
    whole, answer = examples_of_rows(tiny_model, [text, asked])
    assert whole.tokens == answer.tokens
    assert len(whole.prompt) == 1
    assert tiny_model.tokenizer.decode(list(answer.answer[:-1])) == "56"
    assert answer.answer[-1] == tiny_model.tokenizer.eos_token_id


def test_without_evaluation_rows_there_is_no_validation_loss(tiny, tmp_path):
    source, found = source_of(str(write_rows(tmp_path / "own.jsonl", form="text", validation=0)))
    assert not found.valid
    out = made(tmp_path / "out", SftTexts(**SIZES, texts=source), tiny, seed=5)
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
        examples_of_rows(loaded, [chat])
    loaded.tokenizer._tokenizer.chat_template = template
    loaded.tokenizer.has_chat_template = True
    (example,) = examples_of_rows(loaded, [chat])
    assert loaded.tokenizer.decode(list(example.prompt)).endswith("user 7 * 8.assistant ")
    assert loaded.tokenizer.decode(list(example.answer)) == "56."


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        ("{{ raise_exception('roles must\\nalternate') }}", r"refuses own, line 1 \(roles must\)"),
        ("{{ 1 / 0 }}", "refuses own, line 1 .division by zero."),
        ("{% for", "refuses own, line 1"),
        ("{{ ['a', 'b'] | random }}", "draws at random"),
        ("{{ 'a' * 2 * 10 ** 7 }}", "writes 20000000 characters for own, line 1"),
        ("{{ ('a' * 10 ** 10) | length }}", "takes more than 4 GB"),
        (
            "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
            "does not end within 1 s",
        ),
    ],
)
def test_a_template_that_fails_is_one_sentence(tiny_model, monkeypatch, template, sentence):
    monkeypatch.setattr(templates, "SECONDS", 1)
    tokenizer = tiny_model.tokenizer
    monkeypatch.setattr(tokenizer._tokenizer, "chat_template", template)
    tokenizer.has_chat_template = True
    chat = TextRow(messages=(("user", "7 * 8"), ("assistant", "56")), place="own, line 1")
    try:
        with pytest.raises(UserError, match=f"the chat template of .* {sentence}.*: give texts"):
            examples_of_rows(tiny_model, [chat])
    finally:
        tokenizer.has_chat_template = False


def test_a_template_runs_nowhere_but_in_the_process_that_has_limits(tiny_model, monkeypatch):
    tokenizer = tiny_model.tokenizer
    clock = "{{ bos_token }}{{ strftime_now('%f') }} {{ messages[0]['content'] }}"
    monkeypatch.setattr(tokenizer._tokenizer, "chat_template", clock)
    monkeypatch.setattr(tokenizer._tokenizer, "apply_chat_template", None)
    tokenizer.has_chat_template = True
    try:
        (prompt,) = templates.prompts_of(tiny_model, {"1": [{"role": "user", "content": "7 * 8"}]})
    finally:
        tokenizer.has_chat_template = False
    assert re.search(r"[0-9]{6} 7 \* 8$", prompt)


def test_a_row_that_does_not_fit_the_context_is_named(tiny_model):
    long = TextRow(prompt="1 + 1 = " * 40, text="2", place="own, line 9")
    with pytest.raises(UserError, match=r"own, line 9 has \d+ tokens, and .* reads 128"):
        examples_of_rows(tiny_model, [long])


@pytest.mark.parametrize("whole", [False, True])
def test_rows_are_cut_as_mlx_lm_cuts_them(tiny_model, tmp_path, whole):
    """Its batches are of the same tokens; a row whose prompt fills them has nothing to learn."""
    from mlx_lm.tuner.trainer import iterate_batches

    rows = [
        TextRow(prompt="1 + 1 = ", text="2"),
        TextRow(prompt="1 + 1 = ", text="2 and " * 9),
        TextRow(prompt="1 + 1 = " * 9, text="2"),
        TextRow(prompt="1 + 1 = " * 40, text="2", place="own, line 4"),
    ]
    found = read_examples(tiny_model, rows, 12, whole=whole)
    every = examples_of_rows(tiny_model, rows, 12)
    theirs, spans = next(
        iterate_batches([(list(e.tokens), len(e.prompt)) for e in every], len(every), 12)
    )
    lengths = np.array(spans)[:, 1]
    cut = [tuple(row[:n]) for row, n in zip(np.array(theirs).tolist(), lengths, strict=True)]
    assert {e.tokens for e in found.examples} <= set(cut)
    assert (found.count, found.cut, found.left_out) == ((4, 3, 0) if whole else (2, 1, 2))
    with pytest.raises(UserError, match="--max-seq-length 2 leaves nothing to learn of any row"):
        read_examples(tiny_model, rows, 2)
    with pytest.raises(UserError, match="or give --max-seq-length 128, which cuts such rows"):
        read_examples(tiny_model, rows, 4096)
