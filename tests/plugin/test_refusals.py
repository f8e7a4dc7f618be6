"""What cannot be run is refused at once, in one sentence that names it; nothing is trained."""

import json
import shutil

import pytest
from claimfiles import run, write

CLAIM = """
@pre("fam/one", AtLeast(0.3), NARROW)
def test_one(sft):
    return Means(values=[[1.0, 1.1] for _ in sft])
"""

REFUSED = {
    "lab": (("--lb-model", "lab:nope"), "lab:nope is not in the lab: choose lab:llama"),
    "profile": (("--lb-profile", "nope"), "'nope' is unknown: choose smoke, default, full"),
    "fail-on": (("--lb-fail-on", "moved,nope"), "--lb-fail-on 'nope' is unknown"),
    "fail-on empty": (("--lb-fail-on", ""), "--lb-fail-on '' is unknown"),
    "workers 0": (("--lb-workers", "0"), "--lb-workers 0"),
    "workers many": (("--lb-workers", "many"), "--lb-workers many"),
    "workers and scheduler": (
        ("--lb-workers", "2", "--lb-scheduler", "tcp://127.0.0.1:1"),
        "--lb-scheduler names another's: give one of them",
    ),
    "ranks 0": (("--lb-ranks", "0"), "--lb-ranks 0 is not a number of processes"),
    "hosts without ranks": (("--lb-hosts", "driver.py"), "--lb-hosts places the ranks"),
    "no hosts": (("--lb-ranks", "2", "--lb-hosts", "gone.json"), "gone.json is not a host file"),
    "data without a folder": (("--lb-data", "sst2"), "--lb-data sst2 names no data set and its"),
    "data unknown": (("--lb-data", "imdb=."), "give sst2=DIR or ag_news=DIR"),
    "data nowhere": (("--lb-data", "sst2=./gone"), "gone is not a folder: name the one that has"),
    "data without a split": (("--lb-data", "sst2=."), "has no split for training"),
    "seeds 0": (("--lb-seeds", "0"), "--lb-seeds 0 is not a number of seeds"),
    "seeds -1": (("--lb-seeds", "-1"), "--lb-seeds -1 is not a number of seeds"),
    "no directory": (("--lb-model", "./gone"), "./gone does not exist"),
    "a file": (("--lb-model", "./driver.py"), "./driver.py is a file"),
    "no model": (("--lb-model", "./empty"), "empty is not a model: it has no config.json"),
    "bad config": (("--lb-model", "./config"), "config.json is not valid JSON"),
    "truncated": (("--lb-model", "./truncated"), "model.safetensors is damaged or cut short"),
    "no tokenizer": (("--lb-model", "./wordless"), "wordless has no tokenizer"),
    "report a file": (("--lb-report", "driver.py"), "driver.py is a file; name another folder"),
    "report below a file": (("--lb-report", "driver.py/a/b"), "driver.py is a file; name another"),
    "figures a file": (("--lb-report", "drawn"), "drawn: figures is a file there; name another"),
    "xdist": (("-n", "2", "--lb-fail-on", "nope"), "--lb-fail-on 'nope' is unknown"),
    "xdist, no model": (("-n", "2", "--lb-model", "./empty"), "empty is not a model"),
    "xdist, plan": (("-n", "2", "--lb-plan"), "--lb-plan shows nothing under xdist"),
    "store a file": (("--lb-store", "driver.py"), "driver.py is a file): choose another"),
    "workers squared": (("--lb-workers", "²"), "--lb-workers ² is not a number of processes"),
    "scheduler": (("--lb-scheduler", "foo"), "--lb-scheduler 'foo' is not an address"),
    "scheduler empty": (("--lb-scheduler", ""), "--lb-scheduler '' is not an address"),
    "hosts nonsense": (("--lb-ranks", "2", "--lb-hosts", "hosts1.json"), "each host needs a name"),
    "hosts backend": (("--lb-ranks", "2", "--lb-hosts", "hosts2.json"), "its backend 'nope' is"),
    "hosts too few": (("--lb-ranks", "2", "--lb-hosts", "hosts3.json"), "has 1 hosts for 2"),
}

DAMAGED_PINS = {
    "pins not JSON": ("{", "pins.json is damaged (it cannot be read as JSON"),
    "pins a list": ("[]", "pins.json is damaged"),
    "pins too flat": ('{"published": {"published": "supported"}}', "pins.json is damaged"),
    "pins misspelt": (
        '{"published": {"machine": {}, "claims": {"a": {"fam/one": {"verdict": "suported"}}}}}',
        "'suported' is not a verdict",
    ),
}


