"""The `@claim` decorator: a pytest function becomes one pre-registered claim.

Imported by claim files at collection, so it needs no mlx.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeVar

import pytest

from lazarus_bench.errors import UserError
from lazarus_bench.jobs.subjects import BLANK, LAB_FAMILIES, MIXTURES
from lazarus_bench.judge import Claim, Region, Registry
from lazarus_bench.published.records import Finding
from lazarus_bench.tasks.arithmetic import Operation
from lazarus_bench.tasks.labelled_data import DataSource
from lazarus_bench.training import Recipe
from lazarus_bench.training.recipe import check_base, quirks_of

REGISTRY = Registry()
"""Every claim of this process; a family's size is counted here, whatever `-k` selects."""

FINDINGS: dict[str, Finding] = {}
"""What the writeups offer for a claim, by its id."""

MARKER = "claim"
WORDS: dict[str, tuple[str, ...]] = {}
"""Words that must be single tokens of the subject's tokenizer, by claim id."""

TESTS: dict[str, Callable[..., None]] = {}
"""The function that reads and judges, by claim id."""

OPERATION_NAMES = tuple(operation.word for operation in Operation)
LAB_BASE = ("lab:llama",)
LAB_BOTH = ("lab:llama", "lab:llama-instruct")
LAB_EVERY = tuple(f"lab:{family}" for family in LAB_FAMILIES)
"""A base of every family, for claims that name none: five seeds of the llama and, in the default
profile, one of each other (`claims.profiles`)."""
LAB_BLANK = (BLANK,)
"""An untrained backbone of the data that a claim's recipes read."""
LAB_MIXTURES = tuple(f"lab:{family}" for family in MIXTURES)
"""The bases that have experts, for claims about routers."""

Test = TypeVar("Test", bound=Callable[..., None])


@dataclass(frozen=True, kw_only=True)
class OnInstruct:
    """`recipe` trained on the instruct sibling of the subject instead of the subject itself."""

    recipe: Recipe | None


@dataclass(frozen=True, kw_only=True)
class Stages:
    """`recipes` one after another, the first on the subject, each other on what came before it.

    A run of it is of the last one, with `before` leading down through the stages to the base.
    """

    recipes: tuple[Recipe, ...]

    def __post_init__(self) -> None:
        """Refuse a stage that cannot start from what the one before it leaves."""
        if not self.recipes:
            raise UserError("Stages(recipes=()) has no stage: give one recipe or more")
        check_base(self.recipes[0], None)
        for below, recipe in pairwise(self.recipes):
            check_base(recipe, below)


NEEDS = Recipe | OnInstruct | Stages
Need = NEEDS | None
"""What a claim reads: a recipe on the subject or on its instruct sibling, a chain of recipes, or
the base (None)."""


def recipes_of(need: Need) -> tuple[Recipe, ...]:
    """The recipes of `need` from the bottom up; none for the base itself."""
    if isinstance(need, Stages):
        return need.recipes
    recipe = need.recipe if isinstance(need, OnInstruct) else need
    return () if recipe is None else (recipe,)


def needs_of(claim: Claim) -> tuple[Need, ...]:
    """What a claim reads, in the order that its file names it."""
    return tuple(need for need in claim.needs if need is None or isinstance(need, NEEDS))


def data_of(recipe: Recipe) -> DataSource | None:
    """The labelled data that a recipe reads, or None."""
    data = getattr(recipe, "data", None)
    return data if isinstance(data, DataSource) else None


def _check_quirks(claim_id: str, quirk: str, needs: tuple[Need, ...]) -> None:
    for recipe in (recipe for need in needs for recipe in recipes_of(need)):
        other = [name for name in quirks_of(recipe) if name != quirk]
        if other:
            raise UserError(
                f"{claim_id} needs {recipe.label!r}: say quirk={other[0]!r}, so that its report "
                f"names the defect, or leave the quirk off"
            )


def claim(
    claim_id: str,
    *,
    says: str,
    estimand: str,
    region: Region,
    finding: Finding,
    needs: Need | tuple[Need, ...] = (),
    subjects: tuple[str, ...] = LAB_BASE,
    binary: bool = False,
    difference: bool = False,
    words: tuple[str, ...] = (),
    exploratory: bool = False,
    quirk: str = "",
) -> Callable[[Test], Test]:
    """Register the decorated test as a claim.

    Args:
        claim_id: "family/name"; the family's size sets the interval level.
        says: the claim in one sentence.
        estimand: the number it is about, in words.
        region: where the number has to lie.
        finding: what the writeup offers for it, judged by the same rule.
        needs: trainings the test reads besides the bases.
        subjects: lab models it is asked of; empty when only computed or published numbers count.
            A profile may ask fewer of the further families, and reads fewer seeds of each.
        binary: samples are hits (0/1), so that a design too small to decide costs no training.
        difference: the estimand is a difference of two such samples.
        words: must be single tokens of the subject, or the claim does not apply to it; asked before
            a design too small to decide is set aside, which runs no instrument that would notice.
        exploratory: the writeup left it open.
        quirk: the known defect of the public source that it is about: `judge.explain` then takes
            what the defect would explain. No other defect may be on in what the claim needs.

    Raises:
        UserError: the id is taken, its family lives in another file, the finding is another
            claim's, or a training it needs has a quirk that it is not about.
    """
    if finding.claim != claim_id:
        raise UserError(f"{claim_id}: its finding is that of {finding.claim}; give it its own")

    needed = needs if isinstance(needs, tuple) else (needs,)
    _check_quirks(claim_id, quirk, needed)

    def register(test: Test) -> Test:
        record = Claim(
            id=claim_id,
            says=says,
            estimand=estimand,
            source=finding.source,
            region=region,
            subjects=subjects,
            binary=binary,
            difference=difference,
            needs=needed,
            published=finding.evidence,
            published_note=finding.note,
            exploratory=exploratory,
            quirk=quirk,
        )
        try:
            REGISTRY.register(record, test.__module__)
        except ValueError as error:
            raise UserError(str(error)) from error
        FINDINGS[claim_id] = finding
        WORDS[claim_id] = words
        TESTS[claim_id] = test
        marked: Test = pytest.mark.claim(record)(test)
        return marked

    return register


@contextmanager
def set_apart() -> Iterator[None]:
    """Let claim files be read inside as if no other had been; what was registered then returns."""
    kept: list[tuple[dict[str, Any], dict[str, Any]]] = [
        (part, dict(part)) for part in (*REGISTRY.parts(), FINDINGS, WORDS, TESTS)
    ]
    for part, _ in kept:
        part.clear()
    try:
        yield
    finally:
        for part, before in kept:
            part.clear()
            part.update(before)
