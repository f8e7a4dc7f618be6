"""A published source's numbers for a claim, judged by the claim's own rule."""

from dataclasses import dataclass

from lazarus_bench.judge import Evidence, Exact


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """A further piece of evidence for a claim, and what it measures."""

    label: str
    evidence: Evidence


def computed(label: str, value: float) -> Labelled:
    """A number that follows from the printed ones, or from chance alone."""
    return Labelled(label=label, evidence=Exact(value=value))


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A source's numbers for one claim.

    Attributes:
        claim: The claim's id.
        source: Document and section.
        evidence: The printed numbers as samples; None where none measures the claim's estimand.
        note: What the number measures, and what is doubtful about it; one or two sentences.
        others: The same question answered elsewhere: other models, other tables.
        explains: Printed numbers that the claim's defect might have produced, each with a label.
    """

    claim: str
    source: str
    evidence: Evidence | None
    note: str
    others: tuple[Labelled, ...] = ()
    explains: tuple[Labelled, ...] = ()
