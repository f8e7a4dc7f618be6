"""Profiles: how many seeds and prompts a run spends."""

from __future__ import annotations

from dataclasses import dataclass

from lazarus_bench.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Training seeds 0 to `seeds` − 1, and held-out `prompts` a seed."""

    name: str
    seeds: int
    prompts: int


PROFILES = {
    "smoke": Profile(name="smoke", seeds=2, prompts=80),
    "default": Profile(name="default", seeds=5, prompts=200),
    "full": Profile(name="full", seeds=10, prompts=200),
}


def profile(name: str, seeds: int | None = None) -> Profile:
    """The profile called `name`, with another number of seeds where one is given.

    Raises:
        UserError: unknown name, or fewer than one seed.
    """
    if name not in PROFILES:
        raise UserError(f"profile {name!r} is unknown: choose {', '.join(PROFILES)}")
    chosen = PROFILES[name]
    if seeds is None:
        return chosen
    if seeds < 1:
        raise UserError(f"--lb-seeds {seeds} leaves nothing to judge: give 1 or more")
    return Profile(name=name, seeds=seeds, prompts=chosen.prompts)
