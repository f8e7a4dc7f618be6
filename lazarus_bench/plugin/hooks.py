"""Collection and training: subjects as parameters, and the jobs run before the tests.

Thin: it imports mlx only where a selected claim needs a model, and every number comes from the
rooms below.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import pytest

from lazarus_bench.cores import check_wish, on_own_core
from lazarus_bench.errors import UserError
from lazarus_bench.plugin.ahead import is_reader, reading_ahead, stop_if_left
from lazarus_bench.plugin.collector import EvidenceCollector
from lazarus_bench.plugin.options import PUBLISHED, check_options, new_session
from lazarus_bench.plugin.parallel import is_controller, refuse
from lazarus_bench.plugin.stash import LEFT_OUT, SESSION, TRIAL, UNATTAINABLE
from lazarus_bench.plugin.trainings import leave_out, show_plan, train

if TYPE_CHECKING:
    from lazarus_bench.jobs.spec import Job
    from lazarus_bench.judge import Claim, Registry
    from lazarus_bench.report.registry import RegisteredClaim
    from lazarus_bench.session.session import Session
    from lazarus_bench.session.trial import Trial

pytest_plugins = [
    "lazarus_bench.plugin.fixtures",
    "lazarus_bench.plugin.judging",
    "lazarus_bench.plugin.left_out",
    "lazarus_bench.plugin.options",
]


PROCESSES = 2
"""Processes that read models: the session's and the one ahead of it."""


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers and start collecting evidence."""
    config.addinivalue_line("markers", "claim(record): a pre-registered claim of lazarus-bench")
    config.addinivalue_line("markers", "slow: trains or runs models; select with -m slow")
    if not is_reader():
        config.pluginmanager.register(EvidenceCollector(config), "lazarus_bench_evidence")


def claim_of(item: pytest.Item) -> Claim | None:
    """The claim a test item judges; None for other tests."""
    marker = item.get_closest_marker("claim")
    return marker.args[0] if marker and marker.args else None


def subject_of(item: pytest.Item) -> str:
    """The subject of a claim's item."""
    return str(item.callspec.params["subject"])  # type: ignore[attr-defined]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Ask each claim of the published numbers and of every model it applies to."""
    marker = metafunc.definition.get_closest_marker("claim")
    if marker is None:
        return
    claim: Claim = marker.args[0]
    if "judge" not in metafunc.fixturenames:
        raise UserError(f"{claim.id}: its test must ask for the `judge` fixture")
    named = tuple(dict.fromkeys(metafunc.config.getoption("--lb-model")))
    models = (named or claim.subjects) if claim.subjects else ()
    chosen = [pytest.param(PUBLISHED, id=PUBLISHED)]
    chosen += [pytest.param(name, id=name, marks=pytest.mark.slow) for name in models]
    metafunc.parametrize("subject", chosen, indirect=True)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let `-k` find a claim by its id, the name that every table prints."""
    claim = claim_of(item)
    if claim is not None:
        item.extra_keyword_matches.add(claim.id)


@pytest.hookimpl(trylast=True)  # after `-k` and `-m`, which say what the user wanted
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Judge the published numbers alone unless `-m`, a model or a test's own name asks for more.

    More is what the profile asks; what it leaves out of the selection is put into words. A claim
    that `-k` selects without its published numbers was selected for its models.
    """
    if config.getoption("--lb-model"):
        return
    models = [item for item in items if claim_of(item) and item.get_closest_marker("slow")]
    more = config.option.markexpr or any("::" in str(argument) for argument in config.args)
    whole = set() if more else {_claim_id(item) for item in items if item not in models}
    _note_left_out(config, [item for item in models if _claim_id(item) not in whole])
    dropped = {item for item in models if not more or not _asks(config, item)}
    if dropped:
        config.hook.pytest_deselected(items=list(dropped))
        items[:] = [item for item in items if item not in dropped]


def _claim_id(item: pytest.Item) -> str | None:
    claim = claim_of(item)
    return None if claim is None else claim.id


def _asks(config: pytest.Config, item: pytest.Item) -> bool:
    from lazarus_bench.claims.profiles import asked

    return bool(asked(config.getoption("--lb-profile"), [subject_of(item)]))


