"""From a claim's test to the row of the report, which travels in the test's properties."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from lazarus_bench.plugin.options import PUBLISHED, fail_on
from lazarus_bench.plugin.stash import COMMAND, SESSION, TRIAL, UNATTAINABLE

if TYPE_CHECKING:
    from lazarus_bench.judge import Verdict
    from lazarus_bench.report import Report, Row
    from lazarus_bench.session.trial import Trial

PROPERTY = "lazarus_bench"


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Judge a claim: the published numbers without its test, a model by running it."""
    trial = pyfuncitem.stash.get(TRIAL, None)
    if trial is None:
        return None
    start = time.perf_counter()
    pyfuncitem.config.stash[SESSION].quirks.clear()
    verdict = _verdict(pyfuncitem, trial)
    row = _row(pyfuncitem, trial, verdict, time.perf_counter() - start)
    _attach(pyfuncitem, trial, row)
    from lazarus_bench.session.trial import fails

    pinning = pyfuncitem.config.getoption("--lb-update-pins")
    if not pinning and fails(row, fail_on(pyfuncitem.config)):
        pytest.fail(sentence(row), pytrace=False)
    return True


def _verdict(item: pytest.Function, trial: Trial) -> Verdict:
    from lazarus_bench.claims.claim import FINDINGS
    from lazarus_bench.session.trial import judge_published

    if item.callspec.params["subject"] == PUBLISHED:
        return judge_published(trial.claim, FINDINGS[trial.claim.id], trial.family_size)
    return _asked(item, trial)


def _asked(item: pytest.Function, trial: Trial) -> Verdict:
    from lazarus_bench.claims.claim import WORDS
    from lazarus_bench.errors import NotApplicable, UserError
    from lazarus_bench.judge import not_applicable
    from lazarus_bench.session.trial import invalid, undecidable

    names = item._fixtureinfo.argnames
    try:
        if UNATTAINABLE in item.stash:
            subject = str(item.callspec.params["subject"])
            item.config.stash[SESSION].check_words(subject, WORDS[trial.claim.id])
            return undecidable(trial.claim, item.stash[UNATTAINABLE], trial.family_size)
        item.obj(**{name: item.funcargs[name] for name in names})
    except NotApplicable as reason:
        return not_applicable(trial.claim.region, str(reason))
    except UserError as error:
        return invalid(trial.claim, str(error), trial.family_size)
    if trial.verdict is None:
        pytest.fail(f"{trial.claim.id}: its test ended without calling judge(...)", pytrace=False)
    return trial.verdict


def _row(item: pytest.Function, trial: Trial, verdict: Verdict, seconds: float) -> Row:
    from lazarus_bench.claims.claim import FINDINGS
    from lazarus_bench.session.trial import (
        explained,
        judge_published,
        make_row,
        published_secondary,
    )

    name = str(item.callspec.params["subject"])
    finding = FINDINGS[trial.claim.id]
    published = name == PUBLISHED
    jobs = [] if published else _jobs_of(item, trial, name)
    return make_row(
        trial.claim,
        name,
        verdict,
        verdict if published else judge_published(trial.claim, finding, trial.family_size),
        pinned=_pin(item, name, trial.claim.id, verdict),
        secondary=published_secondary(finding, trial.family_size) if published else trial.secondary,
        digests=[job.digest for job in jobs],
        seconds=seconds,
        architecture="" if published else item.config.stash[SESSION].subject(name).model_type,
        claim_digest=trial.digest,
        amended=trial.amended,
        quirks=[] if published else _quirks(jobs, item.config.stash[SESSION].quirks),
        explained=explained(finding, trial.measured, trial.family_size),
    )


def _quirks(jobs: list[Any], read: Iterable[str]) -> list[str]:
    """The defects of a claim's trainings, and those that something was read with."""
    trained = (quirk for job in jobs for quirk in job.quirks)
    return list(dict.fromkeys([*trained, *sorted(read)]))


def _jobs_of(item: pytest.Function, trial: Trial, name: str) -> list[Any]:
    if UNATTAINABLE in item.stash:
        return []
    return list(item.config.stash[SESSION].needed(trial.claim, name))


def _profile(item: pytest.Function, name: str) -> str:
    if name == PUBLISHED:
        return PUBLISHED
    return str(item.config.stash[SESSION].design(item.stash[TRIAL].claim, name))


def _pin(item: pytest.Function, name: str, claim_id: str, verdict: Verdict) -> str | None:
    from lazarus_bench.claims.pins import ANY, pinned, read_pins

    if item.config.getoption("--lb-update-pins"):
        return None
    pin = pinned(read_pins(item.path.parent), _profile(item, name), name, claim_id)
    return verdict.outcome.value if pin == ANY else pin


def _attach(item: pytest.Function, trial: Trial, row: Row) -> None:
    from lazarus_bench.report.schema import to_dict

    bench = item.config.stash[SESSION]
    jobs = [] if row.subject == PUBLISHED else _jobs_of(item, trial, row.subject)
    evidence = new_report(
        item.config,
        profile=bench.profile.name,
        manifest=bench.data_lines,
        rows=(row,),
        lens_tables=tuple(trial.tables),
        curves=tuple(trial.curves),
        layer_curves=tuple(trial.layer_curves),
        heatmaps=tuple(trial.heatmaps),
        scatters=tuple(trial.scatters),
        jobs=bench.job_rows(jobs),
    )
    about = {
        "folder": str(item.path.parent),
        "profile": _profile(item, row.subject),
        "place": item.session.items.index(item),
    }
    item.user_properties.append((PROPERTY, json.dumps([about, to_dict(evidence)])))


def new_report(
    config: pytest.Config, manifest: dict[str, str] | None = None, **parts: Any
) -> Report:
    """A report of this session, made now, with `parts` as its content."""
    from lazarus_bench.report import Report

    return Report(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        command=_command(config),
        manifest=manifest or {},
        **parts,
    )


def _command(config: pytest.Config) -> str:
    own = " ".join(["pytest", *map(str, config.invocation_params.args)])
    return config.stash.get(COMMAND, own)


def sentence(row: Row) -> str:
    """What a row says, in one line."""
    from lazarus_bench.session.trial import category

    moved = f"moved from {row.pinned} to " if category(row) == "moved" else ""
    return f"{row.claim_id} on {row.subject}: {moved}{row.verdict.outcome}: {row.verdict.reason}"
