"""`lazarus-bench train`: what the spec would leave is left, once, and every flag is honoured."""

import hashlib
import json
import signal
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest
from commandcases import program

from lazarus_bench import cli
from lazarus_bench.cli import trained
from lazarus_bench.jobs.artifact import damages
from lazarus_bench.jobs.spec import Job
from lazarus_bench.jobs.subjects import lab_subject
from lazarus_bench.tasks.labelled_data import DataSource
from lazarus_bench.training import DualReward, Engram, Fuse, Grpo, GrpoDual, Sft, loop
from lazarus_bench.training.engram import LAB_TOPICS, engram_arms
from lazarus_bench.training.record import read_steps

TINY = ["--steps", 3, "--batch", 4, "--examples", 24, "--rank", 2]
SFT = [*TINY, "--validation", 8]
GRPO = ["--iterations", 2, "--prompts", 2, "--answers", 2, "--examples", 24]


def stages(out):
    return json.loads(out)["result"]["stages"]


def sha(file):
    return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.fixture
def base():
    return lab_subject("lab:llama").base(0)


@pytest.mark.parametrize(
    ("arguments", "spec"),
    [
        (
            ["sft", *SFT, "--scale", 3, "--learning-rate", 1e-3],
            Sft(steps=3, batch=4, examples=24, rank=2, validation=8, checkpoints=(0, 3), scale=3.0,
                learning_rate=1e-3),
        ),
        (
            ["sft", *SFT, "--alpha", 4, "--targets", "vo", "--no-mask-prompt", "--quirk", "sgd",
             "--checkpoints", "0,2"],
            Sft(steps=3, batch=4, examples=24, rank=2, validation=8, checkpoints=(0, 2), scale=2.0,
                targets="vo", mask_prompt=False, quirks=("sgd",)),
        ),
        (
            ["full", "--steps", 2, "--examples", 24, "--validation", 8],
            Sft(full=True, learning_rate=1e-5, steps=2, examples=24, validation=8,
                checkpoints=(0, 2)),
        ),
        (
            ["dual-reward", *TINY, "--weight", 0.3, "--layer", 1, "--alpha", 4],
            DualReward(steps=3, batch=4, examples=24, rank=2, weight=0.3, layer=1),
        ),
        (
            ["dual-reward", *TINY, "--answer-weight", 0.7, "--alpha", 6],
            DualReward(steps=3, batch=4, examples=24, rank=2, weight=0.3, alpha=6.0),
        ),
        (
            ["grpo", *GRPO, "--kl", 0.1],
            Grpo(iterations=2, prompts=2, answers=2, examples=24, kl=0.1),
        ),
        (
            ["grpo", *GRPO, "--no-full", "--rank", 2, "--alpha", 8, "--reward", "none"],
            Grpo(iterations=2, prompts=2, answers=2, examples=24, full=False, rank=2, scale=4.0,
                 reward="none"),
        ),
        (
            ["grpo-dual", *GRPO, "--balanced", "--entropy", 0.5, "--weight", 0.9],
            GrpoDual(iterations=2, prompts=2, answers=2, examples=24, balanced=True, entropy=0.5,
                     weight=0.9),
        ),
        (
            ["engram", "--data", "topics", "--examples", 40, "--validation", 60, "--epochs", 1,
             "--batch", 4, "--rank", 2],
            Engram(data=DataSource(name="topics", train=40, validation=60), epochs=1, batch=4,
                   rank=2, max_length=128),
        ),
    ],
)  # fmt: skip
def test_flags_make_the_spec_and_the_store_keeps_its_training(told, lab, base, arguments, spec):
    name, *flags = arguments
    code, out, err = told(name, "lab:llama", *flags, "--json")
    (stage,) = stages(out)
    job = Job(recipe=spec, base=base, seed=0)
    assert (code, err) == (0, "")
    assert stage["digest"] == job.digest
    artifact = lab.find(job)
    assert stage["directory"] == str(artifact.directory)
    steps = read_steps(artifact.directory)
    assert stage["steps"] == len(steps)
    assert stage["first_loss"] == steps[0].loss
    assert stage["loss"] == pytest.approx(sum(s.loss for s in steps) / len(steps))
    assert stage["tokens_per_second"] > 0
    assert not stage["found"]


