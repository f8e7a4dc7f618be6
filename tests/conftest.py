"""Fixtures that many rooms' tests share: a small untrained model, and the checkpoints beside us."""

import os
from pathlib import Path

import hypothesis
import pytest

# An outsider's package with claim files of its own: `.ci/outside` installs it and runs them.
collect_ignore = ["outside"]

hypothesis.settings.register_profile("tests", deadline=None)
# The same examples each time, and half as many: CI has 25 minutes for everything.
hypothesis.settings.register_profile(
    "ci", deadline=None, derandomize=True, print_blob=True, max_examples=50
)
hypothesis.settings.load_profile("tests")

# Far above the slowest test: what takes longer hangs, and should say where.
LONGEST_TEST_SECONDS = 600

SHARED_VARIABLE = "LAZARUS_BENCH_SHARED"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(LONGEST_TEST_SECONDS))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real checkpoints beside the project; no part of the product."""
    beside = Path(__file__).resolve().parents[2] / "shared"
    directory = Path(os.environ.get(SHARED_VARIABLE, beside))
    if not (directory / "models").is_dir():
        pytest.skip(f"{directory} has no models: set {SHARED_VARIABLE} to the folder that has them")
    return directory


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Path:
    """An untrained lab llama of 4 layers and 48 dimensions, in Hugging Face layout."""
    from families import small_llama

    return small_llama(tmp_path_factory.mktemp("tiny"), width=48, layers=4, heads=3)


@pytest.fixture(scope="session")
def tiny_model(tiny):
    """`tiny`, loaded; treat it as read-only."""
    from lazarus_bench.models.load import load

    return load(tiny)
