"""The model that is measured, the machine in the JSON, and what the suites found, in two files."""

from dataclasses import replace
from pathlib import Path

import pytest

from lazarus_bench.errors import UserError

FINDINGS = pytest.StashKey()


def pytest_addoption(parser):
    group = parser.getgroup("lazarus-bench")
    group.addoption("--lb-rounds", type=int, default=7, help="rounds of arms that take turns")
    group.addoption("--lb-steps", type=int, default=12, help="steps of a timed training")
    group.addoption("--lb-findings", metavar="FILE.json", help="what `benchmark --from` reads")
    group.addoption(
        "--lb-bigger-is-better", metavar="FILE.json", help="a file for github-action-benchmark"
    )


def pytest_configure(config):
    from lazarus_bench import backend

    _check(config)
    backend.set_threads()
    config.stash[FINDINGS] = []


def _check(config):
    """Refuse what could not be judged or written, before the hour that it takes to find out."""
    from lazarus_bench.report.files import check_place

    for flag, least in (("--lb-rounds", 2), ("--lb-steps", 1)):
        if config.getoption(flag) < least:
            given = config.getoption(flag)
            raise pytest.UsageError(f"{flag} {given} is too few: give {least} or more")
    for flag in ("--lb-findings", "--lb-bigger-is-better"):
        if config.getoption(flag):
            try:
                check_place(Path(config.getoption(flag)), "document")
            except UserError as error:
                raise pytest.UsageError(str(error)) from error


def pytest_benchmark_update_machine_info(config, machine_info):
    from lazarus_bench.benchmark.sections import machine

    machine_info["lazarus_bench"] = machine()


@pytest.fixture(scope="session")
def findings(request):
    """Where suites put what they find."""
    return request.config.stash[FINDINGS]


@pytest.fixture(scope="session")
def effort(request):
    from lazarus_bench.benchmark.rivals import Effort

    option = request.config.getoption
    return Effort(rounds=option("--lb-rounds"), steps=option("--lb-steps"))


@pytest.fixture(scope="session")
def measured(request, tmp_path_factory):
    """The subject of the suites: --lb-model, or an untrained lab llama."""
    from lazarus_bench.benchmark.sections import Subject, lab_subject
    from lazarus_bench.cli.inputs import find

    names = request.config.getoption("--lb-model")
    if len(names) > 1:
        raise UserError("the benchmarks measure one model a run: give --lb-model once")
    claims = Path(__file__).resolve().parents[1] / "hypotheses"
    if not names:
        return replace(lab_subject(tmp_path_factory.mktemp("models")), hypotheses=claims)
    (name,) = names
    folder, lab = find(name).directory, name.startswith("lab:")
    return Subject(name=name, directory=folder, lab=lab, hypotheses=claims, judged=True)


def pytest_sessionfinish(session):
    from lazarus_bench.benchmark.gate import bigger_is_better
    from lazarus_bench.benchmark.sections import document
    from lazarus_bench.report.files import write_text

    option = session.config.getoption
    if option("collectonly") or not (option("--lb-findings") or option("--lb-bigger-is-better")):
        return
    name, *_ = option("--lb-model") or ["untrained lab llama"]
    command = " ".join(["pytest", *session.config.invocation_params.args])
    found = document(session.config.stash[FINDINGS], name, command)
    if option("--lb-findings"):
        write_text(found.to_json(), Path(option("--lb-findings")), "document")
    if option("--lb-bigger-is-better"):
        write_text(bigger_is_better(found), Path(option("--lb-bigger-is-better")), "document")