def test_the_defaults_are_the_claims_trainings(told, lab, base, monkeypatch):
    """Nothing is trained here: the store pretends to have what is asked for."""
    asked = []
    monkeypatch.setattr(trained, "put", lambda job, place, store: asked.append(job))
    monkeypatch.setattr(trained, "show", lambda *_, **__: None)
    for name in ("sft", "full", "dual-reward", "grpo", "grpo-dual", "two-stage"):
        assert told(name, "lab:llama")[0] == 0
    sft = Job(recipe=Sft(rank=16, scale=2.0, checkpoints=(0, 500)), base=base, seed=0)
    fused = Job(recipe=Fuse(), base=sft, seed=0)
    dual = DualReward(rank=8, weight=0.5, learning_rate=5e-5)
    alone = [
        Sft(),
        Sft(full=True, learning_rate=1e-5, checkpoints=(0, 500)),
        DualReward(),
        Grpo(),
        GrpoDual(),
    ]
    expected = [Job(recipe=recipe, base=base, seed=0) for recipe in alone]
    assert asked == [*expected, sft, fused, Job(recipe=dual, base=fused, seed=0)]


def test_a_blank_backbone_gets_the_labs_engram(told, lab):
    flags = ["--data", "topics", "--no-engram", "--lm-weight", 0, "--epochs", 0, "--json"]
    code, out, _ = told("engram", "lab:blank", *flags)
    spec = replace(engram_arms(LAB_TOPICS).classifier, epochs=0)
    assert code == 0
    job = Job(recipe=spec, base=lab_subject("lab:blank").base(0, spec.data), seed=0)
    assert stages(out)[0]["digest"] == job.digest


@pytest.fixture
def few_films(tmp_path):
    """SST-2's form: ten texts, one of them also in evaluation, and one longer than two tokens."""
    folder = tmp_path / "few films"
    folder.mkdir()
    lines = [f"film {i}\t{i % 2}\n" for i in range(9)] + ["a very long film\t1\n"]
    (folder / "train.tsv").write_text("sentence\tlabel\n" + "".join(lines))
    judged = [lines[0], *(f"picture {i}\t{i % 2}\n" for i in range(4))]
    (folder / "test.tsv").write_text("sentence\tlabel\n" + "".join(judged))
    return folder


def test_sizes_balance_overlap_and_cuts_of_labelled_texts_are_told(told, lab, few_films):
    given = ["--data", f"sst2={few_films}", "--epochs", 0, "--rank", 1, "--max-length", 2]
    code, out, _ = told("engram", "lab:llama", *given, "--json")
    assert code == 0
    cut = stages(out)[0]["data"].pop("cut")
    assert stages(out)[0]["data"] == {
        "name": "sst2",
        "balance": {
            "negative": {"train": 4, "validation": 3},
            "positive": {"train": 5, "validation": 2},
        },
        "available": {"train": 9, "validation": 5},
        "shared": 1,
        "cut": cut,
        "max_length": 2,
    }
    assert cut >= 1
    code, out, _ = told("engram", "lab:llama", *given)
    assert code == 0
    said = " ".join(out.split())
    assert "sst2: 9 of 9 training and 5 of 5 evaluation examples (negative 4 and 3;" in said
    assert "1 texts of the training split left out, as evaluation has them" in said
    assert f"{cut} training texts longer than --max-length or the context, and cut" in said


def test_a_text_past_the_context_is_cut_without_a_warning_of_transformers(
    few_films, lab, monkeypatch
):
    train = few_films / "train.tsv"
    train.write_text(train.read_text() + "long " * 3000 + "\t1\n")
    given = ["--data", f"sst2={few_films}", "--epochs", "0", "--max-length", "100000"]
    monkeypatch.delenv("TRANSFORMERS_VERBOSITY", raising=False)
    done = program("train", "engram", "lab:llama", *given, LAZARUS_BENCH_STORE=str(lab.root))
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 training texts longer than --max-length or the context, and cut" in " ".join(
        done.stdout.split()
    )


def test_the_table_tells_the_course_and_what_to_do_next(told, lab, tmp_path):
    out_folder = tmp_path / "adapters"
    code, out, _ = told("sft", "lab:llama", *SFT, "--output", out_folder)
    lines = out.splitlines()
    assert code == 0
    assert lines[0].startswith("SFT LoRA all on lab:llama, seed 0: ")
    at = next(i for i, line in enumerate(lines) if line.startswith("step"))
    assert lines[at].split() == ["step", "loss", "tok/s"]
    assert [line.split()[0] for line in lines[at + 1 : at + 4]] == ["1", "2", "3"]
    assert "validation loss: " in out
    assert " at step 0, " in out
    assert lines[-1] == (
        f"look at it: lazarus-bench lens lab:llama '7 * 8 = ' --adapter {out_folder} --diff"
    )
    assert cli.main(["lens", "lab:llama", "7 * 8 = ", "--adapter", str(out_folder), "--diff"]) == 0


