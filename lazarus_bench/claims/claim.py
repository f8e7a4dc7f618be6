"""A claim, the registry that fixes each family's size, and the decorators that make one of a test.

Claim files import this at collection, so it needs neither mlx nor pytest.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from lazarus_bench.claims import ATTRIBUTE, claim_of
from lazarus_bench.claims.finding import Finding
from lazarus_bench.claims.subjects import LAB_BASE
from lazarus_bench.claims.trained import SEEDS, asked_by, needs_of, parameters
from lazarus_bench.errors import UserError
from lazarus_bench.judge import Evidence, Region

Test = TypeVar("Test", bound=Callable[..., Any])


class OnOff(NamedTuple):
    """Evidence with a claim's defect switched on, and without it."""

    on: Evidence
    off: Evidence


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A pre-registered statement, and all that judging it needs; `claim` explains its arguments.

    `needs` are the trainings that its test uses besides the bases, in the order of its parameters;
    `shown` the functions that yield what is reported beside the verdict.
    """

    id: str
    says: str
    estimand: str
    region: Region
    finding: Finding
    subjects: tuple[str, ...] = ()
    needs: tuple[Any, ...] = ()
    words: tuple[str, ...] = ()
    binary: bool = False
    difference: bool = False
    exploratory: bool = False
    quirk: str = ""
    data: tuple[str, ...] = ()
    test: Callable[..., Any] | None = field(default=None, compare=False, repr=False)
    shown: list[Callable[..., Any]] = field(default_factory=list, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse an id without a family, another claim's finding, and an unnamed defect."""
        family, slash, name = self.id.partition("/")
        if not (family and slash and name):
            raise UserError(f"a claim's id reads family/name, not {self.id!r}")
        if self.finding.claim != self.id:
            raise UserError(
                f"{self.id}: its finding is that of {self.finding.claim}; give it its own"
            )
        if self.test is not None and not self.subjects and (runs := asked_by(self.test)):
            raise UserError(
                f"{self.id} asks for {', '.join(runs)} and has no subjects: name the lab models "
                f"that it is judged on, or leave the parameter out"
            )
        self._check_quirks()

    def _check_quirks(self) -> None:
        for recipe in (recipe for need in self.trainings for recipe in recipes_of(need)):
            other = [name for name in getattr(recipe, "quirks", ()) if name != self.quirk]
            if other:
                raise UserError(
                    f"{self.id} needs {recipe.label!r}: say quirk={other[0]!r}, so that its report "
                    f"names the defect, or leave the quirk off"
                )

    def show(self, function: Callable[..., Any]) -> None:
        """Report what `function` yields as well; UserError if that needs an unnamed quirk."""
        self.shown.append(function)
        self._check_quirks()

    @property
    def trainings(self) -> tuple[Any, ...]:
        """All trainings it uses: those that decide, and those that are only reported."""
        shown = (need for function in self.shown for need in needs_of(asked_by(function)))
        return tuple(dict.fromkeys((*self.needs, *shown)))

    @property
    def family(self) -> str:
        """The part of the id before the slash; multiplicity is controlled within it."""
        return self.id.partition("/")[0]

    @property
    def published(self) -> Evidence | None:
        """The source's own numbers, or None."""
        return self.finding.evidence


def recipes_of(need: Any) -> tuple[Any, ...]:
    """The recipes of one of a claim's needs from the bottom up; none for the base itself."""
    recipes: tuple[Any, ...] = () if need is None else getattr(need, "recipes", (need,))
    return recipes


def family_sizes(claims: Iterable[Claim]) -> Counter[str]:
    """The verdicts of each family: its claims on their subjects.

    A claim without subjects, on published or computed numbers, is one verdict.
    """
    sizes: Counter[str] = Counter()
    for claim in claims:
        sizes[claim.family] += max(1, len(claim.subjects))
    return sizes


@dataclass(kw_only=True)
class Registry:
    """All claims of a process; a family's size never depends on which of its claims run."""

    claims: dict[str, Claim] = field(default_factory=dict)

    def register(self, claim: Claim) -> None:
        """Add a claim; UserError if its id is taken or its family is in another module."""
        if claim.id in self.claims:
            raise UserError(f"claim {claim.id} is registered twice; give one of them another id")
        relative = next((c for c in self.claims.values() if c.family == claim.family), claim)
        home, module = (getattr(one.test, "__module__", "") for one in (relative, claim))
        if home != module:
            raise UserError(
                f"family {claim.family} lives in {home}, so {claim.id} cannot be in {module}: "
                "a partial collection would change the family's size"
            )
        self.claims[claim.id] = claim

    def size(self, family: str) -> int:
        """The number of registered verdicts in a family; ValueError for an unknown one."""
        sizes = family_sizes(self.claims.values())
        if family not in sizes:
            raise ValueError(f"no claim of family {family} is registered")
        return sizes[family]

    @contextmanager
    def set_apart(self) -> Iterator[None]:
        """Start from no claims inside the block, and restore those of before after it."""
        before, self.claims = self.claims, {}
        try:
            yield
        finally:
            self.claims = before


