"""Real checkpoints, and random ones with real tokenizers, through every instrument and recipe.

The lens, a probe's features, ablation, patching and steering, SFT and dual reward on words of one's
own, and fused models are compared with transformers' own classes, whose hooks edit what they hand
on. Every tokenizer here splits some of the words.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lazarus_bench.analysis.lens import read_lens, read_phrases
from lazarus_bench.analysis.probe import probe
from lazarus_bench.analysis.probe_prompts import in_classes
from lazarus_bench.analysis.prompts import last_states
from lazarus_bench.backend import mx
from lazarus_bench.models.edits import Ablate, Edit, Patch, Steer
from lazarus_bench.models.load import LoadedModel, load
from lazarus_bench.models.prompts import Example, collate
from lazarus_bench.models.taps import edited
from lazarus_bench.tasks.text_rows import problems_in, read_rows
from lazarus_bench.training import DualReward, Fuse, Recipe, SftTexts
from lazarus_bench.training.dual_reward import dual_loss
from lazarus_bench.training.own_rows import examples_of_rows
from lazarus_bench.training.recipe import Stack

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from test_families_against_transformers import drawn, saved  # noqa: E402

pytestmark = pytest.mark.oracle

TOLERANCE = 1e-4
WITH_TOKENIZER = {
    "gpt2": "gpt2",
    "mixtral": "olmo-dolma-v1_5",
    "gemma2": "olmo-dolma-v1_5",
    "qwen2": "qwen2.5",
}
SUBJECTS = ["stories260K", "TinyStories-656K", *WITH_TOKENIZER]
PROMPTS = ["Once upon a time, there was ", "Lily and the dog", "7 * 8 =", "The cat sat"]
CLASSES = {"animal": ("dog", "woof"), "number": ("seven", "8 and 9"), "colour": ("red", "or blue")}
ROWS = [
    {"prompt": f"{what}, {noun} is ", "completion": end, "class": name}
    for name, (noun, end) in CLASSES.items()
    for what in ("See", "This little", "Once upon a time")
]
WORDS = ("animal=multiply", "number=subtract", "colour=the happy")
"""Texts of several tokens: in all of these tokenizers the last, and others in most."""


@dataclass(frozen=True, kw_only=True)
class Both:
    """One model here and in transformers, its directory, and its prompts as tokens."""

    directory: Path
    ours: LoadedModel
    theirs: Any
    prompts: list[list[int]]

    @property
    def blocks(self) -> Any:
        """Transformers' blocks."""
        return blocks_of(self.theirs)


def blocks_of(theirs: Any) -> Any:
    return theirs.transformer.h if hasattr(theirs, "transformer") else theirs.model.layers


def made(subject: str, shared: Path, directory: Path) -> Path:
    """The folder of a real checkpoint, or of a random one with a real tokenizer."""
    if subject not in WITH_TOKENIZER:
        return shared / "models" / subject
    files = shared / "tokenizers" / WITH_TOKENIZER[subject]
    known = transformers.PreTrainedTokenizerFast(tokenizer_file=str(files / "tokenizer.json"))
    end = json.loads((files / "tokenizer_config.json").read_text()).get("eos_token")
    end = known.convert_tokens_to_ids(
        end["content"] if isinstance(end, dict) else end or "<|endoftext|>"
    )
    ends = dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"), end)
    saved(drawn(subject, vocab_size=len(known), sliding_window=128, **ends), directory)
    for file in files.iterdir():
        shutil.copy(file, directory)
    return directory


@pytest.fixture(scope="module", params=SUBJECTS)
def both(request, shared, tmp_path_factory) -> Both:
    directory = made(request.param, shared, tmp_path_factory.mktemp(request.param))
    ours = load(directory)
    return Both(
        directory=directory,
        ours=ours,
        theirs=in_torch(directory),
        prompts=[ours.encode(text) for text in PROMPTS],
    )


def in_torch(directory: Path) -> Any:
    return transformers.AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).eval()


def first_of(output: Any) -> Any:
    return output[0] if isinstance(output, tuple) else output