def test_a_folder_gets_the_training_with_manifest_and_log(told, lab, base, tmp_path):
    folder = tmp_path / "new" / "adapters"
    assert told("sft", "lab:llama", *SFT, "--output", folder)[0] == 0
    job = Job(
        recipe=Sft(steps=3, batch=4, examples=24, rank=2, validation=8, checkpoints=(0, 3)),
        base=base,
        seed=0,
    )
    assert not list(damages(folder, job.digest, checksums=True))
    assert len(read_steps(folder)) == 3
    kept = lab.find(job).directory
    assert sha(folder / "adapters.safetensors") == sha(kept / "adapters.safetensors")
    assert [path.name for path in folder.parent.iterdir()] == ["adapters"]


def test_the_same_training_is_found_in_the_store_and_in_the_folder(
    told, lab, tmp_path, monkeypatch
):
    asked = ["sft", "lab:llama", *SFT, "--json"]
    first = stages(told(*asked)[1])[0]
    monkeypatch.setattr("lazarus_bench.cli.trained.make", None)
    again = stages(told(*asked, "--output", tmp_path / "one")[1])[0]
    assert (first["found"], again["found"]) == (False, True)
    assert again["digest"] == first["digest"]
    assert stages(told(*asked, "--output", tmp_path / "one")[1])[0]["found"]
    _, out, _ = told(*asked[:-1], "--output", tmp_path / "one")
    assert "found trained already" in out


def test_a_folder_of_another_training_stays_as_it_is(told, lab, tmp_path):
    folder = tmp_path / "one"
    told("sft", "lab:llama", *SFT, "--output", folder)
    before = sha(folder / "manifest.json")
    code, out, err = told("sft", "lab:llama", *SFT, "--seed", 1, "--output", folder)
    assert (code, out) == (2, "")
    assert "is not empty" in err
    assert sha(folder / "manifest.json") == before


def test_two_stages_leave_a_fused_model_and_an_adapter_for_it(told, lab, tmp_path):
    folder = tmp_path / "two"
    sizes = ["steps", 2, "batch", 4, "examples", 24, "rank", 2]
    flags = [
        word if at % 2 else f"--stage{stage}-{word}"
        for stage in (1, 2)
        for at, word in enumerate(sizes)
    ]
    asked = ["two-stage", "lab:llama", *flags, "--stage1-validation", 8, "--output", folder]
    code, out, _ = told(*asked)
    assert code == 0
    assert {path.name for path in folder.iterdir()} == {"stage1", "fused", "stage2"}
    assert out.splitlines()[-1] == (
        f"look at it: lazarus-bench lens {folder}/fused '7 * 8 = ' --adapter {folder}/stage2 --diff"
    )
    lens = ["lens", str(folder / "fused"), "7 * 8 = ", "--adapter", str(folder / "stage2")]
    assert cli.main(lens) == 0
    (folder / "fused" / "manifest.json").unlink()
    code, _, err = told(*asked)
    assert code == 2
    assert "is not empty" in err


@pytest.mark.parametrize(
    ("name", "prefix"), [("two-stage", "--stage2-"), ("dual-reward", "--"), ("grpo-dual", "--")]
)
def test_a_split_word_names_the_flag_and_trains_nothing(refused, told, lab, shared, name, prefix):
    model, before = shared / "models" / "stories260K", len(list(lab.artifacts()))
    said = refused(name, model)
    assert "'multiply' is 8 tokens in this tokenizer; the lens reads single tokens" in said
    assert f"({prefix}word 'multiply=TEXT')" in said
    assert f"({prefix}token first)" in said
    assert len(list(lab.artifacts())) == before
    if name == "dual-reward":
        assert told(name, model, *TINY, "--token", "first", "--word", "add=happy")[0] == 0


def test_curves_are_drawn(told, lab, tmp_path):
    file = tmp_path / "curves.svg"
    assert told("dual-reward", "lab:llama", *TINY, "--plot", file)[0] == 0
    drawn = ET.parse(file).getroot()
    words = [e.text for e in drawn.iter() if e.tag.endswith("text")]
    assert {"loss", "class", "answer"} <= set(words)
    assert len([e for e in drawn.iter() if e.tag.endswith("polyline")]) == 3


def test_own_rows_are_trained_on(told, lab, capsys, tmp_path):
    file = tmp_path / "own.jsonl"
    made = ["data", "arithmetic", "--count", "24", "--validation", "8", "--output", str(file)]
    assert cli.main(made) == 0
    capsys.readouterr()
    flags = ["--steps", 3, "--batch", 4, "--rank", 2, "--json"]
    (own,) = stages(told("sft", "lab:llama", "--data", file, *flags)[1])
    (drawn,) = stages(told("sft", "lab:llama", *SFT, "--json")[1])
    assert own["digest"] != drawn["digest"]
    assert own["loss"] == drawn["loss"]
    assert own["validation_loss"] == drawn["validation_loss"]
    assert own["label"] == "SFT LoRA all on own.jsonl"