REGISTRY = Registry()
"""Every claim of this process, whatever `-k` selects."""


def claim(
    claim_id: str,
    region: Region,
    *,
    finding: Finding | None = None,
    source: str = "",
    subjects: tuple[str, ...] = LAB_BASE,
    binary: bool = False,
    difference: bool = False,
    words: tuple[str, ...] = (),
    exploratory: bool = False,
    quirk: str = "",
    data: str | tuple[str, ...] = (),
) -> Callable[[Test], Test]:
    """Register the decorated test as a claim.

    The first paragraph of the test's docstring states the claim, the rest its estimand. Parameters
    of the test that its module defines by `trained`, and `base` and `instruct`, are runs; all
    others are pytest fixtures. It returns its evidence, or a tuple of that and controls.

    Args:
        claim_id: "family/name"; the family's size sets the interval level.
        region: where the estimand has to be.
        finding: the source's own numbers, judged by the same rule.
        source: document and section, where there is no finding.
        subjects: lab models it is judged on; empty when its test asks no model. It is then run
            once a session; a parameter `seeds` is the session's seeds, a tuple of numbers.
        binary: samples are hits (0/1), so that a design too small to decide costs no training.
        difference: the estimand is a difference of two such samples.
        words: must be single tokens of the subject, or the claim does not apply to it.
        exploratory: its source left it open.
        quirk: the known defect of the public source that it is about: `beside` may then yield
            `OnOff`. No other defect may be on in its trainings.
        data: the file or files that its test reads, seen from the folder of its own file; their
            content is part of the claim's digest.

    Raises:
        UserError: the docstring, id, family, finding or quirk does not fit, as the message says.
    """
    if finding is not None and source:
        raise UserError(f"{claim_id} has a finding, which names its source: leave out source=")
    found = finding or Finding(claim=claim_id, source=source, evidence=None, note=NOT_PRINTED)

    def register(test: Test) -> Test:
        says, estimand = _docstring(claim_id, test)
        record = Claim(
            id=claim_id,
            says=says,
            estimand=estimand,
            region=region,
            finding=found,
            subjects=subjects,
            needs=needs_of(asked_by(test)),
            words=words,
            binary=binary,
            difference=difference,
            exploratory=exploratory,
            quirk=quirk,
            data=(data,) if isinstance(data, str) else data,
            test=test,
        )
        REGISTRY.register(record)
        _mark(record)
        return test

    return register


NOT_PRINTED = "No source prints a number for it."
"""The note of a claim without a finding."""


def beside(test: Callable[..., Any]) -> Callable[[Test], Test]:
    """Report what the decorated function yields beside the verdict on the claim of `test`.

    It yields `(label, evidence)` pairs, tables and figures and, for a claim about a known defect,
    `(label, OnOff(...))`. Its parameters are those of a claim's test. It runs after the verdict,
    decides nothing and is not part of the claim's digest.

    Raises:
        UserError: `test` is not a claim, or a training has a quirk that the claim is not about.
    """
    record = claim_of(test)
    if record is None:
        name = getattr(test, "__name__", repr(test))
        raise UserError(f"@beside({name}): {name} is no claim; decorate it with @claim(...) first")

    def register(function: Test) -> Test:
        record.show(function)
        _mark(record)
        return function

    return register


def _docstring(claim_id: str, test: Callable[..., Any]) -> tuple[str, str]:
    """The statement and its estimand, without the full stops that end them."""
    says, _, estimand = inspect.cleandoc(test.__doc__ or "").partition("\n\n")
    found = [" ".join(part.split()).removesuffix(".") for part in (says, estimand)]
    if not all(found):
        raise UserError(
            f"{claim_id}: the docstring of {test.__name__} must say the claim in one sentence and, "
            f"below a blank line, what number it is about"
        )
    return found[0], found[1]


def _mark(record: Claim) -> None:
    """Put the claim on its test, and show pytest only the fixtures as parameters, not the runs."""
    names = dict.fromkeys(
        name
        for function in (record.test, *record.shown)
        if function is not None
        for name in parameters(function)
        if name not in asked_by(function) and (record.subjects or name != SEEDS)
    )
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    shown = inspect.Signature([inspect.Parameter(name, kind) for name in names])
    record.test.__signature__ = shown  # type: ignore[union-attr]
    setattr(record.test, ATTRIBUTE, record)
