"""What a published source offers for a claim: its own number, judged by the claim's own rule."""

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
    """What a source offers for one claim.

    Attributes:
        claim: The claim's id.
        source: Document and section.
        evidence: What was printed, as samples; None where the source prints nothing that measures
            the claim's estimand.
        note: What the number measures, and what is doubtful about it; one or two sentences.
        others: The same question answered elsewhere: other models, other tables.
        explains: Printed numbers that the defect of a claim about one might have produced, each
            named by what it measures.
    """

    claim: str
    source: str
    evidence: Evidence | None
    note: str
    others: tuple[Labelled, ...] = ()
    explains: tuple[Labelled, ...] = ()