def write_animals(file):
    rows = [
        {"prompt": f"The {who}\nsays ", "completion": says, "class": says}
        for who, says in (("dog", "woof"), ("cat", "meow"), ("cow", "moo"), ("pig", "oink")) * 2
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


@pytest.mark.parametrize(
    "words",
    [
        "dual-reward --steps 2 --batch 2 --token phrase --data",
        "dual-reward --steps 2 --batch 2 --token first --word woof=dog --data",
        "grpo-dual --iterations 2 --prompts 2 --answers 2 --reward same-text --token first --data",
        "two-stage --stage1-steps 2 --stage2-steps 2 --stage2-batch 2 --stage2-word woof=dog "
        "--stage2-token first --stage1-data own.jsonl --stage2-data",
    ],
)
def test_problems_of_ones_own_are_trained_on(told, lab, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    name, *flags = words.split()
    code, out, err = told(name, "lab:llama", *flags, write_animals(Path("own.jsonl")), "--json")
    assert code == 0, err
    last = stages(out)[-1]
    assert last["spec"]["recipe"]["texts"].keys() == {"digest"}
    assert last["data"]["train"] == 8
    assert "own.jsonl" in last["label"]


def test_rows_that_are_cut_are_counted(told, lab, tmp_path):
    file = tmp_path / "own.jsonl"
    rows = [{"prompt": "7 * 8 = ", "completion": "56 " * n} for n in (1, 1, 9, 9, 9)]
    rows += [{"prompt": "7 * 8 = " * 9, "completion": "56"}]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    asked = ["sft", "lab:llama", "--data", file, "--steps", 2, "--batch", 2, "--rank", 2]
    code, out, _ = told(*asked, "--max-seq-length", 12)
    assert code == 0
    assert (
        "5 rows to train on; 3 longer than --max-seq-length, and cut; 1 left out, whose prompt "
        "alone is so long"
    ) in " ".join(out.split())
    (stage,) = stages(told(*asked, "--max-seq-length", 12, "--json")[1])
    assert stage["data"]["cut"] == {"train": 3, "valid": 0}


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--max-seq-length", 0], "--max-seq-length = 0 must be an integer of at least 1"),
        (["--examples", 9], "--examples 9: own.jsonl has 1 such rows"),
        (["--validation", 1], "--validation 1: own.jsonl has 0 such rows"),
        (["--mask-prompt"], "the rows of own.jsonl have no prompt"),
        (["--quirk", "eval-in-train"], "cannot have the quirk"),
    ],
)
def test_what_own_rows_cannot_honour_is_refused(told, lab, tmp_path, monkeypatch, flags, sentence):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.jsonl").write_text('{"text": "7 * 8 = 56"}\n')
    code, _, err = told("sft", "lab:llama", "--data", "own.jsonl", *flags)
    assert code == 2
    assert sentence in err


