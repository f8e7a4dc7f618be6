"""An adapter's record tells which model it was trained on, and a command which it is put on."""

import shutil

import pytest

from lazarus_bench import cli
from lazarus_bench.cli.inputs import trained_elsewhere
from lazarus_bench.jobs.subjects import lab_subject

TINY = ["--steps", "1", "--batch", "4", "--examples", "24", "--rank", "2"]
SAID = "was trained on another model than"


@pytest.fixture
def trained(lab, tmp_path, capsys):
    """An adapter of lab:llama."""
    folder = tmp_path / "adapter"
    assert cli.main(["train", "dual-reward", "lab:llama", *TINY, "--output", str(folder)]) == 0
    capsys.readouterr()
    return folder


def test_an_adapter_of_another_model_of_the_same_shape_is_named(trained, lab, tiny, capsys):
    asked = ["lens", "lab:llama", "7 * 8 = ", "--adapter", str(trained)]
    assert cli.main(asked) == 0
    assert capsys.readouterr().err == ""
    # The same weights as another job's artifact.
    other = lab_subject("lab:granite").base(0)
    with lab.claim(other, wait=True), lab.writing(other, {}) as directory:
        shutil.copytree(tiny, directory, dirs_exist_ok=True)
    assert cli.main(["lens", "lab:granite", *asked[2:]]) == 0
    out, err = capsys.readouterr()
    assert f"adapter {SAID} lab:granite" in err
    assert out
    fused = ["fuse", "lab:granite", "--adapter", str(trained), "--output", str(lab.root / "fused")]
    assert cli.main(fused) == 0
    assert capsys.readouterr().err.count(SAID) == 1
    assert cli.main(["lens", "lab:granite", *asked[2:], "--diff"]) == 0
    assert capsys.readouterr().err.count(SAID) == 1
    # A copy without a record: nobody knows.
    assert cli.main(["lens", str(tiny), *asked[2:]]) == 0
    assert capsys.readouterr().err == ""


def test_an_adapter_of_a_fused_model_is_not_its_bases(lab, tmp_path, capsys):
    folder = tmp_path / "two"
    words = ["steps", "1", "batch", "4", "examples", "24", "rank", "2"]
    sizes = [
        word if at % 2 else f"--stage{n}-{word}" for n in (1, 2) for at, word in enumerate(words)
    ]
    asked = ["two-stage", "lab:llama", *sizes, "--stage1-validation", "8", "--output", str(folder)]
    assert cli.main(["train", *asked]) == 0
    base = lab.find(lab_subject("lab:llama").base(0)).directory
    assert not trained_elsewhere(folder / "stage2", folder / "fused")
    assert trained_elsewhere(folder / "stage2", base)
    assert not trained_elsewhere(folder / "stage1", base)


def test_a_model_of_ones_own_is_told_by_its_content(lab, tiny, tmp_path, capsys):
    folder, moved = tmp_path / "adapter", tmp_path / "moved"
    assert cli.main(["train", "dual-reward", str(tiny), *TINY, "--output", str(folder)]) == 0
    shutil.copytree(tiny, moved)
    assert not trained_elsewhere(folder, moved)
    config = moved / "config.json"
    config.write_text(config.read_text() + "\n")
    assert trained_elsewhere(folder, moved)


def test_an_adapter_without_a_record_is_nobodys(tiny, adapter):
    assert not trained_elsewhere(adapter, tiny)
