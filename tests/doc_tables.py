"""What the tests of the documentation's examples do otherwise than the page says, and why.

Everything stands here and nowhere else: an example that is neither run nor named in one of these
tables fails, and so does a line of a table that no example needs any more.
"""

from collections.abc import Callable
from dataclasses import dataclass

import doc_instead as instead

STAND_INS = {
    r"mlx-community/[\w.-]+": "my-model",  # no hub is reached from a test
    r"/shared/lazarus": "store",
    r"\b(sst2|ag_news)=DIR\b": r"\1=\1",
}
"""What stands in for a model, folder or store that a test does not have."""

GRPO = {"--steps": "3", "--prompts": "4", "--answers": "2", "--examples": "24"}
SMALLER = {
    "classifier": {"--permutations": "9"},
    "data": {"--count": "40", "--validation": "8"},
    "interchange": {"--steps": "2", "--shuffles": "1"},
    "moe-expert analyze": {"--permutations": "9"},
    "train dual-reward": {"--steps": "3", "--examples": "40"},
    "train engram": {"--examples": "40", "--validation": "60"},
    "train full": {"--steps": "3", "--examples": "40", "--validation": "8"},
    "train grpo": GRPO,
    "train grpo-dual": GRPO,
    "train jacobian-lens": {"--examples": "6", "--batch": "2"},
    "train sft": {"--steps": "3", "--examples": "40", "--validation": "8"},
    "train tuned-lens": {"--examples": "16", "--steps": "3"},
    "train two-stage": {"--stage1-steps": "3", "--stage2-steps": "3"},
}
"""Flags that make an example of a command small, in place of its own or beside them."""


@dataclass(frozen=True)
class Excuse:
    """Examples that match `pattern` are not run because of `reason`; `check` looks instead."""

    pattern: str
    reason: str
    check: Callable[[str], None]


EXCUSES = (
    Excuse(
        r"python3 -m venv \.venv",
        "makes an environment; .ci/run makes one in every run",
        instead.ci_makes_an_environment,
    ),
    Excuse(
        r"source \.venv/bin/activate",
        "changes the shell that reads it; .ci/run does it in every run",
        instead.ci_activates_it,
    ),
    Excuse(
        r"\.venv/bin/pip install -e .*",
        "installs from a registry; .ci/run does it in every run. The extras must be there",
        instead.extras_are_there,
    ),
    Excuse(
        r"pip install paramiko",
        "installs from a registry. dask's SSH must still be the one that needs it",
        instead.dask_ssh_needs_paramiko,
    ),
    Excuse(
        r"\.venv/bin/pytest tests/ -n auto",
        "is this suite, which .ci/run runs. Its options must be known",
        instead.this_suite_knows_the_options,
    ),
    Excuse(
        r"(CUDA_VISIBLE_DEVICES=\d )?dask (ssh|scheduler|worker)\b.*",
        "starts a scheduler or workers that stay, on machines that are not here. dask must accept "
        "the arguments",
        instead.dask_accepts,
    ),
    Excuse(
        r"mlx\.(launch|distributed_config) .*",
        "asks Macs over SSH. The program must know every flag",
        instead.program_knows_the_flags,
    ),
    Excuse(
        r"lazarus-bench benchmark\b.*",
        "measures for minutes; its own tests run it small. The command line must take the words",
        instead.command_line_takes,
    ),
    Excuse(
        r"pytest benchmarks/.*",
        "measures for minutes. The suites and the options must be there",
        instead.suites_are_there,
    ),
)


@dataclass(frozen=True)
class Extra:
    """Examples that match `pattern` get `more`, because of `reason`."""

    pattern: str
    more: tuple[str, ...]
    reason: str


EXTRAS = (
    Extra(
        r"lazarus-bench (run|experiment run)\b"
        r"(?!.*--(plan|published|baseline-only|hypotheses my-sums)).*",
        ("--plan",),
        "it would train for minutes or hours: the plan takes every option and trains nothing",
    ),
    Extra(
        r"lazarus-bench experiment run .*--baseline-only.*",
        ("--profile", "smoke", "--fail-on", "none"),
        "the store of the tests has the base of one seed, untrained",
    ),
    Extra(
        r".*--lb-offline\b.*",
        ("--lb-profile", "smoke", "-k", "base-no-mass", "--lb-fail-on", "none"),
        "the store of the tests has one untrained llama, of which a claim on bases can be judged",
    ),
    Extra(
        r"(?!.*--lb-(plan|offline))(\.venv/bin/)?pytest hypotheses/.* -m slow.*",
        ("--lb-plan",),
        "it would train for minutes or hours: the plan takes every option and trains nothing",
    ),
)