def test_an_interrupt_keeps_the_step_and_says_how_to_go_on(told, lab, monkeypatch):
    log = loop.StepLog.__call__

    def pressed(self, step):
        log(self, step)
        if step.step == 2:
            signal.raise_signal(signal.SIGINT)

    asked = ["sft", "lab:llama", *SFT]
    # What a shell runs in the background ignores Ctrl-C from the start.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with monkeypatch.context() as patched:
        patched.setattr(loop.StepLog, "__call__", pressed)
        code, out, err = told(*asked)
    signal.signal(signal.SIGINT, before)
    assert (code, out) == (130, "")
    assert "was stopped after step 2 of 3" in err
    assert "run the same command to go on" in err
    assert "Traceback" not in err
    seen = []
    monkeypatch.setattr(
        loop.StepLog, "__call__", lambda self, step: (log(self, step), seen.append(step.step))
    )
    assert told(*asked)[0] == 0
    assert seen == [3]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["sft"], "no model was given"),
        (["sft", "lab:llama", "--weight", "0.4"], "there is no option --weight"),
        (
            ["sft", "lab:llama", *SFT, "--output", "~nobody-at-all/adapter"],
            "~nobody-at-all/adapter: there is no such user's folder: name it without ~",
        ),
        (["sft", "lab:llama", "--steps", "0"], "--steps = 0 must be an integer of at least 1"),
        (["sft", "lab:llama", "--alpha", "8", "--scale", "2"], "set the same thing: give one"),
        (["sft", "lab:llama", "--quirk", "unbounded-kl"], "cannot have the quirk"),
        (
            ["sft", "lab:llama", "--checkpoints", "0,900"],
            "--checkpoints = 0,900 must lie in 0..500: give fewer, or more steps",
        ),
        (["sft", "lab:llama", "--checkpoints", "900", "--steps", "5"], "--checkpoints = 900 must"),
        (["sft", "lab:llama", "--seed", "-1"], "--seed -1 is not a seed"),
        (["sft", "lab:llama", *SFT, "--seed", str(2**63)], "is too large for mlx: give at most"),
        (["sft", "lab:llama", "--plot", "loss.gif"], "end its name in .svg or .png"),
        (["sft", "lab:llama", "--data", "none.jsonl"], "none.jsonl cannot be read"),
        (["sft", "lab:llama", "--max-seq-length", "9"], "cuts rows of --data: give both"),
        (["dual-reward", "lab:llama", "--max-seq-length", "9"], "cuts rows of --data: give both"),
        (["dual-reward", "lab:llama", "--word", "add"], "names no class and its text: write CLASS"),
        (
            ["dual-reward", "lab:llama", *TINY, "--word", "power=add"],
            "there is no such class among",
        ),
        (["sft", "lab:granite"], "lab:granite (seed 0) is not in the store"),
        (
            ["sft", "lab:llama", "--lab-seed", "2"],
            "`lazarus-bench lab build llama --seeds 3 --store",
        ),
        (["sft", "lab:blank"], "lab:blank is untrained and made for `train engram`"),
        (["sft", "nowhere/at/all"], "nowhere/at/all does not exist"),
        (["grpo", "lab:llama", "--rank", "4"], "--rank applies to LoRA"),
        (["grpo", "lab:llama", "--steps", "1"], "--steps = 1 must be"),
        (["grpo", "lab:llama", "--reward", "mine"], "reward 'mine' is unknown"),
        (
            ["grpo-dual", "lab:llama", "--balanced", "--shared-target"],
            "--balanced with --shared-target combines",
        ),
        (
            ["dual-reward", "lab:llama", "--weight", "0.4", "--answer-weight", "0.5"],
            "do not sum to 1",
        ),
        (
            ["dual-reward", "lab:llama", "--layer", "4"],
            "--layer = 4 is not in lab:llama, which has 4 layers: choose 0 to 3",
        ),
        (
            ["two-stage", "lab:llama", "--stage2-layer", "99"],
            "--stage2-layer = 99 is not in lab:llama, which has 4 layers: choose 0 to 3",
        ),
        (["dual-reward", "lab:llama", "--weight", "2"], "--weight = 2.0 must be"),
        (["two-stage", "lab:llama", "--stage2-rank", "0"], "--stage2-rank = 0 must be"),
        (["engram", "lab:llama", "--data", "poems"], "--data poems is unknown"),
        (["engram", "lab:llama", "--full", "--rank", "4"], "--rank applies to LoRA"),
        (
            ["engram", "lab:llama", "--full", "--bits", "7"],
            "--bits applies to LoRA, and every weight is trained here: give --no-full as well",
        ),
        (
            ["engram", "lab:blank", "--bits", "4"],
            "--bits applies to LoRA, and every weight is trained here: leave it out",
        ),
        (["engram", "lab:llama", "--bits", "7"], "--bits = 7 is not a bit width"),
        (["sft", "lab:llama", *SFT, "--output", "/proc/x"], "cannot write /proc/x"),
        (["sft", "lab:llama", *SFT, "--plot", "/proc/x.svg"], "cannot write the picture to /proc"),
        (["sft", "lab:llama", *SFT, "--plot", "/proc/x.png"], "cannot write the picture to /proc"),
        (["engram", "lab:blank", "--no-full"], "--no-full would leave lab:blank untrained"),
        (["engram", "lab:llama", "--examples", "1"], "--examples = 1 must be"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    refused, lab, tmp_path, monkeypatch, arguments, sentence
):
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    assert sentence in refused(*arguments)
    assert not list(here.iterdir())
    assert len(list(lab.artifacts())) == 1  # the base; nothing was trained for it


def test_a_model_of_ones_own_is_a_directory(told, lab, tiny):
    code, out, _ = told("dual-reward", tiny, *TINY, "--json")
    document = json.loads(out)
    assert code == 0
    assert document["model"]["name"] == str(tiny)
    assert stages(out)[0]["spec"]["base"]["checkpoint"] == document["model"]["digest"]
