"""Where claim files are looked for."""

from pathlib import Path

import pytest

import lazarus_bench
from lazarus_bench.claims import folder as module
from lazarus_bench.claims.folder import claims_folder, installed
from lazarus_bench.errors import UserError

CHECKOUT = Path(__file__).resolve().parents[2]


def test_a_named_folder_is_taken_as_it_is():
    assert claims_folder("anywhere") == Path("anywhere")


def test_claim_files_here_come_before_those_that_came_installed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hypotheses").mkdir()
    package = tmp_path / "checkout" / "lazarus_bench"
    beside = package.parent / "hypotheses"
    beside.mkdir(parents=True)
    (beside / "test_lens.py").touch()
    (package.parent / "pyproject.toml").touch()
    monkeypatch.setattr(lazarus_bench, "__file__", str(package / "__init__.py"))
    assert claims_folder(None) == installed() == beside
    (tmp_path / "hypotheses" / "test_mine.py").touch()
    assert claims_folder(None) == Path("hypotheses")


def test_a_wheel_brings_them_in_the_package(tmp_path, monkeypatch):
    package = tmp_path / "site-packages" / "lazarus_bench"
    package.mkdir(parents=True)
    monkeypatch.setattr(lazarus_bench, "__file__", str(package / "__init__.py"))
    monkeypatch.chdir(tmp_path)
    (package.parent / "hypotheses").mkdir()
    (package.parent / "hypotheses" / "test_of_another_project.py").touch()
    assert installed() is None
    with pytest.raises(UserError, match=r"no folder of claim files: .* --hypotheses DIR"):
        claims_folder(None)
    (package / "hypotheses").mkdir()
    (package / "hypotheses" / "test_lens.py").touch()
    assert claims_folder(None) == package / "hypotheses"


def test_a_wheel_and_no_editable_install_is_told_to_bring_them():
    settings = (CHECKOUT / "pyproject.toml").read_text()
    assert '[tool.hatch.build.targets.wheel.hooks.custom]\npath = "hatch_build.py"' in settings
    hook = (CHECKOUT / "hatch_build.py").read_text()
    assert 'if version == "standard":' in hook
    assert f'["{module.NAME}"] = "lazarus_bench/{module.NAME}"' in hook