def damage(folder, model):
    """Copies of a model, each with one thing wrong."""
    for name in ("config", "truncated", "wordless"):
        shutil.copytree(model, folder / name)
    (folder / "empty").mkdir()
    (folder / "drawn").mkdir()
    (folder / "drawn" / "figures").write_text("")
    host = {"ssh": "one", "ips": ["10.0.0.1"]}
    (folder / "hosts1.json").write_text("[1, 2]")
    (folder / "hosts2.json").write_text(json.dumps({"backend": "nope", "hosts": [host, host]}))
    (folder / "hosts3.json").write_text(json.dumps([host]))
    (folder / "config" / "config.json").write_text("{")
    weights = folder / "truncated" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    (folder / "wordless" / "tokenizer.json").unlink()


@pytest.fixture(scope="module")
def refused(tmp_path_factory, tiny):
    folder = write(tmp_path_factory.mktemp("refusals"), test_fam=CLAIM)
    damage(folder, tiny)
    cases = {name: args for name, (args, _) in REFUSED.items()} | dict.fromkeys(DAMAGED_PINS, ())
    return run(folder, cases, pins={name: text for name, (text, _) in DAMAGED_PINS.items()})


@pytest.mark.parametrize("case", [*REFUSED, *DAMAGED_PINS])
def test_refused_in_one_sentence(refused, case):
    expected = (REFUSED | DAMAGED_PINS)[case][1]
    assert expected in refused[case].error()
    assert not refused[case].mlx
    assert not (refused[case].folder / "report.json").exists()


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("LAZARUS_BENCH_DEVICE", "abacus", "LAZARUS_BENCH_DEVICE=abacus is not available here"),
        ("LAZARUS_BENCH_THREADS", "none", "LAZARUS_BENCH_THREADS=none is not a number of threads"),
        ("LAZARUS_BENCH_CORES", "two", "LAZARUS_BENCH_CORES=two is neither own nor shared"),
    ],
)
def test_machine_that_is_not_there(tmp_path, tiny, variable, value, sentence):
    folder = write(tmp_path, test_fam=CLAIM)
    ran = run(folder, {"it": ("--lb-model", tiny)}, **{variable: value})["it"]
    assert sentence in ran.error()


def test_refusal_by_an_xdist_worker_reaches_the_user(tmp_path):
    folder = write(tmp_path, test_fam=CLAIM)
    ran = run(folder, {"it": ("-n", "1")}, pins={"it": "["})["it"]
    assert ran.code == 2
    assert "pins.json is damaged" in ran.said
    assert "INTERNALERROR" not in ran.said


TWICE = """
@pre("twice/one", AtLeast(0.3))
def test_one(): ...

@pre("twice/one", AtLeast(0.3))
def test_two(): ...
"""
HOME = """
@pre("home/one", AtLeast(0.3))
def test_one(): ...
"""
AWAY = """
@pre("home/two", AtLeast(0.3))
def test_two(): ...
"""
UNASKED = """
@claim("unasked/one", AtLeast(0.3))
def test_one(base):
    "It says what, and not what number it is about."
"""
UNTRAINABLE = """
Sft(rank=0)
"""


@pytest.fixture(scope="module")
def collected(tmp_path_factory):
    folder = write(
        tmp_path_factory.mktemp("mistakes"),
        test_twice=TWICE,
        test_home=HOME,
        test_home_again=AWAY,
        test_unasked=UNASKED,
        test_untrainable=UNTRAINABLE,
    )
    return run(
        folder,
        {
            "twice": ("test_twice.py",),
            "two homes": ("test_home.py", "test_home_again.py"),
            "unasked": ("test_unasked.py",),
            "untrainable": ("test_untrainable.py",),
        },
    )


@pytest.mark.parametrize(
    ("case", "sentence"),
    [
        ("twice", "claim twice/one is registered twice; give one of them another id"),
        ("two homes", "family home lives in test_home, so home/two cannot be in test_home_again"),
        ("unasked", "unasked/one: the docstring of test_one must say the claim in one sentence"),
        ("untrainable", "Sft.rank = 0 must be an integer of at least 1"),
    ],
)
def test_mistake_in_a_claim_file_is_one_sentence(collected, case, sentence):
    ran = collected[case]
    assert ran.code == 2
    assert any(line.startswith(sentence) for line in ran.said.splitlines()), ran.said
    assert "Traceback" not in ran.said
    assert "claims.py" not in ran.said
