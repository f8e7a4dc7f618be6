"""`lazarus-bench judge`: table, report, exit codes, files of claims, and what is refused."""

import json
from pathlib import Path

import pytest

from lazarus_bench import cli
from lazarus_bench.report.evidence import load_evidence
from lazarus_bench.report.schema import load

CLAIMS = {
    "claims.toml": '[[claims]]\nid = "mine/a"\nregion = "> 0"\narms = ["new", "old"]\n'
    '[[claims]]\nid = "mine/b"\nregion = "> 2"\narms = ["new"]\n',
    "claims.yaml": "claims:\n- {id: mine/a, region: '> 0', arms: [new, old]}\n"
    "- {id: mine/b, region: '> 2', arms: [new]}\n",
}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with two arms of three runs, of which the new one is better."""
    monkeypatch.chdir(tmp_path)
    for arm, more, step in (("new", 3.0, 7), ("old", 0.0, 3)):
        rows = [f"q{i},{s},{more + (i * step + s) % 5 / 9}" for i in range(9) for s in range(3)]
        Path(f"{arm}.csv").write_text("\n".join(["item,seed,value", *rows]))
    for name, text in CLAIMS.items():
        Path(name).write_text(text)
    return tmp_path


def test_two_files_are_judged_and_reported(here, capsys):
    given = ["judge", "new.csv", "old.csv", "--region", "> 2", "--report", "out"]
    assert cli.main(given) == 0
    said = capsys.readouterr().out
    assert "results/value   new − old   supported   3.0" in said
    assert "3 seeds × 9 items" in said
    assert "\n1 supported; intervals at 90%\n" in said
    report = load(Path("out/report.json"))
    assert "SHA-256" in report.manifest["data new.csv"]
    assert report.rows[0].says == "The mean value of new minus that of old, paired by item is > 2"
    assert load_evidence(Path("out/evidence.npz"))[0].evidence.shape == (3, 9)
    assert "new − old" in Path("out/report.html").read_text(encoding="utf-8")
    assert "new − old" in Path("out/report.md").read_text(encoding="utf-8")
    assert cli.main(["judge", "out", "--region", "> 4"]) == 1
    assert cli.main(["judge", "out/report.json", "--region", "> 4"]) == 1
    assert "refuted" in capsys.readouterr().out
    assert cli.main(["diff", "out", "out"]) == 0


@pytest.mark.parametrize("file", CLAIMS)
def test_claims_of_a_file_share_their_level(here, capsys, file):
    assert cli.main(["judge", "new.csv", "old.csv", "--claims", file, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["exit_code"] == 0
    assert [(v["claim"], v["subject"]) for v in found["verdicts"]] == [
        ("mine/a", "new − old"),
        ("mine/b", "new"),
    ]
    assert [v["level"] for v in found["verdicts"]] == pytest.approx([0.95, 0.95])


@pytest.mark.parametrize(("fail_on", "code"), [("refuted", 1), ("invalid", 0), ("none", 0)])
def test_a_refutation_sets_the_exit_code(here, capsys, fail_on, code):
    given = ["judge", "new.csv", "old.csv", "--region", "< 0", "--fail-on", fail_on]
    assert cli.main(given) == code
    assert "refuted" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["new.csv"], "no claim is stated: say where the number has to be with --region"),
        (["new.csv", "--region", "0"], "'0' is no region: write one such as '> 0'"),
        (["gone.csv", "--region", "> 0"], "cannot read gone.csv (no such file or directory)"),
        (["claims.toml", "--region", "> 0"], "claims.toml is of no kind that is read here"),
        (["new.csv", "./new.csv", "--region", "> 0"], "new.csv is named twice"),
        (["new.csv", "--region", "> 0", "--claims", "claims.toml"], "give one of them"),
        (["new.csv", "--claims", "claims.toml", "--arms", "a"], "write them into the file"),
        (["new.csv", "--claims", "claims.toml"], "new.csv has no arm old (there is new)"),
        (["new.csv", "--claims", "new.csv"], "--claims new.csv is not valid TOML"),
        (["new.csv", "--region", "> 0", "--looks", "x"], "--looks x is no number of runs"),
        (["new.csv", "--region", "> 0", "--family", "0"], "--family 0 is no number of verdicts"),
        (["new.csv", "--region", "> 0", "--family", "9" * 20], "give 1 to 1000000"),
        (
            ["new.csv", "old.csv", "--region", "> 0", "--arms", "a,b"],
            "no arm a (there is new, old)",
        ),
        (["a=new.csv", "b=old.csv", "new.csv", "--region", "> 0"], "is named twice"),
        (["new.csv", "--value", "score", "--region", "> 0"], "no column score (it has item, seed"),
        (["new.csv", "--paired-by", "q", "--region", "> 0"], "name another with --paired-by"),
        ([".", "--region", "> 0"], "cannot read the report report.json"),
        ([".", "new.csv", "--region", "> 0"], ". is judged as it was sampled: name no other file"),
    ],
)
def test_what_cannot_be_judged_is_one_sentence(here, capsys, words, said):
    assert cli.main(["judge", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.count("\n") == 1
