"""Options, collection, training and judging: what pytest asks, and the session's answers.

Under pytest-xdist the controller collects nothing, so it checks what needs no claims; a worker
cannot end the session with a usage error, so it asks the controller to stop.
"""

from __future__ import annotations

import json
import os
from collections.abc import Generator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import fields
from functools import partial
from types import FunctionType
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.runner import runtestprotocol

from lazarus_bench.claims import claim_of as claim_of_test
from lazarus_bench.claims.profiles import asked, left_out
from lazarus_bench.claims.subjects import COMPUTED, PUBLISHED, is_model
from lazarus_bench.cores import check_wish, on_own_core
from lazarus_bench.errors import UserError, shown
from lazarus_bench.plugin import hookspecs
from lazarus_bench.plugin.ahead import is_reader, options_of_reader, reading_ahead, stop_if_left
from lazarus_bench.plugin.collector import PROPERTY, REASON, VERDICT, EvidenceCollector
from lazarus_bench.plugin.trainings import is_worker, leave_out, show_plan, speaker, train
from lazarus_bench.session.options import Options

if TYPE_CHECKING:
    from lazarus_bench.claims.claim import Claim
    from lazarus_bench.report.schema import Report
    from lazarus_bench.session.judging import Trial
    from lazarus_bench.session.sequential import Use
    from lazarus_bench.session.session import Session

PROCESSES = 2
"""Processes that read models: the session's and the one ahead of it."""

SUBJECT = "lb_subject"
"""The fixture over which claims are parameterised."""

SHARED = "lazarus_bench"
"""Under this name xdist's processes hand one another what is ours."""

OPTIONS: pytest.StashKey[Options] = pytest.StashKey()
"""The session's options; who starts pytest for a user of theirs puts them here."""

COMMAND: pytest.StashKey[str] = pytest.StashKey()
"""The command line that made this session, for its report."""

PRINTED_ALONE: pytest.StashKey[bool] = pytest.StashKey()
"""Whether only published numbers are judged, so that no claim's test runs."""

SESSION: pytest.StashKey[Session] = pytest.StashKey()
TRIAL: pytest.StashKey[Trial] = pytest.StashKey()
LOOK: pytest.StashKey[Use] = pytest.StashKey()
"""What is done with a claim's fixtures instead of judging it."""
LEFT_OUT: pytest.StashKey[str] = pytest.StashKey()
"""What the profile leaves out of the selection, in a sentence."""


class PytestOptions(Options):
    """Options as pytest's user types them."""

    PREFIX = "--lb-"
    ASK_MODELS = "-m slow "


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add an `--lb-` option for each of the session's."""
    group = parser.getgroup("lazarus-bench", "claims about neural networks")
    for option in fields(PytestOptions):
        names = map(PytestOptions.flag, (option.name, *option.metadata["spellings"]))
        about: dict[str, Any] = {"dest": f"lb_{option.name}", "help": option.metadata["help"]}
        if option.default is False:
            about |= {"action": "store_true"}
        else:
            about["metavar"] = option.metadata["metavar"]
            repeats = option.default == ()
            about |= {"action": "append", "default": []} if repeats else {"default": option.default}
        group.addoption(*names, **about)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Offer hooks of our own."""
    pluginmanager.add_hookspecs(hookspecs)


def pytest_configure(config: pytest.Config) -> None:
    """Read the options, register the markers and start collecting evidence."""
    own = " ".join(["pytest", *map(str, config.invocation_params.args)])
    config.stash.setdefault(COMMAND, own)
    try:
        if OPTIONS not in config.stash:
            config.stash[OPTIONS] = _options(config)
        if config.stash[OPTIONS].plan and config.getoption("numprocesses", None):
            flag = config.stash[OPTIONS].flag("plan")
            raise UserError(f"{flag} shows nothing under xdist's workers; leave -n out")
    except UserError as error:
        raise pytest.UsageError(shown(str(error))) from None
    if not is_reader():
        collector = EvidenceCollector(config, config.stash[OPTIONS], config.stash[COMMAND])
        config.pluginmanager.register(collector, "lazarus_bench_evidence")


def _options(config: pytest.Config) -> Options:
    if is_reader():
        return PytestOptions(**options_of_reader())
    if is_worker(config):
        return PytestOptions(**json.loads(config.workerinput[SHARED]))  # type: ignore[attr-defined]
    return PytestOptions(
        **{o.name: config.getoption(f"lb_{o.name}") for o in fields(PytestOptions)}
    )


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Hand the options to one of xdist's workers."""
    node.workerinput[SHARED] = json.dumps(node.config.stash[OPTIONS].plain())


