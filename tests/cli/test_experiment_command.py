"""`lazarus-bench experiment`: a study's experiments, their settings, and their standing."""

import json
from textwrap import dedent

import pytest
from claimfiles import write
from commandcases import CONFIG, commands

TWO = """
from lazarus_bench.training import DualReward, Fuse

FIRST = Sft(rank=16, scale=2.0)
LIGHT = DualReward(rank=8, weight=0.5, learning_rate=5e-5)
HEAVY = DualReward(rank=8, weight=0.8, steps=200, learning_rate=1e-3)
first = trained(FIRST, Fuse())
heavy = trained(FIRST, Fuse(), HEAVY)
light = trained(FIRST, Fuse(), LIGHT)


@pre("two-stage/first", AtLeast(0.3), NARROW)
def test_first(first):
    return Means(values=NARROW)


@pre("two-stage/heavy", AtLeast(0.3), NARROW)
def test_heavy(heavy):
    return Means(values=NARROW)


@pre("two-stage/light", AtLeast(0.3), NARROW)
def test_light(light):
    return Means(values=NARROW)
"""
ONE = """
sft = trained(Sft(examples=4500, checkpoints=(0, 100, 300, 500)))


@pre("one/grows", AtLeast(0.3), NARROW)
def test_grows(sft):
    return Means(values=NARROW)


@pre("one/base", AtLeast(0.3), NARROW)
def test_base():
    return Means(values=NARROW)
"""
EXPERIMENTS = """
from lazarus_bench.claims.experiments import Experiment

EXPERIMENTS = (
    Experiment(
        name="two_stages",
        source="a_paper.md",
        section="the whole paper",
        does="fine-tunes, fuses and trains on",
        printed="run two_stages",
        claims=("two-stage/*",),
        sections={"stage1": "sft", "stage2": "dual_reward"},
    ),
    Experiment(
        name="emergence",
        source="another.md",
        section="Results",
        does="fine-tunes and looks",
        claims=("one/*",),
        sections={"sft": "sft"},
        flags=("steps", "problems"),
    ),
    Experiment(
        name="sentences",
        aliases=("experiment_7b",),
        source="another.md",
        section="Sentences",
        does="the same on other data",
        claims=("one/grows",),
        data=("sst2=hub",),
    ),
)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("experiment")
    study = write(folder / "study", test_two=TWO, test_one=ONE)
    (study / "experiments.py").write_text(EXPERIMENTS)
    write(folder / "without", test_two=TWO)
    for name, text in {
        "printed": CONFIG,
        "other": CONFIG.replace("0.00005", "0.5"),
        "halves": CONFIG.replace("0.00005", "0.001"),
        "twenty": "stage2: {max_steps: 200, classifier_weight: 0.8}",
        "mixed": "stage2: {max_steps: 200, classifier_weight: 0.5}",
        "key": "stage2: {warmup: 10}",
        "section": "stage3: {max_steps: 10}",
        "sequence": "- stage1",
        "broken": "stage1: {",
        "twice": "stage2: {steps: 200, steps: 500}",
        "model": f"model: lab:llama\n{CONFIG}",
    }.items():
        (folder / f"{name}.yaml").write_text(dedent(text))
    return folder


@pytest.fixture(scope="module")
def ran(folder):
    two = ["experiment", "run", "two_stages"]
    plan, own = ["--plan", "--json"], ["--hypotheses", "study"]
    cases = {
        "list": ["experiment", "list", "--json", *own],
        "table": ["experiment", "list", *own],
        "one": ["experiment", "list", "two_stages", *own],
        "status": ["experiment", "status", "--json", *own],
        "status of one": ["experiment", "status", "two_stages", "--profile", "smoke", *own],
        "plan": [*two, "--profile", "smoke", *plan, *own],
        **{
            name: [*two, "--config", f"{name}.yaml", *plan, "--profile", "smoke", *own]
            for name in (
                *(
                    "printed",
                    "other",
                    "halves",
                    "twenty",
                    "mixed",
                    "key",
                    "section",
                    "sequence",
                    "broken",
                ),
                *("twice", "model", "absent"),
            )
        },
        "two models": [*two, "--config", "model.yaml", "-m", "lab:olmoe", *plan, *own],
        "steps": [*two, "--steps", "100", *own],
        "baseline of two": [*two, "--baseline-only", *own],
        "flags": [
            *("experiment", "run", "emergence", "-m", "lab:llama"),
            *("--steps", "100", "300", "500", "-n", "5000", "-o", "here", "--save", *plan, *own),
        ],
        "fewer steps": [*("experiment", "run", "emergence", "--steps", "100", "--plan", *own)],
        "alias": ["experiment", "list", "experiment_7b", *own],
        "unknown": ["experiment", "run", "two_stage", *own],
        "none": ["experiment", "list", "--hypotheses", "without", "--json"],
        "published": [*two, "--published", "--fail-on", "none", "--config", "printed.yaml", *own],
        "baseline": [
            *("experiment", "run", "emergence", "--baseline-only", "--published"),
            *("--fail-on", "none", "--json", "-o", "base", *own),
        ],
        "folder of all": ["experiment", "status", "-o", "somewhere", *own],
        "after": ["experiment", "status", "two_stages", "--json", *own],
    }
    return commands(folder, cases)


def labels(said):
    return [training["label"] for training in said.json["trainings"]]


def test_the_list_names_what_each_does_and_costs(ran):
    found = {item["name"]: item for item in ran["list"].json["experiments"]}
    assert list(found) == ["two_stages", "emergence", "sentences"]
    two = found["two_stages"]
    assert two["source"] == "a_paper.md"
    assert list(two["claims"]) == ["two-stage/first", "two-stage/heavy", "two-stage/light"]
    assert two["printed"] == "run two_stages"
    # Five seeds of: base, stage 1, fused, and two ways to train stage 2.
    assert two["trainings"] == 25
    assert two["lab_seconds"] > 60
    assert found["sentences"]["lab_seconds"] is None
    for item in found.values():
        assert item["claims"], item["name"]
    lines = ran["table"].out.splitlines()
    assert lines[0].startswith("experiment ")
    assert len(lines) == 1 + len(found)
    assert ran["none"].json["experiments"] == []


def test_one_experiment_is_told_in_full(ran):
    said = ran["one"]
    assert said.code == 0
    assert "source: a_paper.md, the whole paper" in said.out
    assert "sections of a configuration: stage1, stage2" in said.out
    assert "  two-stage/light: A statement" in said.out
    assert ran["alias"].out.startswith("sentences: ")


def test_the_standing_of_an_empty_store_lacks_everything(ran):
    said = ran["status"]
    found = {item["name"]: item for item in said.json["experiments"]}
    assert said.code == 1
    assert found["two_stages"]["lacks"] == 25
    assert {t["state"] for t in found["two_stages"]["trainings"]} == {"missing"}
    assert found["sentences"]["asks"] == "sst2=hub"
    assert ran["status of one"].code == 1
    assert "0 of " in ran["status of one"].out
    assert "dual reward vo" in ran["status of one"].out


def test_the_standing_tells_trainings_apart(ran):
    for item in ran["status"].json["experiments"]:
        named = [(training["label"], training["seed"]) for training in item["trainings"] or ()]
        assert len(set(named)) == len(named), item["name"]


def test_the_printed_configuration_chooses_its_arm(ran):
    both, printed, twenty = (labels(ran[name]) for name in ("plan", "printed", "twenty"))
    stage2 = [label for label in both if label.startswith("dual")]
    assert len(stage2) == 2
    assert [label for label in printed if label.startswith("dual")]
    assert ran["printed"].code == ran["twenty"].code == 0
    assert len(twenty) <= len(both)


@pytest.mark.parametrize(
    ("case", "sentence"),
    [
        ("other", "stage2.learning_rate 0.5 is not what the claims register, which is "),
        ("halves", "no registered training has all of stage2.method dual_reward, stage2.max_st"),
        ("mixed", "no registered training has all of stage2.max_steps 200, stage2.classifier_w"),
        ("key", "stage2.warmup is no setting here: choose from learning_rate, lora.rank, "),
        ("section", "two_stages has no section 'stage3' with settings: its sections "),
        (
            "sequence",
            "--config sequence.yaml has no sections: write one such as stage1: with settings",
        ),
        (
            "broken",
            "--config broken.yaml is not valid YAML (line 1, column 10: expected the node content",
        ),
        ("twice", "--config twice.yaml has the key steps twice, again in line 1: leave one out"),
        ("absent", "--config absent.yaml cannot be read (No such file or directory): name a YAML"),
        ("two models", "--model lab:olmoe and model: lab:llama in --config differ: give one"),
        ("steps", "two_stages has no setting --steps: leave it out; what its claims "),
        ("baseline of two", "every claim of two_stages trains something: leave --base"),
        ("fewer steps", "--steps [100] is not what the claims register, which is [100, 300, 500"),
        ("folder of all", "--report is the folder of one experiment: name which"),
        ("unknown", "no experiment is called two_stage; the nearest are two_stages"),
    ],
)
def test_what_cannot_be_honoured_is_refused(ran, case, sentence):
    assert ran[case].refusal().startswith(sentence)


def test_the_flags_of_an_experiment_are_honoured(ran):
    said = ran["flags"]
    assert said.code == 0
    assert "SFT LoRA all on pretrain" in labels(said)
    assert ran["model"].code == 0
    assert labels(ran["model"])[0] == "pretrain"


def test_a_run_leaves_a_folder_with_its_report_and_settings(ran, folder):
    said = ran["published"]
    results = folder / "experiments" / "two_stages" / "published"
    assert said.code == 0
    assert said.out.splitlines()[-1] == ("written: experiments/two_stages/published/report.html")
    record = json.loads((results / "experiment.json").read_text())
    assert record["settings"]["stage2.learning_rate"] == 5e-5
    assert record["claims"] == ["two-stage/first", "two-stage/light"]
    report = json.loads((results / "report.json").read_text())
    assert {row["claim_id"] for row in report["rows"]} == set(record["claims"])
    assert record["exit_code"] == 0
    assert record["verdicts"]


def test_the_baseline_alone_asks_for_no_training(ran, folder):
    told = ran["baseline"].json
    assert told["report"] == "base/report.json"
    assert [v["claim"] for v in told["verdicts"]] == ["one/base"]


def test_a_standing_names_the_report_of_a_run(ran):
    [found] = ran["after"].json["experiments"]
    assert found["report"] is None  # the published numbers have a folder of their own
