"""Flags of the trainings come from the recipes' fields, and the help tells the defaults."""

from dataclasses import dataclass, fields
from importlib.metadata import EntryPoint
from typing import ClassVar

import pytest

from lazarus_bench import cli, training
from lazarus_bench.cli import train_settings, trained
from lazarus_bench.cli.train_settings import flags, recipes_of, trainings
from lazarus_bench.errors import UserError
from lazarus_bench.jobs.cleanup import current_versions
from lazarus_bench.tasks.labelled_data import DataSource
from lazarus_bench.training import DualReward, Engram, Grpo, GrpoDual, Recipe, Sft, option
from lazarus_bench.training.engram import suited_base

NAMES = (
    "sft",
    "full",
    "dual-reward",
    "grpo",
    "grpo-dual",
    "two-stage",
    "engram",
    "jacobian-lens",
    "tuned-lens",
)
SPECS = {"sft": Sft, "full": Sft, "dual-reward": DualReward, "grpo": Grpo, "grpo-dual": GrpoDual}


def defaults(name):
    """The specs that a command without flags trains, by the start of their flags' fields."""
    made = recipes_of(name, {}, {}, "lab:llama")
    return {folder and f"{folder}.": recipe for folder, recipe in made}


def test_the_trainings_are_those_that_were():
    assert tuple(trainings()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_help_tells_the_defaults(name):
    """A value that is told is what is trained; LoRA's alpha and the like are told in words."""
    specs = defaults(name)
    for flag in flags(name):
        stage, dot, setting = flag.field.rpartition(".")
        if "(default: " not in flag.told or flag.option.usual is not None:
            continue
        value = getattr(specs[stage + dot], setting)
        shown = {True: "on", False: "off"}.get(value, value) if flag.type is bool else value
        told = f"{shown:g}" if flag.type is float else shown
        assert flag.told.endswith(f"(default: {told})"), flag.flag


@pytest.mark.parametrize("name", NAMES)
def test_the_help_speaks_of_no_flag_that_is_not_there(name):
    """--data is a flag of some recipes alone."""
    words = {word.strip(",;()") for flag in flags(name) for word in flag.option.help.split()}
    there = {flag.flag.replace("stage1-", "").replace("stage2-", "") for flag in flags(name)}
    there |= {flag.replace("--", "--no-") for flag in there}
    assert {word for word in words if word.startswith("--")} <= there


@pytest.mark.parametrize(("name", "spec"), SPECS.items())
def test_every_field_has_a_flag(name, spec):
    """But for what the command or another recipe decides."""
    decided = {"full"} if spec is Sft else {"match_targets"}
    decided |= {"targets", "rank", "scale"} if name == "full" else set()
    known = {flag.field for flag in flags(name)}
    assert {field.name for field in fields(spec)} - decided <= known


def test_an_engram_of_a_model_is_the_claims():
    assert defaults("engram")[""] == suited_base(DataSource(train=120, validation=500), blank=False)
    assert {f.name for f in fields(Engram)} <= {flag.field for flag in flags("engram")}


@pytest.mark.parametrize("name", NAMES)
def test_flags_and_keys_are_unique(name):
    names = [key for flag in flags(name) for key in (flag.key, *flag.keys)]
    assert len(names) == len(set(names))
    typed = [word for flag in flags(name) for word in (flag.flag, *flag.habits)]
    assert len(typed) == len(set(typed))


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"engram", "two-stage", "jacobian-lens"}))
@pytest.mark.parametrize("habit", ["--steps", "--iters", "--max-steps"])
def test_steps_have_one_name_in_every_recipe_and_flags_of_habit_are_taken(
    monkeypatch, tmp_path, name, habit
):
    """An engram counts passes, a Jacobian lens texts, and two stages have steps each."""
    made = []
    monkeypatch.setattr(trained, "train", lambda name, stages, *_, **__: made.extend(stages))
    asked = ["train", name, "lab:llama"]
    assert cli.main([*asked, habit, "7", "--lr", "0.5", "--batch-size", "3"]) == 0
    config = tmp_path / "config.yaml"
    config.write_text("steps: 7\nlr: 0.5\nbatch_size: 3")
    assert cli.main([*asked, "--config", str(config)]) == 0
    (_, typed), (_, read) = made
    assert typed == read
    assert (getattr(typed, "steps", None) or typed.iterations, typed.learning_rate) == (7, 0.5)


def test_a_setting_is_given_once(capsys):
    assert cli.main(["train", "sft", "lab:llama", "--steps", "3", "--iters", "4"]) == 2
    assert "--steps and --iters set the same thing: give one of them" in capsys.readouterr().err