@pytest.fixture
def lb_subject(request: pytest.FixtureRequest) -> str:
    """What the claim is judged on: "published", "computed", a lab model, a directory, a hub id."""
    return str(request.param)


@pytest.fixture
def lb_prompts(request: pytest.FixtureRequest) -> int:
    """Number of held-out prompts that the session's profile reads."""
    return int(request.config.stash[SESSION].profile.prompts)


def claim_of(item: pytest.Item) -> Claim | None:
    """The claim a test item judges; None for other tests."""
    return claim_of_test(getattr(item, "function", None))


def subject_of(item: pytest.Item) -> str:
    """The subject of a claim's item."""
    return str(item.callspec.params[SUBJECT])  # type: ignore[attr-defined]


def asks_model(item: pytest.Item) -> bool:
    """Whether an item judges a claim on a model."""
    return claim_of(item) is not None and is_model(subject_of(item))


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(obj: object) -> None:
    """Have every claim's test depend on its subject, which it need not name."""
    if isinstance(obj, FunctionType) and claim_of_test(obj) is not None:
        pytest.mark.usefixtures(SUBJECT)(obj)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Ask each claim of the published numbers and of its models; one without any of its test."""
    claim = claim_of_test(metafunc.function)
    if claim is None:
        return
    config = metafunc.config
    models = (config.stash[OPTIONS].model or claim.subjects) if claim.subjects else ()
    asks_none = not claim.subjects and not config.stash.get(PRINTED_ALONE, False)
    first = COMPUTED if asks_none else PUBLISHED
    chosen = [pytest.param(first, id=first)]
    _register_markers(config)
    chosen += [pytest.param(name, id=name, marks=pytest.mark.slow) for name in models]
    metafunc.parametrize(SUBJECT, chosen, indirect=True)


MARKERS = (
    "claim(record): a pre-registered claim of lazarus-bench",
    "slow: trains or runs models; select with -m slow",
)


def _register_markers(config: pytest.Config) -> None:
    """Make the markers known once a claim is collected: elsewhere the names are other people's."""
    if MARKERS[0] not in config.getini("markers"):
        for line in MARKERS:
            config.addinivalue_line("markers", line)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark a claim, and let `-k` find it by its id, the name that every table prints."""
    claim = claim_of(item)
    if claim is not None:
        _register_markers(item.config)
        item.add_marker(pytest.mark.claim(claim))
        item.extra_keyword_matches.add(claim.id)


@pytest.hookimpl(trylast=True)  # after `-k` and `-m`, which say what the user wanted
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Judge the published numbers alone unless `-m`, a model or a test's own name asks for more.

    More is what the profile asks; what it leaves out of the selection is put into words. A claim
    that `-k` selects without its published numbers was selected for its models.
    """
    options = config.stash[OPTIONS]
    if options.model:
        return
    models = {item: claim for item in items if asks_model(item) and (claim := claim_of(item))}
    more = config.option.markexpr or any("::" in str(argument) for argument in config.args)
    others = (claim_of(item) for item in items if item not in models)
    whole = set() if more else {claim.id for claim in others if claim}
    unasked = [subject_of(item) for item, claim in models.items() if claim.id not in whole]
    sentence = left_out(options.profile, unasked, options.flag, options.ASK_MODELS)
    if sentence is not None:
        config.stash[LEFT_OUT] = sentence
    dropped = {i for i in models if not more or not asked(options.profile, [subject_of(i)])}
    if dropped:
        config.hook.pytest_deselected(items=list(dropped))
        items[:] = [item for item in items if item not in dropped]


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    """Say below the number of collected tests what the profile leaves out."""
    sentence = config.stash.get(LEFT_OUT, None)
    return [] if sentence is None else [f"lazarus-bench: {sentence}"]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand that from a worker, which collects, to the controller, which prints."""
    sentence = session.config.stash.get(LEFT_OUT, None)
    if sentence is not None and is_worker(session.config):
        session.config.workeroutput[SHARED] = sentence  # type: ignore[attr-defined]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take it from a worker that is done; all of them collect the same."""
    sentence = getattr(node, "workeroutput", {}).get(SHARED)
    if sentence is not None:
        node.config.stash[LEFT_OUT] = sentence


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say it where no collection was shown that it could have followed."""
    if _is_controller(config) and LEFT_OUT in config.stash:
        terminalreporter.write_line(shown(f"lazarus-bench: {config.stash[LEFT_OUT]}"))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,  # noqa: ARG001 - the hook's own name
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Print a mistake in a claim file as its one sentence."""
    report = yield
    call = getattr(report, "call", None)
    if call is not None and call.excinfo and isinstance(call.excinfo.value, UserError):
        report.longrepr = shown(str(call.excinfo.value))
    return report