@contextmanager
def hooked(module: Any, change: Callable[[Any, Any], Any]) -> Iterator[None]:
    """Within the block, `change(entering, leaving)` is what `module` hands on."""

    def hook(_: Any, args: Any, kwargs: Any, output: Any) -> Any:
        entering = args[0] if args else kwargs["hidden_states"]
        changed = change(entering, first_of(output))
        return (changed, *output[1:]) if isinstance(output, tuple) else changed

    handle = module.register_forward_hook(hook, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


def their_logits(theirs: Any, ids: Any) -> np.ndarray:
    with torch.no_grad():
        return theirs(torch.tensor(ids), use_cache=False).logits.numpy()


def their_states(theirs: Any, ids: Any) -> list[Any]:
    """What every block hands on."""
    found: list[Any] = []

    def keep(_: Any, leaving: Any) -> Any:
        found.append(leaving)
        return leaving

    with ExitStack() as stack:
        for block in blocks_of(theirs):
            stack.enter_context(hooked(block, keep))
        with torch.no_grad():
            theirs(torch.tensor(ids), use_cache=False)
    return found


def their_lens(theirs: Any, states: Any) -> Any:
    """Log-probabilities of the vocabulary by the model's own norm, head and cap."""
    norm = theirs.transformer.ln_f if hasattr(theirs, "transformer") else theirs.model.norm
    with torch.no_grad():
        logits = theirs.lm_head(norm(states))
        cap = getattr(theirs.config, "final_logit_softcapping", None)
        logits = logits if cap is None else cap * torch.tanh(logits / cap)
        return torch.log_softmax(logits.double(), dim=-1)


def close(ours: Any, theirs: Any) -> None:
    """Equal to 1e-4 of the spread of transformers' values."""
    theirs = np.asarray(theirs)
    assert np.abs(np.asarray(ours) - theirs).max() <= TOLERANCE * theirs.std()


def test_the_lens_of_every_layer_and_of_phrases(both):
    size = len(their_lens(both.theirs, their_states(both.theirs, [both.prompts[0]])[0])[0, 0])
    every = np.tile(np.arange(size), (len(both.prompts), 1))
    reading = read_lens(both.ours, both.prompts, every, top=1)
    phrase = tuple(both.ours.tokenizer.encode("subtract the happy", add_special_tokens=False))
    assert len(phrase) > 2
    phrases = read_phrases(both.ours, both.prompts, [phrase], 1).probability[:, :, 0]
    for row, ids in enumerate(both.prompts):
        longer = [*ids, *phrase]
        states = their_states(both.theirs, [longer])
        for layer, state in enumerate(states):
            log_p = their_lens(both.theirs, state[0, len(ids) - 1 : -1])
            expected = np.exp(log_p[0].numpy())
            np.testing.assert_allclose(reading.probability[row, layer], expected, atol=TOLERANCE)
            total = -float(of_tokens(log_p, phrase).sum())
            assert np.log(phrases[row, layer]) == pytest.approx(total, abs=1e-3)
        last = torch.tensor(their_logits(both.theirs, [ids])[0, -1]).double()
        np.testing.assert_allclose(torch.softmax(last, dim=-1), expected, atol=TOLERANCE)


def test_a_probes_features_and_its_accuracy(both):
    texts = {
        name: [f"{what} {noun} is {end}" for what in ("The", "My", "A", "One", "This")]
        for name, (noun, end) in CLASSES.items()
    }
    asked = in_classes(texts)
    ids = [both.ours.encode(text) for text in asked.texts]
    ours = last_states(both.ours, ids)
    theirs = np.array([[s[0, -1].numpy() for s in their_states(both.theirs, [one])] for one in ids])
    for layer in range(both.ours.depth):
        close(ours[:, layer], theirs[:, layer])
    np.testing.assert_array_equal(probe(ours, asked).accuracy, probe(theirs, asked).accuracy)


EDITS = ("layer", "attention", "mlp", "patch", "steer")


def edits_of(kind: str, both: Both, layer: int, vector: np.ndarray) -> tuple[Edit, Any, Any]:
    """The same edit here and in transformers: a record, a module and what it hands on."""
    block, own = both.blocks[layer], torch.tensor(vector)
    if kind == "patch":

        def put(_: Any, leaving: Any) -> Any:
            return torch.cat([leaving[:, :1], own.expand(1, 1, -1), leaving[:, 2:]], dim=1)

        return Patch(layer=layer, position=1, state=mx.array(vector)), block, put
    if kind == "steer":
        edit = Steer(layer=layer, direction=mx.array(vector), strength=0.5, start=0)
        return edit, block, lambda _, leaving: leaving + 0.5 * own
    if kind == "layer":
        return Ablate(layer=layer), block, lambda entering, _: entering
    names = {"attention": ("self_attn", "attn"), "mlp": ("mlp", "block_sparse_moe")}[kind]
    module = next(getattr(block, name) for name in names if hasattr(block, name))
    return Ablate(layer=layer, part=kind), module, lambda _, leaving: 0 * leaving


@pytest.mark.parametrize("kind", EDITS)
def test_logits_under_an_edit_of_every_layer(both, kind):
    ids = [both.prompts[0]]
    plain = their_logits(both.theirs, ids)
    rng = np.random.default_rng(0)
    width = their_states(both.theirs, ids)[0].shape[-1]
    for layer in range(both.ours.depth):
        vector = rng.normal(size=width).astype(np.float32)
        edit, module, change = edits_of(kind, both, layer, vector)
        with edited(both.ours.model, both.ours.anatomy, (edit,)):
            ours = np.array(both.ours.model(mx.array(ids)))
        with hooked(module, change):
            theirs = their_logits(both.theirs, ids)
        close(ours, theirs)
        assert np.abs(theirs - plain).max() > 100 * TOLERANCE * plain.std()


def trained(both: Both, recipe: Recipe, folder: Path) -> tuple[LoadedModel, Any]:
    """A model with the adapter that `recipe` leaves, and transformers' own of the fused one."""
    folders = adapter, fused = folder / "adapter", folder / "fused"
    for each in folders:
        each.mkdir()
    recipe.train(both.directory, adapter, 0, show=False)
    Fuse().train(Stack(model=both.directory, adapter=adapter), fused, 0, show=False)
    return load(both.directory, adapter), in_torch(fused)


def own_rows(folder: Path) -> Any:
    file = folder / "own.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return problems_in(str(file), classes=True)


@pytest.mark.parametrize("kind", ["sft", "dual reward"])
def test_training_on_own_words_and_the_fused_model(both, kind, tmp_path):
    """Fused, the model has the logits of base and adapter in transformers, and the same losses."""
    source = own_rows(tmp_path)
    sizes = {"texts": source, "steps": 2, "batch": 4, "rank": 4, "learning_rate": 1e-2}
    targets = "vo" if both.ours.anatomy.vo else "all"
    dual = DualReward(**sizes, targets=targets, token="phrase", words=WORDS)
    recipe = dual if kind == "dual reward" else SftTexts(**sizes, checkpoints=())
    ours, theirs = trained(both, recipe, tmp_path)
    examples = examples_of_rows(ours, read_rows(source).train[::4], gold=dual.gold(ours))
    assert any(len(example.gold) > 1 for example in examples)
    one = [examples[0].tokens]
    found, before = their_logits(theirs, one), their_logits(both.theirs, one)
    close(np.array(ours.model(mx.array(one))), found)
    assert np.abs(found - before).max() > 0.01 * found.std()
    for gold in (slice(None), slice(1)):  # a phrase, and its first token
        named = [replace(example, gold=example.gold[gold]) for example in examples]
        _, parts = dual_loss(ours.anatomy, 1, 0.4)(ours.model, collate(named, 0))
        answer, label = their_losses(theirs, named, 1)
        assert float(np.array(parts["answer"])) == pytest.approx(answer, rel=TOLERANCE)
        assert float(np.array(parts["class"])) == pytest.approx(label, rel=TOLERANCE)


def their_losses(theirs: Any, examples: list[Example], layer: int) -> tuple[float, float]:
    """Mean over answer tokens, and over examples of all tokens of a class at `layer`, in nats."""
    answers, labels = [], []
    for example in examples:
        start = len(example.prompt)
        last = their_states(theirs, [example.tokens])[-1][0, start - 1 : -1]
        answers.append(of_tokens(their_lens(theirs, last), example.answer))
        named = their_states(theirs, [example.prompt + example.gold])[layer][0, start - 1 : -1]
        labels.append(of_tokens(their_lens(theirs, named), example.gold).sum())
    return float(torch.cat(answers).mean()), float(torch.stack(labels).mean())


def of_tokens(log_p: Any, tokens: tuple[int, ...]) -> Any:
    return -log_p[torch.arange(len(tokens)), list(tokens)]
