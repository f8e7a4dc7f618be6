"""A small hand-made registry; run this file to write its renderings anew to the golden files."""

from pathlib import Path

from lazarus_bench.judge import RULE, AtLeast, Within, to_json
from lazarus_bench.report.registry import (
    RegisteredClaim,
    list_claims,
    render_claim,
    render_registry,
    to_text,
)

GOLDEN = Path(__file__).with_name("golden_registry.md")
GOLDEN_CLAIM = Path(__file__).with_name("golden_registry_claim.md")
GOLDEN_JSON = Path(__file__).with_name("golden_registry.json")
GOLDEN_LIST = Path(__file__).with_name("golden_registry_list.txt")

PROFILES = {
    "smoke": {"seeds": 2, "prompts": 80, "further": ["olmoe"], "further_seeds": 1},
    "full": {"seeds": 10, "prompts": 200, "further": ["granite", "olmoe"], "further_seeds": 5},
}


def registered(claim_id, region, digest="0123456789abcdef", **rest):
    """A claim whose digest is made up: what is shown and compared takes it as it is."""
    decides = {
        "id": claim_id,
        "says": "puts ~36% | of it on the `word`",
        "estimand": "mean probability",
        "region": to_json(region),
        "subjects": ["lab:llama"],
        "needs": [],
        "words": [],
        "exploratory": False,
        "quirk": "",
        "family_size": 2,
        "alpha": 0.05,
        "level": 0.95,
        "rule": RULE,
        "published": None,
        "test": 4 * "feedfacefeedface",
        "profiles": PROFILES,
    } | rest
    return RegisteredClaim(
        id=claim_id,
        digest=4 * digest,
        source="C, *Dual-Reward* Training",
        printed="0.571" if decides["published"] else "",
        trainings=tuple("dual reward vo, on it" for _ in decides["needs"]),
        decides=decides,
    )


CLAIMS = (
    registered(
        "dual/vo-36",
        AtLeast(0.36),
        needs=[{"on": "instruct sibling", "recipes": []}],
        published={"evidence": "Means", "digest": "ab"},
        words=["add", "sub`tract"],
    ),
    registered("dual/params[two|four]", Within(851_968, 851_968), subjects=[], exploratory=True),
    registered(
        "probe/words",
        AtLeast(-0.05),
        subjects=["lab:llama", "lab:olmoe"],
        family_size=1,
        level=0.9,
    ),
)
RENDERINGS = {
    GOLDEN: lambda: render_registry(CLAIMS),
    GOLDEN_CLAIM: lambda: render_claim(CLAIMS[0]),
    GOLDEN_JSON: lambda: to_text(CLAIMS),
    GOLDEN_LIST: lambda: "\n\n".join(list_claims(CLAIMS, width) for width in (60, 140)) + "\n",
}

if __name__ == "__main__":
    for path, rendered in RENDERINGS.items():
        path.write_text(rendered(), encoding="utf-8")
