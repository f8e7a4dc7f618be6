"""Pins: the verdicts on record, so that a test passes while nothing moved.

`pins.json` beside the claim files holds {profile: {subject: {claim: verdict}}}, where "published"
is the profile of the sources' own numbers. "any" accepts every verdict: a measurement of the
machine, such as a speed, has none that holds elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from lazarus_bench.errors import UserError
from lazarus_bench.judge import Outcome, Verdict

FILE = "pins.json"
ANY = "any"
Pins = dict[str, dict[str, dict[str, str]]]


def read_pins(directory: Path) -> Pins:
    """The pins beside the claim files in `directory`; empty when there are none.

    Raises:
        UserError: the file is damaged.
    """
    file = directory / FILE
    if not file.exists():
        return {}
    try:
        pins: Pins = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(
            f"{file} is not JSON ({error}): mend it, or delete it and pin again"
        ) from error
    try:
        subjects = [claims for profile in pins.values() for claims in profile.values()]
        sound = {pin for claims in subjects for pin in claims.values()} <= {*Outcome, ANY}
    except (AttributeError, TypeError):
        sound = False
    if not sound:
        raise UserError(
            f"{file} does not hold {{profile: {{subject: {{claim: verdict}}}}}}: mend it, or "
            f"delete it and pin again"
        )
    return pins


def pinned(pins: Pins, profile: str, subject: str, claim_id: str) -> str | None:
    """The verdict on record, None where there is none."""
    return pins.get(profile, {}).get(subject, {}).get(claim_id)


def pin_of(verdict: Verdict) -> str:
    """What to put on record for a verdict."""
    estimate = verdict.estimate
    if estimate is not None and estimate.scope == "repeats":
        return ANY
    return verdict.outcome.value


def updated_pins(directory: Path, verdicts: Mapping[tuple[str, str, str], str]) -> str:
    """The content of `FILE` with `verdicts`, keyed (profile, subject, claim), over those on record.

    Raises:
        UserError: as `read_pins`.
    """
    pins = read_pins(directory)
    for (profile, subject, claim_id), verdict in verdicts.items():
        pins.setdefault(profile, {}).setdefault(subject, {})[claim_id] = verdict
    return json.dumps(pins, indent=1, sort_keys=True) + "\n"
