"""A flag whose value begins with two hyphens is no trace: it is refused, or the value taken."""

import pytest

from lazarus_bench import cli
from lazarus_bench.errors import UserError
from lazarus_bench.models.engram import SETTINGS, load_engram
from lazarus_bench.models.files import read_json

WORDS = [
    *(f"report nowhere --{name}=--" for name in ("as", "claim", "subject", "output", "json")),
    *(f"run --plan --{name}=--" for name in ("profile", "hypotheses", "workers", "seeds")),
    *(f"generate nowhere x --{name}=--" for name in ("temperature", "tokens", "seed", "adapter")),
    *(f"train sft nowhere --{name}=--" for name in ("steps", "seed", "output", "rank")),
    *(f"{line} --{n}=--" for line in ("store list", "claims list") for n in ("store", "family")),
    *("diff a b --output=--", "judge nowhere --region=--", "lens nowhere x --layers=--"),
]


@pytest.mark.parametrize("line", WORDS)
def test_two_hyphens_as_a_value(line, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAZARUS_BENCH_STORE", str(tmp_path / "store"))
    assert cli.main(line.split()) in (0, 2)
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("text", ["{", "[" * 5000, '{"a": 1e400}', '"\\ud800"', ""])
def test_the_settings_of_a_recipe_are_read_within_bounds(text, tmp_path):
    (tmp_path / SETTINGS).write_text(text)
    for read in (read_json, lambda file: load_engram(tmp_path, file.parent)):
        with pytest.raises(UserError, match="is not valid JSON"):
            read(tmp_path / SETTINGS)
