"""Published lenses are read as torch saves them, and nothing but weights is."""

import json

import numpy as np
import pytest

from lazarus_bench.backend import mx
from lazarus_bench.errors import UserError
from lazarus_bench.models.load import load, with_lens
from lazarus_bench.models.published_lenses import is_published, read_published

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.oracle

WIDTH = 48
STATE = mx.array(np.random.default_rng(1).normal(size=(3, WIDTH)).astype(np.float32))


def drawn(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def test_a_jacobian_lens(tiny, tmp_path):
    file = tmp_path / "lens.pt"
    matrices = {layer: drawn(WIDTH, WIDTH).half() for layer in (0, 1, 2)}
    whole = {"J": matrices, "n_prompts": 7, "source_layers": [0, 1, 2], "d_model": WIDTH}
    torch.save(whole, file)
    assert is_published(file)
    read = with_lens(load(tiny), read_published(file))
    assert (read.lens.kind, read.lens.about["text"]) == ("jacobian", {"prompts": 7})
    assert read.lens_layers == (0, 1, 2, 3)
    expected = torch.tensor(np.array(STATE)) @ matrices[1].float().T
    np.testing.assert_allclose(read.lens(1, STATE), expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(read.lens(3, STATE), STATE)


def test_a_tuned_lens_s_translators_stand_before_the_blocks(tiny, tmp_path):
    linears = torch.nn.ModuleList([torch.nn.Linear(WIDTH, WIDTH) for _ in range(4)])
    torch.save(linears.state_dict(), tmp_path / "params.pt")
    (tmp_path / "config.json").write_text(json.dumps({"base_model_name_or_path": "a/b"}))
    assert is_published(tmp_path)
    read = with_lens(load(tiny), read_published(tmp_path))
    assert read.lens.about["fitted_for"] == "a/b"
    assert read.lens.layers == (0, 1, 2)
    hidden = torch.tensor(np.array(STATE))
    expected = (hidden + linears[2](hidden)).detach()  # what stands before block 2 is after block 1
    np.testing.assert_allclose(read.lens(1, STATE), expected, rtol=1e-4, atol=1e-4)


class Code:
    def __reduce__(self):
        return (print, ("this must not run",))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"J": Code()}, "holds more than weights, or is damaged"),
        ([1, 2], "holds no lens"),
        ({"K": {}}, "holds no matrices J"),
        ({"J": {0: "a"}}, "holds 'a' for a matrix"),
        ({"J": {0: torch.eye(3), 1: torch.eye(4)}}, "no square matrices of one width"),
        ({"J": {0: torch.full((3, 3), torch.nan)}}, "no square matrices of one width"),
    ],
)
def test_what_is_no_lens_is_refused(content, sentence, tmp_path, capsys):
    file = tmp_path / "lens.pt"
    torch.save(content, file)
    with pytest.raises(UserError, match=sentence):
        read_published(file)
    assert "must not run" not in capsys.readouterr().out
