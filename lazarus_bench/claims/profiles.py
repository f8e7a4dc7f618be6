"""Profiles: how many seeds and prompts a run spends, and on which families of the lab."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from lazarus_bench.claims.subjects import MAIN_FAMILY, is_further, lab_family


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Training seeds 0 to `seeds` − 1, and held-out `prompts` a seed.

    Claims about models as they are may name every family of the lab. Of these, besides the main
    one, the profile asks the `further` ones (None: all), and reads `further_seeds` bases of each:
    pretraining them
    all costs minutes a seed, and a verdict over families needs prompts and families more than seeds
    of each. What is trained on a further family has `seeds` like everything else, and so has a
    further family that is asked for by name.
    """

    name: str
    seeds: int
    prompts: int
    further: tuple[str, ...] | None = None
    further_seeds: int = 1

    def asks(self, subject: str) -> bool:
        """Whether a claim that names `subject` is put to it."""
        return (
            self.further is None or not is_further(subject) or lab_family(subject) in self.further
        )

    def bases(self, subject: str) -> int:
        """How many bases of `subject` are read where nothing is trained on them."""
        return self.further_seeds if is_further(subject) else self.seeds

    def label(self, subject: str) -> str:
        """The profile's name; with its seeds, where those of `subject` are not what it stands for.

        Verdicts on record are kept under it, as the seeds are part of a verdict's design.
        """
        usual = PROFILES[self.name]
        same = self.seeds == usual.seeds and self.bases(subject) == usual.bases(subject)
        return self.name if same else f"{self.name}, {self.seeds} seeds"


PROFILES = {
    "smoke": Profile(name="smoke", seeds=1, prompts=80, further=("olmoe",)),
    "default": Profile(name="default", seeds=5, prompts=200),
    "full": Profile(name="full", seeds=10, prompts=200, further_seeds=5),
}


def asked(name: str, subjects: Iterable[str]) -> tuple[str, ...]:
    """Those of a claim's `subjects` that the profile called `name` asks."""
    return tuple(filter(PROFILES[name].asks, subjects))


def left_out(
    name: str, subjects: Iterable[str], flag: Callable[[str], str], more: str = ""
) -> str | None:
    """Which of `subjects` the profile called `name` leaves out, and what asks them, or None.

    `flag` says what the user types for an option, and `more` what must precede it.
    """
    lacking = [s for s in dict.fromkeys(subjects) if not PROFILES[name].asks(s)]
    if not lacking:
        return None
    families = " and ".join((MAIN_FAMILY, *(PROFILES[name].further or ())))
    missing = ", ".join(dict.fromkeys(str(lab_family(s)) for s in lacking))
    wider = next(other for other in PROFILES if asked(other, lacking) == tuple(lacking))
    return (
        f"the {name} profile asks {families}; left out: {missing} "
        f"({more}{flag('profile')} {wider}, or {flag('model')} {lacking[0]}, asks them)"
    )


def profile(name: str, seeds: int | None = None, *, named: bool = False) -> Profile:
    """The profile called `name`, with another number of seeds where one is given.

    Where `seeds` are given, or the user has `named` the subjects, every family has the same number.
    """
    chosen = PROFILES[name]
    if seeds is None:
        return replace(chosen, further_seeds=chosen.seeds) if named else chosen
    return replace(chosen, seeds=seeds, further_seeds=seeds)
