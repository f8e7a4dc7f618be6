"""Claims chosen by id, family or pattern, and the trainings that they read, without pytest."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from lazarus_bench.claims.claim import Claim, family_sizes
from lazarus_bench.claims.claim_files import nearest
from lazarus_bench.claims.profiles import asked
from lazarus_bench.errors import UserError
from lazarus_bench.session.judging import Trial


def matches(claim_id: str, wanted: str) -> bool:
    """Whether `wanted` names a claim.

    It is the claim's id, the id without its variant in brackets, its family, or a pattern in which
    `*` stands for any part of the id.
    """
    pattern = "".join(
        ".*" if part == "*" else re.escape(part) for part in re.split(r"(\*)", wanted)
    )
    named = (claim_id, claim_id.partition("[")[0], claim_id.partition("/")[0])
    return wanted in named or re.fullmatch(pattern, claim_id) is not None


def select(claims: Sequence[Claim], wanted: Sequence[str]) -> tuple[Claim, ...]:
    """The claims that one of `wanted` names, in their own order; all where none is wanted.

    Raises:
        UserError: a name means no claim, with the nearest that there are.
    """
    for name in wanted:
        if not any(matches(claim.id, name) for claim in claims):
            known = [*dict.fromkeys(claim.family for claim in claims), *(c.id for c in claims)]
            raise UserError(
                f"no claim and no family is called {name}{nearest(name, known)}: "
                f"`lazarus-bench claims list` lists them"
            )
    return tuple(c for c in claims if not wanted or any(matches(c.id, name) for name in wanted))


def put_to_models(
    chosen: Iterable[Claim], claims: Iterable[Claim], models: Sequence[str], profile: str
) -> Iterator[Trial]:
    """Each of the `chosen` ones of all `claims` with each model that a session asks it of.

    That is what pytest collects: the user's `models`, else those of the claim's own subjects that
    the `profile` asks; none for a claim on computed numbers.
    """
    sizes = family_sizes(claims)
    for claim in chosen:
        named = tuple(dict.fromkeys(models)) or asked(profile, claim.subjects)
        for subject in named if claim.subjects else ():
            yield Trial(claim=claim, subject=subject, family_size=sizes[claim.family])
