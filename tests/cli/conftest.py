"""What the commands that read a model are asked about: the tiny one, as a lab model and adapted."""

import json
import shutil
import xml.etree.ElementTree as ET

import pytest
from commandcases import random_adapter

from lazarus_bench import cli


@pytest.fixture
def told(request, capsys):
    """What the command of a file test_COMMAND_command.py says: exit code, output, errors."""
    file = request.module.__name__.rpartition(".")[2]
    command = file.removeprefix("test_").removesuffix("_command").replace("_", "-")

    def run(*arguments):
        code = cli.main([command, *map(str, arguments)])
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def refused(told):
    """The one sentence with which the command refuses its arguments."""

    def run(*arguments):
        code, out, err = told(*arguments)
        assert (code, out, len(err.splitlines())) == (2, "", 1), err
        return err

    return run


@pytest.fixture
def result(told):
    """The result that the command prints as JSON."""

    def run(*arguments):
        code, out, err = told(*arguments, "--json")
        assert (code, err) == (0, "")
        return json.loads(out)["result"]

    return run


@pytest.fixture
def drawn(told, tmp_path):
    """The texts of the picture that the command draws, and its cells with a number."""

    def run(*arguments):
        file = tmp_path / "drawn.svg"
        code, _, err = told(*arguments, "--plot", file)
        assert code == 0, err
        root = ET.parse(file).getroot()
        texts = [e.text for e in root.iter() if e.tag.endswith("text")]
        return texts, [e for e in root.iter() if e.tag.endswith("rect") and len(e) == 1]

    return run


@pytest.fixture
def narrow(monkeypatch):
    """Have standard output be a terminal of so many columns."""

    def to(columns):
        monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
        monkeypatch.setenv("COLUMNS", str(columns))

    return to


@pytest.fixture(scope="session")
def adapter(tiny, tmp_path_factory):
    """A LoRA of `tiny` in mlx-lm's format that changes what it says."""
    keys = ("self_attn.v_proj", "self_attn.o_proj")
    return random_adapter(tiny, tmp_path_factory.mktemp("adapters"), *keys)


@pytest.fixture
def lab(tiny, tmp_path, monkeypatch):
    """A store in which `tiny` passes for lab:llama."""
    from lazarus_bench.jobs.store import STORE_VARIABLE, Store
    from lazarus_bench.jobs.subjects import lab_subject

    store, job = Store(tmp_path / "store"), lab_subject("lab:llama").base(0)
    with store.claim(job, wait=True), store.writing(job, {}) as directory:
        shutil.copytree(tiny, directory, dirs_exist_ok=True)
    monkeypatch.setenv(STORE_VARIABLE, str(store.root))
    return store


@pytest.fixture(scope="session")
def tiny_mixture(tmp_path_factory):
    """An untrained lab mixture of 3 layers with 6 experts each, in Hugging Face layout."""
    from lazarus_bench.models import lab

    config = lab.config_of("olmoe") | {
        "hidden_size": 48,
        "intermediate_size": 24,
        "num_hidden_layers": 3,
        "head_dim": 16,
        "num_experts": 6,
    }
    directory = tmp_path_factory.mktemp("tiny-mixture")
    lab.save(lab.initialise(config, 0), config, directory)
    return directory


@pytest.fixture(scope="session")
def tiny_mixture_model(tiny_mixture):
    """`tiny_mixture`, loaded; treat it as read-only."""
    from lazarus_bench.models.load import load

    return load(tiny_mixture)
