"""The lab's tokenizer: one byte-level BPE for every family and seed, so lens words are comparable.

Pre-tokenisation is Llama 3's: digits in groups of one to three, and the space before a number its
own token, so ``7 * 8 = `` ends with the space token and the answer comes next.
"""

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import numpy as np
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from lazarus_bench.tasks import corpus
from lazarus_bench.tasks.arithmetic import Operation, all_problems

BOS, EOS, PAD = "<|begin_of_text|>", "<|end_of_text|>", "<|pad|>"

PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""Llama 3's pre-tokenisation (its published tokenizer.json)."""

MAX_VOCABULARY = 1280
"""Room for every merge below and little more: training pays for every token's exp()."""

_SAMPLE = 3000
"""Documents of each kind that the merges are learned from."""

_EMPHASIS = 200
"""Occurrences given to each number and operation word, so that each becomes a single token."""


def operation_words() -> tuple[str, ...]:
    """Every name and synonym of an operation, in all four spellings."""
    words = [w for o in Operation for w in (o.word, *o.synonyms)]
    cased = [form for word in words for form in (word, word.capitalize())]
    return tuple(spelling for word in cased for spelling in (word, f" {word}"))


@cache
def numbers() -> tuple[int, ...]:
    """Every number from 0 to the largest answer; each is a single token."""
    return tuple(range(1 + max(max(p.a, p.answer) for o in Operation for p in all_problems(o))))


def byte_level_bpe(
    texts: Iterable[str], vocabulary: int, least: int, split: pre_tokenizers.PreTokenizer
) -> Tokenizer:
    """A byte-level BPE of at most `vocabulary` tokens, of merges that occur `least` times."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = split
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=least,
        show_progress=False,
        special_tokens=[BOS, EOS, PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


@cache
def build_json() -> str:
    """Train the tokenizer and return its tokenizer.json, the same on every call."""
    rng = np.random.default_rng(0)
    kinds = (corpus.prose, corpus.worded, corpus.symbols, corpus.questions)
    texts = [document.whole for kind in kinds for document in kind(rng, _SAMPLE)]
    texts += [*map(str, numbers()), *operation_words()] * _EMPHASIS
    split = [
        pre_tokenizers.Split(Regex(PATTERN), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ]
    tokenizer = byte_level_bpe(texts, MAX_VOCABULARY, 20, pre_tokenizers.Sequence(split))
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A",
        pair=f"{BOS} $A {BOS} $B:1",
        special_tokens=[(BOS, token_id(tokenizer, BOS))],
    )
    return str(tokenizer.to_str(pretty=True))


def tokenizer() -> Tokenizer:
    """A fresh instance of the lab's tokenizer."""
    return Tokenizer.from_str(build_json())


def token_id(tokenizer: Tokenizer, token: str) -> int:
    """The id of a token; a KeyError when the vocabulary lacks it."""
    found: int | None = tokenizer.token_to_id(token)
    if found is None:
        raise KeyError(token)
    return found


def special_ids(tokenizer: Tokenizer) -> dict[str, int]:
    """The ids of the special tokens under config.json's names."""
    tokens = {"bos_token_id": BOS, "eos_token_id": EOS, "pad_token_id": PAD}
    return {name: token_id(tokenizer, token) for name, token in tokens.items()}


def word_ids(tokenizer: Tokenizer) -> list[int]:
    """Ids of the tokens whose text has a letter in it, ascending; special tokens are none."""
    special = special_ids(tokenizer).values()
    texts = ((i, tokenizer.decode([i])) for i in range(tokenizer.get_vocab_size()))
    return [i for i, text in texts if i not in special and any(c.isalpha() for c in text)]


def save(directory: Path, tokenizer: str | None = None, max_length: int = 128) -> None:
    """Write tokenizer.json, the lab's unless another is given, and tokenizer_config.json."""
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": BOS,
        "eos_token": EOS,
        "pad_token": PAD,
        "clean_up_tokenization_spaces": False,
        "model_max_length": max_length,
    }
    text = json.dumps(config, indent=2) + "\n"
    (directory / "tokenizer_config.json").write_text(text, encoding="utf-8")
    (directory / "tokenizer.json").write_text(tokenizer or build_json(), encoding="utf-8")