@dataclass(frozen=True, kw_only=True)
class Idle(Recipe):
    """Leave the model as it is.

    An outsider's recipe: all that is known of it stands here.
    """

    kind: ClassVar[str] = "idle_here"
    version: ClassVar[int] = 1
    leaves: ClassVar[str] = "record"

    strength: float = option(0.5, "how idle it is", aliases=("idleness",))
    naps: int = 2

    def train(self, base, out, seed, show=None):
        (out / "naps.json").write_text(f"{self.naps} {self.strength} {seed}")


@dataclass(frozen=True, kw_only=True)
class Bare(Recipe):
    """Has no setting."""

    kind: ClassVar[str] = "bare_here"
    version: ClassVar[int] = 1
    leaves: ClassVar[str] = "record"


@pytest.fixture
def outsider(monkeypatch):
    """Idle, as an installed package offers it."""
    entry = EntryPoint(name="recipes", value=f"{__name__}:Idle", group="lazarus_bench")
    monkeypatch.setattr(training, "entry_points", lambda **_: [entry])
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: [entry])
    monkeypatch.setattr(EntryPoint, "load", lambda self: Idle)
    yield
    train_settings.training.cache_clear()
    train_settings.flags.cache_clear()


def test_the_recipe_of_an_installed_package_has_its_flags(outsider):
    assert set(trainings()) - set(NAMES) == {"idle-here"}
    strength, naps = flags("idle-here")
    assert (strength.flag, strength.keys) == ("--strength", ("idleness",))
    assert strength.told == "how idle it is (default: 0.5)"
    assert (naps.flag, naps.type, naps.told) == ("--naps", int, "naps (default: 2)")
    assert recipes_of("idle-here", {}, {"naps": 3}, "lab:llama") == [("", Idle(naps=3))]


def test_it_is_trained_and_its_artifact_is_kept(outsider, lab, tmp_path, capsys):
    out = str(tmp_path / "idle")
    asked = ["train", "idle-here", "lab:llama", "--naps", "3", "--seed", "5", "--output", out]
    assert cli.main(asked) == 0
    assert (tmp_path / "idle" / "naps.json").read_text() == "3 0.5 5"
    assert cli.main(asked) == 0
    assert "found trained already" in capsys.readouterr().out
    assert current_versions()["idle_here"] == 1


def test_an_entry_point_that_is_no_recipe_is_refused(outsider, monkeypatch):
    monkeypatch.setattr(EntryPoint, "load", lambda self: print)
    with pytest.raises(UserError, match="which is not a recipe: name a subclass"):
        training.known_recipes()


@pytest.mark.parametrize("value", ["nowhere_at_all:Idle", f"{__name__}:Nothing"])
def test_a_package_that_cannot_be_read_is_named(outsider, monkeypatch, capsys, value):
    broken = EntryPoint(name="recipes", value=value, group="lazarus_bench")
    monkeypatch.undo()
    monkeypatch.setattr(training, "entry_points", lambda **_: [broken])
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: [broken])
    assert cli.main(["train", "sft", "--help"]) == 2
    assert f"offers {value}, which cannot be read" in capsys.readouterr().err


def test_the_help_of_a_recipe_without_other_keys_ends_its_sentence(outsider, monkeypatch, capsys):
    monkeypatch.setattr(EntryPoint, "load", lambda self: Bare)
    assert cli.main(["train", "bare-here", "--help"]) == 0
    assert "also: ." not in capsys.readouterr().out


def test_a_kind_that_there_is_already_is_refused(outsider, monkeypatch):
    monkeypatch.setattr(Idle, "kind", "sft")
    with pytest.raises(UserError, match="a recipe of kind 'sft', which another package has too"):
        training.known_recipes()


@pytest.mark.parametrize("word", ["none", "Null"])
@pytest.mark.parametrize("flag", ["--steps", "--rank", "--learning-rate"])
def test_none_is_no_value(capsys, flag, word):
    assert cli.main(["train", "sft", "nowhere", f"{flag}={word}"]) == 2
    assert f"{flag} none is no value" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("grpo-dual --kl-coeff=-1", "--kl-coeff = -1.0 must be"),
        ("grpo-dual --lora-scale=3", "--lora-scale applies to LoRA"),
        ("two-stage --stage1-max-seq-length=3", "--stage1-max-seq-length cuts rows of --data"),
    ],
)
def test_a_refusal_names_the_flag_that_was_typed(tiny, capsys, words, said):
    name, typed = words.split()
    assert cli.main(["train", name, str(tiny), typed]) == 2
    assert said in capsys.readouterr().err
