"""`lazarus-bench store`: what it tells, its exit codes, and what it leaves."""

import json

import pytest
import storage
from storage import BASE, TUNED

from lazarus_bench import cli
from lazarus_bench.cli import terminal
from lazarus_bench.jobs.spec import Job
from lazarus_bench.jobs.store import RESUME, STORE_VARIABLE, Store
from lazarus_bench.training import Sft

UNFINISHED = Job(recipe=Sft(), base=BASE, seed=1)


@pytest.fixture
def store(tmp_path, monkeypatch) -> Store:
    """The default store: a base, what is built on it, and abandoned work."""
    monkeypatch.setenv(STORE_VARIABLE, str(tmp_path / "store"))
    store = Store(tmp_path / "store")
    storage.write(store, BASE)
    storage.write(store, TUNED)
    storage.begin(store, UNFINISHED)
    return store


@pytest.fixture
def say(capsys):
    """Run a store command: its exit code and what it printed, read when it is JSON."""

    def run(*arguments: str):
        code = cli.main(["store", *arguments])
        said = capsys.readouterr().out
        return code, json.loads(said) if "--json" in arguments else said

    return run


def damage(store: Store, job: Job) -> None:
    (store.path(job) / "adapters.safetensors").write_text("WEIGHTS")


def test_ls_shows_one_line_each_and_a_total(store, say):
    code, said = say("ls")
    lines = said.splitlines()
    assert code == 0
    assert lines[0].split() == [
        "label", "digest", "state", "seed", "kind", "age", "duration", "size"
    ]  # fmt: skip
    for line, job, state in zip(
        lines[1:4], (BASE, TUNED, UNFINISHED), ("whole", "whole", "unfinished"), strict=True
    ):
        shown = line.removeprefix(job.label).split()
        assert shown[:4] == [job.digest[:12], state, str(job.seed), job.recipe.kind]
    assert lines[-1].startswith(f"3 in {store.root}, ")


def test_ls_tells_a_missing_file_and_a_live_process(store, say):
    (store.path(TUNED) / "metrics.jsonl").unlink()
    name = store.working(UNFINISHED).name
    with storage.at_work(store, f"lock = store.locks.acquire('{name}', wait=True); say('held')"):
        said = say("ls", "--json")[1]
    states = [(item["name"], item["state"]) for item in said["artifacts"]]
    assert states == [
        (store.path(BASE).name, "whole"),
        (store.path(TUNED).name, "damaged"),
        (store.path(UNFINISHED).name, "running"),
    ]
    assert said["artifacts"][1]["damage"].endswith("metrics.jsonl is missing")
    assert said["bytes"] == sum(item["bytes"] for item in said["artifacts"])


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
def test_ls_fits_a_terminal_and_keeps_digest_and_state(store, say, narrow, columns):
    narrow(columns)
    lines = say("ls")[1].partition("\n\n")[0].splitlines()
    assert max(map(len, lines)) <= columns
    assert lines[0].split()[:3] == ["label", "digest", "state"]
    for line, job, state in zip(
        lines[1:4], (BASE, TUNED, UNFINISHED), ("whole", "whole", "unfinished"), strict=True
    ):
        assert f"{job.digest[:12]}  {state}" in line
    told = " ".join(lines[4:]).removeprefix("no room for: ").split(", ") if lines[4:] else []
    assert {*told, *lines[0].split()} == {
        "kind", "label", "seed", "age", "duration", "size", "digest", "state"
    }  # fmt: skip


def test_ls_of_an_empty_store_says_so(tmp_path, say):
    (tmp_path / "new").mkdir()
    said = say("ls", "--store", str(tmp_path / "new"))
    assert said == (0, f"the store {tmp_path / 'new'} is empty\n")


def test_a_store_that_is_not_there_is_not_made(tmp_path, capsys):
    assert cli.main(["store", "ls", "--store", str(tmp_path / "nowhere")]) == 2
    assert "there is no store at" in capsys.readouterr().err
    assert not (tmp_path / "nowhere").exists()


def test_show_tells_all(store, say):
    code, said = say("show", TUNED.digest[:6])
    assert code == 0
    for told in (TUNED.digest, "SFT LoRA all on pretrain", '"rank": 8', "adapters.safetensors"):
        assert told in said
    assert f"built on\n{store.path(BASE).name}  pretrain (whole)" in said
    assert '{"step": 2, "loss": 1.5}' in said
    said = say("show", f"pretrain-{BASE.digest[:4]}")[1]
    assert f"built on it\n{store.path(TUNED).name}  SFT LoRA all on pretrain (whole)" in said


