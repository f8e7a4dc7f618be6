"""Judge claims: on the lab's models, on yours, or on the published numbers.

Runs the trainings that the claims need and the store lacks, measures the models, and compares each
interval with its claim's region. Without names, judges every claim.

Examples:
    lazarus-bench run --published                  # the published numbers: seconds
    lazarus-bench run dual/vo-36 --plan            # what it would train, and how long
    lazarus-bench run dual sft --profile smoke     # two families, one seed
    lazarus-bench run 'probe/words-*' --model mlx-community/Llama-3.2-1B-bf16
    lazarus-bench run --report results --json

Exit codes:
    0  judged; every verdict matches its pin, and none is one that --fail-on lists
    1  a verdict moved or is one that --fail-on lists; the report is written all the same
    2  bad input: one sentence says what to fix, and nothing was judged
    3  a claim's own code failed: its verdict is *error*, the traceback is on standard error
    130, 141  interrupted (trainings are kept; the same command resumes), or a closed pipe
"""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from lazarus_bench.cli.flags import (
    Hypotheses,
    Json,
    Judging,
    Line,
    Published,
    claim_ids,
    families,
)


def _names(context: object) -> list[str]:
    """What a shell offers for CLAIM."""
    return [*families(context), *claim_ids(context)]


def run(
    *claims: Annotated[
        str,
        Parameter(
            metavar="CLAIM",
            completer=_names,
            help="a claim's id (dual/vo-36), a family (dual), or a pattern with *",
        ),
    ],
    asked: Judging = Judging(),
    published: Published = False,
    hypotheses: Hypotheses = None,
    as_json: Json = False,
    line: Line,
) -> int:
    """Judge the claims that are named, or show what that would train."""
    from lazarus_bench.cli import judging
    from lazarus_bench.session.judging import select

    study = judging.study(hypotheses)
    chosen = select(study.claims, claims)
    done = judging.judge(asked, study, chosen, line, published=published, as_json=as_json)
    return 0 if done is None else done.code
