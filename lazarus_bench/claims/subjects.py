"""Names of what claims are judged on: "published", "computed", a lab model, a user's model."""

PUBLISHED = "published"
"""No model: the source's own numbers."""

COMPUTED = "computed"
"""No model: what the test of a claim without subjects computes."""

BLANK = "lab:blank"
"""A small untrained backbone with a tokenizer of the labelled data that a recipe reads."""

INSTRUCT = "-instruct"

MAIN_FAMILY = "llama"
"""The family of most claims; the others are *further* ones, which some claims are judged on too."""

LAB_BASE = (f"lab:{MAIN_FAMILY}",)


def is_model(name: str) -> bool:
    """Whether a subject is a model, the lab's or a user's."""
    return name not in (PUBLISHED, COMPUTED)


def lab_family(name: str) -> str | None:
    """The family of a lab subject, instruct or not; None for what is not a lab subject."""
    return name.removeprefix("lab:").removesuffix(INSTRUCT) if name.startswith("lab:") else None


def is_further(name: str) -> bool:
    """Whether a subject is a lab model of another family than the main one."""
    return name != BLANK and lab_family(name) not in (None, MAIN_FAMILY)
