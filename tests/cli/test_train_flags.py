"""Flags of the trainings: they name fields, tell the specs' defaults, and the help is quick."""

import resource
import subprocess
import sys
from dataclasses import fields

import pytest
from claimfiles import clean_environment

from lazarus_bench.cli.train_flags import FLAGS
from lazarus_bench.cli.train_setting import QUIRKS
from lazarus_bench.cli.train_specs import stages_of
from lazarus_bench.tasks.labelled_data import DataSource
from lazarus_bench.training import DualReward, Engram, Grpo, GrpoDual, Sft, quirks
from lazarus_bench.training.engram import with_adapter

SPECS = {"sft": Sft, "full": Sft, "dual-reward": DualReward, "grpo": Grpo, "grpo-dual": GrpoDual}
DERIVED = {"alpha", "answer_weight", "texts", "data", "examples", "validation"}


def defaults(recipe):
    """The specs that a command without flags trains, by the start of their flags' fields."""
    found = [s.recipe for s in stages_of(recipe, {}, "lab:llama")]
    if recipe == "two-stage":
        return {"stage1.": found[0], "stage2.": found[2]}
    return {"": found[0]}


@pytest.mark.parametrize("recipe", FLAGS)
def test_the_help_tells_the_defaults(recipe):
    specs = defaults(recipe)
    for flag in FLAGS[recipe]:
        stage, dot, field = flag.field.rpartition(".")
        spec = specs[stage + dot]
        if not isinstance(flag.default, str) and flag.default is not None:
            assert getattr(spec, field) == flag.default, flag.flag
        if field not in DERIVED:
            assert hasattr(spec, field), flag.flag


def test_the_quirks_are_those_that_there_are():
    assert QUIRKS == quirks.QUIRKS


@pytest.mark.parametrize("recipe", FLAGS)
def test_the_help_speaks_of_no_flag_that_is_not_there(recipe):
    """--data is a flag of some recipes alone."""
    flags = {flag.flag for flag in FLAGS[recipe]}
    spoken = {word.strip(",;()") for flag in FLAGS[recipe] for word in flag.help.split()}
    own = {
        word.removeprefix("--stage1-").removeprefix("--stage2-").removeprefix("--")
        for word in flags
    }
    named = {word.removeprefix("--") for word in spoken if word.startswith("--")}
    assert named <= own | {f"no-{name}" for name in own}


@pytest.mark.parametrize(("recipe", "spec"), SPECS.items())
def test_every_field_has_a_flag(recipe, spec):
    """But for what the command or another recipe decides."""
    decided = {"full"} if spec is Sft else {"match_targets"}
    decided |= {"targets", "rank", "scale"} if recipe == "full" else set()
    known = {flag.field for flag in FLAGS[recipe]}
    assert {field.name for field in fields(spec)} - decided <= known


def test_an_engram_of_a_model_is_the_claims():
    assert defaults("engram")[""] == with_adapter(DataSource(train=120, validation=500))
    assert {f.name for f in fields(Engram)} <= {flag.field for flag in FLAGS["engram"]}


@pytest.mark.parametrize("recipe", FLAGS)
def test_flags_and_keys_are_unique(recipe):
    names = [name for flag in FLAGS[recipe] for name in (flag.key, *flag.keys)]
    assert len(names) == len(set(names))
    assert len({flag.flag for flag in FLAGS[recipe]}) == len(FLAGS[recipe])


@pytest.mark.parametrize(
    "command", [["train"], ["train", "two-stage"], ["fuse"], ["generate"], ["data"]]
)
def test_help_is_quick_and_imports_no_mlx(command):
    code = (
        "import sys; from lazarus_bench import cli\n"
        f"try: cli.main({[*command, '--help']!r})\n"
        "except SystemExit: print('mlx' in sys.modules, 'numpy' in sys.modules)"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env=clean_environment(),
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.stdout.endswith("False False\n")
    assert "lazarus-bench " + " ".join(command) in done.stdout
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.3
