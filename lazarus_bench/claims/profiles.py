"""Profiles: how many seeds and prompts a run spends, and on which families of the lab."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from lazarus_bench.claims.subjects import MAIN_FAMILY, is_further, lab_family


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Training seeds 0 to `seeds` − 1, and held-out `prompts` a seed.

    Claims about base models may name every family of the lab. Besides the main one, the profile
    includes the `further` ones (None: all) with `further_seeds` bases of each: pretraining costs
    minutes a seed, and a verdict over families needs prompts and families more than seeds of each.
    Trainings on a further family use `seeds`, and so does a family that the user names.

    `looks` are the numbers of seeds at which sampling may stop once a claim is decided, the first
    of them `seeds`; empty where the profile registers none.
    """

    name: str
    seeds: int
    prompts: int
    further: tuple[str, ...] | None = None
    further_seeds: int = 1
    looks: tuple[int, ...] = ()

    def asks(self, subject: str) -> bool:
        """Whether the profile includes `subject`."""
        return (
            self.further is None or not is_further(subject) or lab_family(subject) in self.further
        )

    def bases(self, subject: str) -> int:
        """Number of bases of `subject` that are measured where nothing is trained on them."""
        return self.further_seeds if is_further(subject) else self.seeds

    def label(self, subject: str) -> str:
        """The profile's name, with the seeds where `subject` has others than usual; pins' key."""
        usual = PROFILES[self.name]
        same = self.seeds == usual.seeds and self.bases(subject) == usual.bases(subject)
        return self.name if same else f"{self.name}, {self.seeds} seeds"


PROFILES = {
    "smoke": Profile(name="smoke", seeds=1, prompts=80, further=("olmoe",)),
    "default": Profile(name="default", seeds=5, prompts=200, looks=(5, 10, 20, 40)),
    "full": Profile(name="full", seeds=10, prompts=200, further_seeds=5, looks=(10, 20, 40)),
}


def asked(name: str, subjects: Iterable[str]) -> tuple[str, ...]:
    """The `subjects` that the profile called `name` includes."""
    return tuple(filter(PROFILES[name].asks, subjects))


def left_out(
    name: str, subjects: Iterable[str], flag: Callable[[str], str], more: str = ""
) -> str | None:
    """The `subjects` that the profile called `name` leaves out, and the remedy; None without any.

    `flag` gives the spelling of an option, and `more` what must precede it.
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
    """The profile called `name`, with `seeds` for every family where given.

    Where the user has `named` the subjects, every family has the same number too.
    """
    chosen = PROFILES[name]
    if seeds is None:
        return replace(chosen, further_seeds=chosen.seeds) if named else chosen
    return replace(chosen, seeds=seeds, further_seeds=seeds)
