"""A small registry, `golden_registry.json`; run this file to write its other renderings anew."""

from pathlib import Path

from lazarus_bench.judge import to_json
from lazarus_bench.report.registry import (
    RegisteredClaim,
    list_claims,
    load_registry,
    render_claim,
    render_registry,
    to_text,
)

HERE = Path(__file__).parent
CLAIMS = load_registry(HERE / "golden_registry.json")


def registered(claim_id, region, digest="0123456789abcdef", **rest):
    """A claim like the sample's second, with a made-up digest, that differs from it in `rest`."""
    about = {"id": claim_id, "region": to_json(region), "subjects": ["lab:llama"]}
    decides = {**CLAIMS[1].decides, **about, "exploratory": False} | rest
    return RegisteredClaim(
        id=claim_id, digest=4 * digest, source="C", printed="", trainings=(), decides=decides
    )


RENDERINGS = {
    "golden_registry.md": lambda: render_registry(CLAIMS),
    "golden_registry_claim.md": lambda: render_claim(CLAIMS[0]),
    "golden_registry.json": lambda: to_text(CLAIMS),
    "golden_registry_list.txt": lambda: (
        "\n\n".join(list_claims(CLAIMS, width) for width in (60, 140)) + "\n"
    ),
}

if __name__ == "__main__":
    for name, rendered in RENDERINGS.items():
        (HERE / name).write_text(rendered(), encoding="utf-8")