def test_show_as_json(store, say):
    said = say("show", TUNED.digest, "--json")[1]
    assert said["spec"] == json.loads(json.dumps(TUNED.canonical()))
    assert said["manifest"]["made_by"] == storage.ABOUT
    assert [base["name"] for base in said["bases"]] == [store.path(BASE).name]
    assert said["metrics"] == {"step": 2, "loss": 1.5}
    assert said["files"]["adapters.safetensors"] == len("weights")


def test_show_of_a_base_that_is_gone(store, say):
    store.discard(store.path(BASE))
    assert "(not in the store)" in say("show", TUNED.digest)[1]


@pytest.mark.parametrize("prefix", ["zz", ""])
def test_show_of_nothing_is_one_sentence(store, capsys, prefix):
    assert cli.main(["store", "show", prefix]) == 2
    said = capsys.readouterr().err
    assert "has a digest that begins with" in said
    assert len(said.splitlines()) == 1


def test_show_of_many_names_a_few(tmp_path, capsys):
    for digest in "abcdef":
        (tmp_path / f"sft-{digest * 20}").mkdir()
    assert cli.main(["store", "show", "sft-", "--store", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "is the beginning of 6 digests" in said
    assert said.count("sft-") == 5  # what was asked for, and four
    assert "sft-dddddddddddddddddddd, ...)" in said


def test_verify_reads_every_byte(store, say):
    beside = "; 1 unfinished: none damaged"
    assert say("verify") == (0, f"2 artifacts in {store.root}: none damaged{beside}\n")
    damage(store, TUNED)
    code, said = say("verify")
    name = store.path(TUNED).name
    assert code == 1
    assert said.splitlines()[0].startswith(
        f"artifact {name} is damaged: adapters.safetensors's checksum differs"
    )
    assert said.splitlines()[1] == f"2 artifacts in {store.root}: 1 damaged{beside}"
    code, said = say("verify", "--json")
    assert code == 1
    assert (len(said["damages"][name]), said["checked"]) == (1, 2)


def test_verify_names_unfinished_work_that_cannot_go_on(store, say):
    state = store.working(UNFINISHED) / RESUME / f"000000004-{'0' * 64}.safetensors"
    state.parent.mkdir(exist_ok=True)
    state.write_bytes(b"")
    code, said = say("verify")
    assert code == 1
    assert said.startswith(f"{state} is damaged (its checksum")
    assert "2 artifacts" in said
    assert "none damaged; 1 unfinished: 1 damaged" in said
    assert say("verify", "--json")[1]["unfinished"]["checked"] == 1


def test_gc_removes_and_tells(store, say):
    damage(store, TUNED)
    before = sum(f.stat().st_size for f in store.root.rglob("*.safetensors"))
    code, said = say("gc", "--dry-run")
    assert code == 0
    assert "would remove 2 and would keep 1" in said
    assert sum(f.stat().st_size for f in store.root.rglob("*.safetensors")) == before
    code, said = say("gc")
    assert code == 0
    assert f"removed {store.path(TUNED).name} (" in said
    assert ": left unfinished" in said
    assert f"removed 2 and kept 1 in {store.root}: " in said
    assert [s.name for s in store.artifacts()] == [store.path(BASE).name]


def test_gc_counts_the_bytes_it_frees(store, say):
    planned = say("gc", "--older-than", "0", "--dry-run", "--json")[1]
    items = {item["name"]: item for item in planned["items"]}
    assert all(item["removed"] for item in items.values())
    done = say("gc", "--older-than", "0", "--json")[1]
    assert done["freed"] == planned["freed"] == sum(item["bytes"] for item in items.values())
    assert not list(store.artifacts())


def test_gc_of_a_negative_age_is_refused(store, capsys):
    assert cli.main(["store", "gc", "--older-than", "-1"]) == 2
    assert "--older-than -1 must be 0 days or more" in capsys.readouterr().err
    assert store.find(TUNED) is not None


@pytest.mark.parametrize(
    ("amount", "told"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (1_549_999, "1.5 MB"), (123e9, "123 GB")],
)
def test_sizes_are_told_in_their_unit(amount, told):
    assert terminal.size(int(amount)) == told


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(-3, "0 s"), (99, "99 s"), (120, "2 min"), (7200, "2 h"), (86_400 * 3, "3 d")],
)
def test_spans_are_told_in_their_unit(seconds, told):
    assert terminal.span(seconds) == told
