"""The search for the folder of claim files."""

from pathlib import Path

import pytest

import lazarus_bench
from lazarus_bench.claims import folder as module
from lazarus_bench.claims.folder import claims_folder, installed
from lazarus_bench.errors import UserError

CHECKOUT = Path(__file__).resolve().parents[2]


def touched(file):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    return file.parent


def test_a_named_folder_comes_first_then_one_here_then_the_installed_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hypotheses").mkdir()
    checkout = touched(tmp_path / "checkout" / "pyproject.toml")
    beside = touched(checkout / "hypotheses" / "test_lens.py")
    monkeypatch.setattr(lazarus_bench, "__file__", str(checkout / "lazarus_bench" / "__init__.py"))
    with pytest.raises(UserError, match="no folder anywhere"):
        claims_folder("anywhere")
    beyond = touched(tmp_path / "site" / "some_claims" / "test_mine.py")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    assert claims_folder("some_claims") == beyond
    with pytest.raises(UserError, match="nor is a package of that name installed"):
        claims_folder("json")  # a package without claims
    (tmp_path / "anywhere").mkdir()
    assert claims_folder("anywhere") == Path("anywhere")
    assert claims_folder(None) == installed() == beside
    touched(tmp_path / "hypotheses" / "test_mine.py")
    with pytest.raises(UserError, match=r"has no registry\.json of claims.*--hypotheses hypoth"):
        claims_folder(None)
    (tmp_path / "hypotheses" / "registry.json").write_text('{"registry": 1, "claims": []}')
    assert claims_folder(None) == Path("hypotheses")


@pytest.mark.parametrize("text", ["{}", "[]", '{"registry": 1, "claims": [{"id": 3}]}', "[" * 9999])
@pytest.mark.parametrize(
    "words", [["claims", "list"], ["experiment", "list"], ["run", "--plan"]], ids=" ".join
)
def test_a_listing_runs_no_file_of_a_folder_that_nobody_named(
    tmp_path, monkeypatch, capsys, words, text
):
    from lazarus_bench.cli import main

    monkeypatch.chdir(tmp_path)
    ran = tmp_path / "ran"
    file = tmp_path / "hypotheses" / "test_planted.py"
    touched(file)
    file.write_text(f"import pathlib; pathlib.Path({str(ran)!r}).touch()")
    (file.parent / "registry.json").write_text(text)
    assert main(words) == 2
    assert "to read claims is to run their files" in capsys.readouterr().err
    assert not ran.exists()
    (file.parent / "registry.json").write_text('{"registry": 1, "claims": []}')
    if words[0] != "experiment":  # which lists none without its file, and reads no claim
        main(words)
        assert f"the claims are those in {file.parent}" in capsys.readouterr().err
        assert ran.exists()


def test_a_wheel_brings_them_in_the_package(tmp_path, monkeypatch):
    package = tmp_path / "site-packages" / "lazarus_bench"
    monkeypatch.setattr(lazarus_bench, "__file__", str(package / "__init__.py"))
    monkeypatch.chdir(tmp_path)
    touched(package.parent / "hypotheses" / "test_of_another_project.py")
    assert installed() is None
    with pytest.raises(UserError, match=r"no folder of claim files: .* --hypotheses DIR"):
        claims_folder(None)
    assert touched(package / "hypotheses" / "test_lens.py") == claims_folder(None)


def test_a_wheel_and_no_editable_install_is_told_to_bring_them():
    settings = (CHECKOUT / "pyproject.toml").read_text()
    assert '[tool.hatch.build.targets.wheel.hooks.custom]\npath = "hatch_build.py"' in settings
    hook = (CHECKOUT / "hatch_build.py").read_text()
    assert 'if version == "standard":' in hook
    assert f'["{module.NAME}"] = "lazarus_bench/{module.NAME}"' in hook


def test_a_package_is_found_by_the_name_that_pip_writes(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    claims = touched(tmp_path / "a_pack_of_claims" / "test_one.py")
    assert claims_folder("a-pack-of-claims") == claims_folder("a_pack_of_claims") == claims


def test_a_project_names_its_folder_and_a_damaged_one_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "test_it.py").write_text("")
    project = tmp_path / "pyproject.toml"
    project.write_text('[tool.lazarus-bench]\nhypotheses = "mine"\n')
    with pytest.raises(UserError, match=r"has no registry\.json of claims.*--hypotheses mine"):
        claims_folder(None)
    (tmp_path / "mine" / "registry.json").write_text('{"registry": 1, "claims": []}')
    assert claims_folder(None) == Path("mine")
    project.write_text("[tool")
    with pytest.raises(UserError, match=r"pyproject\.toml cannot be read"):
        claims_folder(None)