def _note_left_out(config: pytest.Config, models: Sequence[pytest.Item]) -> None:
    from lazarus_bench.claims.profiles import left_out

    sentence = left_out(config.getoption("--lb-profile"), map(subject_of, models))
    if sentence is not None:
        config.stash[LEFT_OUT] = sentence


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,  # noqa: ARG001 - the hook's own name
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Print a mistake in a claim file as its one sentence."""
    report = yield
    call = getattr(report, "call", None)
    if call is not None and call.excinfo and isinstance(call.excinfo.value, UserError):
        report.longrepr = str(call.excinfo.value)
    return report


def pytest_sessionstart(session: pytest.Session) -> None:
    """Refuse bad options in xdist's controller, which never sees the claims."""
    if not is_controller(session.config):
        return
    try:
        check_options(session.config)
        bench = new_session(session.config)
        for name in session.config.getoption("--lb-model"):
            bench.subject(name)
    except UserError as error:
        raise refuse(session, str(error)) from None


def pytest_collection_finish(session: pytest.Session) -> None:
    """Refuse bad options once the claims are known and before anything is trained."""
    claims = [item for item in session.items if claim_of(item)]
    if not claims or session.config.option.collectonly:
        return
    try:
        _prepare(session.config, claims)
    except UserError as error:
        raise refuse(session, str(error)) from None


def _prepare(config: pytest.Config, claims: Sequence[pytest.Item]) -> None:
    from lazarus_bench.claims.pins import read_pins

    check_options(config)
    for folder in {item.path.parent for item in claims}:
        read_pins(folder)
    trials = _trials(claims)
    config.stash[SESSION] = bench = new_session(config)
    for item in claims:
        item.stash[TRIAL] = next(trials)
        if subject_of(item) != PUBLISHED:
            bench.subject(subject_of(item))
    if bench.subjects:
        _check_machine()


def _trials(items: Sequence[pytest.Item]) -> Iterator[Trial]:
    """A trial for each item, told whether its claim is the one on record beside its file."""
    from lazarus_bench.claims.registration import amended, draw_up, read_registered
    from lazarus_bench.session.trial import Trial

    registry = _registry()
    on_record = {folder: read_registered(folder) for folder in {i.path.parent for i in items}}
    drawn_up: dict[str, RegisteredClaim] = {}
    for item in items:
        claim = claim_of(item)
        assert claim is not None
        entry = drawn_up.get(claim.id) or drawn_up.setdefault(claim.id, draw_up(claim))
        yield Trial(
            claim=claim,
            family_size=registry.size(claim.family),
            digest=entry.digest,
            amended=amended(entry, on_record[item.path.parent]),
        )


def _check_machine() -> None:
    """Refuse a device, BLAS or number of threads that cannot be had.

    Raises:
        UserError: an environment variable names it.
    """
    from lazarus_bench import backend

    backend.set_threads()
    check_wish()


def _registry() -> Registry:
    from lazarus_bench.claims.claim import REGISTRY

    return REGISTRY


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Train what the selected claims need and the store lacks; the tests then only read."""
    bench = session.config.stash.get(SESSION, None)
    if bench is None or session.testsfailed:
        return (yield)
    try:
        over = _make_ready(session, bench)
    except UserError as error:
        raise refuse(session, str(error)) from None
    if over:
        session.items.clear()
    models = [i for i in session.items if claim_of(i) and subject_of(i) != PUBLISHED]
    with reading_ahead(session.config, bench, models) as accompanied, _own_core(accompanied):
        return (yield)


def pytest_runtest_logstart() -> None:
    """A process that reads ahead ends with the one it reads for."""
    stop_if_left()


def _own_core(accompanied: bool) -> AbstractContextManager[object]:
    """A core for the readings where there is one for each process, and none to share a reading."""
    each = accompanied or is_reader()
    return on_own_core() if each and (os.cpu_count() or 1) <= PROCESSES else nullcontext()


def _make_ready(session: pytest.Session, bench: Session) -> bool | None:
    """Plan, train, or leave out; True ends the session here."""
    models = [i for i in session.items if claim_of(i) and subject_of(i) != PUBLISHED]
    needed = {item: _jobs(bench, item) for item in models}
    jobs = [job for found in needed.values() for job in found]
    if session.config.getoption("--lb-plan"):
        show_plan(session.config, bench, jobs)
        return True
    if bench.resources.offline:
        lacking = {item: bench.lacking(found) for item, found in needed.items()}
        leave_out(session.config, bench, lacking, sum(map(_is_claim, session.items)))
    elif jobs:
        train(session.config, bench, jobs)
    return None


def _is_claim(item: pytest.Item) -> bool:
    return claim_of(item) is not None


def _jobs(bench: Session, item: pytest.Item) -> list[Job]:
    trial = item.stash[TRIAL]
    reason = bench.unattainable(trial.claim, subject_of(item), trial.family_size)
    if reason is None:
        return bench.needed(trial.claim, subject_of(item))
    item.stash[UNATTAINABLE] = reason
    return []