def _is_controller(config: pytest.Config) -> bool:
    """Whether this process hands the tests to xdist's workers."""
    return config.pluginmanager.hasplugin("dsession")


def _refuse(session: pytest.Session, message: str) -> Exception:
    """What to raise so that the session ends with `message` and a non-zero exit code."""
    if not is_worker(session.config):
        return pytest.UsageError(shown(message))
    session.shouldfail = message
    return session.Failed(message)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Refuse bad options in xdist's controller, which never sees the claims."""
    if not _is_controller(session.config):
        return
    try:
        bench = _new_session(session.config)
        for name in bench.options.model:
            bench.subject(name)
    except UserError as error:
        raise _refuse(session, str(error)) from None


def _new_session(config: pytest.Config) -> Session:
    from lazarus_bench.session.session import Session

    config.stash[OPTIONS].check_report()
    return Session(config.stash[OPTIONS])


def pytest_collection_finish(session: pytest.Session) -> None:
    """Refuse bad options once the claims are known and before anything is trained."""
    claims = {item: claim for item in session.items if (claim := claim_of(item))}
    if not claims or session.config.option.collectonly:
        return
    from lazarus_bench.session.judging import put_on_trial

    try:
        asked = [(claim, subject_of(item), item.path.parent) for item, claim in claims.items()]
        trials = put_on_trial(asked)
        session.config.stash[SESSION] = bench = _new_session(session.config)
        for item, trial in zip(claims, trials, strict=True):
            item.stash[TRIAL] = trial
            if is_model(trial.subject):
                bench.subject(trial.subject)
        if bench.subjects:
            from lazarus_bench import backend

            # mlx would start at its first use, in the middle of a training.
            backend.start()
            backend.set_threads()
            check_wish()
    except UserError as error:
        raise _refuse(session, str(error)) from None


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Train what the selected claims need and the store lacks; the tests then only read."""
    bench = session.config.stash.get(SESSION, None)
    if bench is None or session.testsfailed:
        return (yield)
    try:
        _make_ready(session, bench)
    except UserError as error:
        raise _refuse(session, str(error)) from None
    models = list(filter(asks_model, session.items))
    with reading_ahead(session.config, bench, models) as accompanied, _own_core(accompanied):
        return (yield)


def pytest_runtest_logstart() -> None:
    """A process that reads ahead ends with the one it reads for."""
    stop_if_left()


def _own_core(accompanied: bool) -> AbstractContextManager[object]:
    """A core of its own for each measuring process where there are enough cores."""
    each = accompanied or is_reader()
    return on_own_core() if each and (os.cpu_count() or 1) <= PROCESSES else nullcontext()


def _make_ready(session: pytest.Session, bench: Session) -> None:
    """Plan, which ends the session, train, or leave out."""
    from lazarus_bench.session.sequential import Asked, grow

    for sentence in bench.notes:
        speaker(session.config)(sentence)
    models = filter(asks_model, session.items)
    needed = {item: item.stash[TRIAL].plan(bench) for item in models}
    jobs = [job for found in needed.values() for job in found]
    if bench.options.plan:
        show_plan(session.config, bench, jobs)
        session.items.clear()
    elif bench.options.offline:
        lacking = {item: bench.lacking(found) for item, found in needed.items()}
        claims = sum(claim_of(item) is not None for item in session.items)
        leave_out(session.config, bench, lacking, claims)
        for item in filter(lacking.get, lacking):  # said above: what lacks is no verdict
            del item.stash[TRIAL]
    elif bench.options.until_decided:
        config = session.config
        growing = [
            Asked(trial=item.stash[TRIAL], test=item.obj, with_fixtures=partial(_look, item))
            for item in needed
            if isinstance(item, pytest.Function)
        ]
        grow(bench, growing, lambda jobs: train(config, bench, jobs), speaker(config))
    elif jobs:
        train(session.config, bench, jobs)


def _look(item: pytest.Function, use: Use) -> None:
    """Call `use` with a test's fixtures, set up and torn down as for the test itself.

    Where that is skipped or fails nothing comes of it: its turn among the tests will say so.
    """
    item.stash[LOOK] = use
    runtestprotocol(item, log=False, nextitem=None)
    del item.stash[LOOK]


def _fixtures(item: pytest.Function) -> dict[str, Any]:
    """What a claim's test is given besides runs, by parameter."""
    return {name: item.funcargs[name] for name in item._fixtureinfo.argnames}


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Judge a claim: the published numbers without its test, a model by running it."""
    trial = pyfuncitem.stash.get(TRIAL, None)
    if trial is None:
        return None
    from lazarus_bench.session.judging import NoVerdict, fails, judge, sentence

    bench = pyfuncitem.config.stash[SESSION]
    if (look := pyfuncitem.stash.get(LOOK, None)) is not None:
        look(_fixtures(pyfuncitem))
        return True
    try:
        report = judge(bench, trial, pyfuncitem.obj, _fixtures(pyfuncitem))
    except NoVerdict as mistake:
        pytest.fail(str(mistake), pytrace=False)
    _hand_over(pyfuncitem, report)
    [row] = report.rows
    if not bench.options.update_pins and fails(row, bench.options.fail_on):
        pytest.fail(sentence(row), pytrace=False)
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Make a row of a claim that was not judged: it, or a fixture of it, broke or was skipped."""
    found = yield
    judged = PROPERTY in dict(item.user_properties) or call.when == "teardown"
    if TRIAL in item.stash and LOOK not in item.stash and call.excinfo is not None and not judged:
        from lazarus_bench.judge import Outcome
        from lazarus_bench.session.judging import unjudged

        skipped = found.skipped and not hasattr(found, "wasxfail")
        outcome = Outcome.NOT_APPLICABLE if skipped else Outcome.ERROR
        reason = f"skipped: {call.excinfo.value}" if skipped else _one_line(call.excinfo)
        bench = item.config.stash[SESSION]
        _hand_over(item, unjudged(bench, item.stash[TRIAL], outcome, reason))
        found.user_properties = list(item.user_properties)
    return found


