"""The lab's tokenizer: one for all, digits grouped, operation words whole."""

import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lazarus_bench.models import lab_tokenizer
from lazarus_bench.tasks import corpus
from lazarus_bench.tasks.arithmetic import Operation, sample_prompts

TOKENIZER = lab_tokenizer.tokenizer()


def pieces(text: str) -> list[str]:
    ids = TOKENIZER.encode(text, add_special_tokens=False).ids
    return [TOKENIZER.decode([i]) for i in ids]


def test_a_prompt_ends_with_the_space_and_the_answer_comes_next():
    assert pieces("7 * 8 = 56") == ["7", " *", " ", "8", " =", " ", "56"]
    assert pieces("What is 7 times 8? 56")[-2:] == [" ", "56"]
    for problem in sample_prompts():
        head = TOKENIZER.encode(problem.symbols).ids
        whole = TOKENIZER.encode(problem.symbols + str(problem.answer)).ids
        assert whole[:-1] == head


def test_digits_are_grouped_by_three_from_the_left():
    assert pieces("123456") == [*pieces("123"), *pieces("456")]
    assert pieces("3604") == ["360", "4"]


def test_numbers_operation_words_and_synonyms_are_single_tokens():
    words = lab_tokenizer.operation_words()
    for operation in Operation:
        assert {operation.word, f" {operation.word.capitalize()}"} <= set(words)
        assert set(operation.synonyms) <= set(words)
    assert lab_tokenizer.numbers()[0] == 0
    whole = (*words, *map(str, lab_tokenizer.numbers()))
    assert [word for word in whole if pieces(word) != [word]] == []


@given(st.text(max_size=60))
def test_any_text_survives_the_round_trip(text):
    assert TOKENIZER.decode(TOKENIZER.encode(text, add_special_tokens=False).ids) == text


def test_special_tokens_come_first_and_bos_begins_every_text():
    ids = [TOKENIZER.token_to_id(t) for t in (lab_tokenizer.BOS, lab_tokenizer.EOS)]
    assert ids == [0, 1]
    assert TOKENIZER.encode("7").ids[0] == 0


def test_vocabulary_is_small_and_the_corpus_needs_few_tokens_a_word():
    assert TOKENIZER.get_vocab_size() < lab_tokenizer.MAX_VOCABULARY
    texts = [d.whole for d in corpus.prose(np.random.default_rng(3), 500)]
    tokens = sum(len(pieces(text)) for text in texts)
    assert tokens < 1.6 * sum(len(text.split()) for text in texts)


def test_training_it_again_in_another_process_gives_the_same_file():
    code = (
        "import hashlib; from lazarus_bench.models.lab_tokenizer import build_json;"
        "print(hashlib.sha256(build_json().encode()).hexdigest())"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == hashlib.sha256(lab_tokenizer.build_json().encode()).hexdigest()


def test_an_unknown_token_is_refused():
    with pytest.raises(KeyError):
        lab_tokenizer.token_id(TOKENIZER, "no such token")


def test_saved_files_are_what_transformers_reads(tmp_path):
    from transformers import AutoTokenizer

    lab_tokenizer.save(tmp_path)
    assert json.loads((tmp_path / "tokenizer_config.json").read_text())["eos_token"]
    read = AutoTokenizer.from_pretrained(tmp_path)
    assert read.encode("7 * 8 = ") == TOKENIZER.encode("7 * 8 = ").ids
    assert (read.bos_token_id, read.eos_token_id, read.pad_token_id) == (0, 1, 2)
