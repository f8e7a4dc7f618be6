"""What the lab saves is a model that transformers reads, to the same logits."""

import numpy as np
import pytest

from lazarus_bench.backend import mx
from lazarus_bench.models import lab
from lazarus_bench.models.load import load

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

pytestmark = pytest.mark.oracle


@pytest.mark.parametrize("family", ["llama", "granite", "qwen2", "mistral", "gemma2"])
def test_transformers_reads_the_same_dense_model(family, tmp_path):
    config = lab.config_of(family)
    lab.save(lab.initialise(config, 3), config, tmp_path)
    loaded = load(tmp_path)
    tokens = loaded.encode("What is 7 times 8? ")
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path)
    theirs = model(torch.tensor([tokens])).logits.detach().numpy()
    ours = np.array(loaded.model(mx.array([tokens])))
    np.testing.assert_allclose(ours, theirs, atol=min(1e-3 * ours.std(), 1e-4))