@pytest.hookimpl(optionalhook=True)
def pytest_handlecrashitem(crashitem: str, report: pytest.TestReport, sched: Any) -> None:
    """Make a row of a claim that took its worker of pytest-xdist with it.

    Only workers collect, so the controller collects this one test.
    """
    from lazarus_bench.judge import Outcome
    from lazarus_bench.session.judging import put_on_trial, unjudged

    config = sched.config
    session = config.pluginmanager.get_plugin("session")
    nodes = session.perform_collect([f"{config.rootpath}/{crashitem}"], genitems=False)
    for item in (item for node in nodes for item in session.genitems(node)):
        claim = claim_of(item)
        if claim is None or item.nodeid != crashitem:
            continue
        bench = config.stash.setdefault(SESSION, _new_session(config))
        [item.stash[TRIAL]] = put_on_trial([(claim, subject_of(item), item.path.parent)])
        reason = "its process ended in the middle of the test"
        row = unjudged(bench, item.stash[TRIAL], Outcome.ERROR, reason)
        order = getattr(sched, "collection", None) or [crashitem]  # not every scheduler has one
        _hand_over(item, row, place=order.index(crashitem))
        report.user_properties = list(item.user_properties)


LONGEST = 300
"""Characters of an exception's message that a reason quotes."""


def _one_line(error: pytest.ExceptionInfo[BaseException]) -> str:
    """An exception as one line; what pytest itself raises needs no name."""
    if isinstance(error.value, pytest.FixtureLookupError):
        return f"{error.value.argname} is no training of the file and no fixture"
    own = isinstance(error.value, pytest.fail.Exception)
    text = " ".join((str(error.value) if own else error.exconly()).split())
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"


def _hand_over(item: pytest.Item, report: Report, place: int | None = None) -> None:
    """Put the report of an item's claim where the collector, and JUnit's file, find it.

    `place` is the item's among the session's tests.
    """
    from lazarus_bench.codec import to_plain

    trial, bench, [row] = item.stash[TRIAL], item.config.stash[SESSION], report.rows
    about = {
        "folder": str(item.path.parent),
        "design": bench.design(trial.claim, trial.subject),
        "place": item.session.items.index(item) if place is None else place,
        "machine": bench.machine(trial.subject),
    }
    evidence = json.dumps({"about": about, "report": to_plain(report)})
    said = (VERDICT, row.verdict.outcome.value), (REASON, row.verdict.reason)
    item.user_properties += [(PROPERTY, evidence), *said]
