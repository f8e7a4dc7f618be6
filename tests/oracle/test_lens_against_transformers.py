"""Every lens layer equals transformers' hidden state through its own final norm and head."""

import numpy as np
import pytest

from lazarus_bench.analysis.lens import read_lens
from lazarus_bench.backend import mx
from lazarus_bench.models.anatomy import unembed
from lazarus_bench.models.load import load
from lazarus_bench.models.prompts import Example, collate
from lazarus_bench.models.taps import residual_stream
from lazarus_bench.training.losses import sft_loss

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

pytestmark = pytest.mark.oracle

TEXTS = ("Once upon a time, there was", "Lily ", "The dog ran to the park and", "7 + 8 = ")


@pytest.fixture(scope="module", params=["stories260K", "TinyStories-656K"])
def both(request, shared):
    directory = shared / "models" / request.param
    theirs = transformers.AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32)
    return load(directory), theirs.eval()


def their_logits(model, ids) -> np.ndarray:
    """Logits `[layer, token]` at the last position; the last hidden state is normed already."""
    with torch.no_grad():
        output = model(torch.tensor([ids]), output_hidden_states=True)
        states = [model.model.norm(h[0, -1]) for h in output.hidden_states[1:-1]]
        states.append(output.hidden_states[-1][0, -1])
        logits = torch.stack([model.lm_head(state) for state in states])
        torch.testing.assert_close(logits[-1], output.logits[0, -1])
    return logits.numpy()


@pytest.mark.parametrize("text", TEXTS)
def test_logits_of_every_layer(both, text):
    ours, theirs = both
    ids = ours.encode(text)
    states = residual_stream(ours.model, ours.anatomy, mx.array([ids]))
    logits = [np.array(unembed(ours.model, ours.anatomy, h[0, -1])) for h in states]
    expected = their_logits(theirs, ids)
    assert len(logits) == len(expected) == ours.depth
    np.testing.assert_allclose(np.stack(logits), expected, atol=1e-4)


def test_probabilities_of_every_layer_in_one_batched_reading(both):
    ours, theirs = both
    prompts = [ours.encode(text) for text in TEXTS]
    vocabulary = ours.config["vocab_size"]
    targets = np.tile(np.arange(vocabulary), (len(prompts), 1))
    reading = read_lens(ours, prompts, targets, top=5)
    for row, ids in enumerate(prompts):
        logits = torch.tensor(their_logits(theirs, ids))
        expected = torch.softmax(logits.double(), dim=-1).numpy()
        np.testing.assert_allclose(reading.probability[row], expected, atol=1e-4)
        assert np.array_equal(reading.top_ids[row, :, 0], expected.argmax(axis=1))


def test_the_sft_loss_of_a_small_batch(both):
    ours, theirs = both
    texts = (("Once upon a", " time, there"), ("Lily ", "saw a dog"), ("The", " cat"))
    examples = [
        Example(
            prompt=tuple(ours.encode(prompt)),
            answer=tuple(ours.tokenizer.encode(answer, add_special_tokens=False)),
        )
        for prompt, answer in texts
    ]
    width = max(len(e.tokens) for e in examples)
    ids = torch.zeros((len(examples), width), dtype=torch.long)
    labels = torch.full_like(ids, -100)
    for row, e in enumerate(examples):
        ids[row, : len(e.tokens)] = torch.tensor(e.tokens)
        labels[row, len(e.prompt) : len(e.tokens)] = torch.tensor(e.answer)
    with torch.no_grad():
        expected = theirs(ids, labels=labels).loss.item()
    loss = sft_loss(ours.model, ours.anatomy, collate(examples, pad=0))
    assert float(np.array(loss)) == pytest.approx(expected, rel=1e-5)
