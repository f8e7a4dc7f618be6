"""Claims and the registry that fixes each family's size before anything is judged."""

from __future__ import annotations

from dataclasses import dataclass, field

from lazarus_bench.judge.evidence import Evidence
from lazarus_bench.judge.region import Region


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A pre-registered statement.

    Attributes:
        id: "family/name", for example "dual/vo-36".
        says: the statement in one sentence.
        estimand: the number it is about, with its unit.
        source: where the statement was made.
        region: where the number has to lie.
        binary: whether samples are hits (0/1) or their differences.
        difference: whether the estimand is a difference of two samples.
        needs: specifications of the training runs it reads.
        subjects: what it is judged on.
        published: the source's own numbers, or None.
        published_note: how they were transcribed, or why there are none.
        exploratory: whether it was left open by its source.
        quirk: the known defect of the source that it is about; empty for most.
    """

    id: str
    says: str
    estimand: str
    source: str
    region: Region
    subjects: tuple[str, ...]
    binary: bool = False
    difference: bool = False
    needs: tuple[object, ...] = ()
    published: Evidence | None = None
    published_note: str = ""
    exploratory: bool = False
    quirk: str = ""

    def __post_init__(self) -> None:
        family, slash, name = self.id.partition("/")
        if not (family and slash and name):
            raise ValueError(f"a claim's id reads family/name, not {self.id!r}")

    @property
    def family(self) -> str:
        """The part of the id before the slash; multiplicity is controlled within it."""
        return self.id.partition("/")[0]


@dataclass(kw_only=True)
class Registry:
    """All claims of a session; a family's size never depends on which of its claims run."""

    claims: dict[str, Claim] = field(default_factory=dict)
    _modules: dict[str, str] = field(default_factory=dict)

    def register(self, claim: Claim, module: str) -> None:
        """Add a claim defined in a module.

        Raises:
            ValueError: when the id is taken or the family already lives in another module.
        """
        if claim.id in self.claims:
            raise ValueError(f"claim {claim.id} is registered twice; give one of them another id")
        home = self._modules.setdefault(claim.family, module)
        if home != module:
            raise ValueError(
                f"family {claim.family} lives in {home}, so {claim.id} cannot be in {module}: "
                "a partial collection would change the family's size"
            )
        self.claims[claim.id] = claim

    def parts(self) -> tuple[dict[str, Claim], dict[str, str]]:
        """All that the registry holds, for who has to set it aside."""
        return self.claims, self._modules

    def size(self, family: str) -> int:
        """Return the number of registered claims in a family.

        Raises:
            ValueError: for an unknown family.
        """
        count = sum(claim.family == family for claim in self.claims.values())
        if count == 0:
            raise ValueError(f"no claim of family {family} is registered")
        return count
