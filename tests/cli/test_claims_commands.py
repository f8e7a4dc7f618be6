"""`lazarus-bench claims`: quick, without mlx, and one sentence where a name is wrong."""

import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from claimfiles import clean_environment, write

from lazarus_bench import cli
from lazarus_bench.claims.claim_files import read_claims
from lazarus_bench.claims.history import Event
from lazarus_bench.report.markup import unescaped
from lazarus_bench.report.registry import drawn_up, load_registry, render_registry

CLAIMS = """
@pre("one/a", AtLeast(0.3), NARROW)
def test_a():
    return Means(values=NARROW)

@pre("one/b", AtMost(0.3), NARROW)
def test_b():
    return Means(values=NARROW)
"""


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path / "claims", test_one=CLAIMS, test_two=CLAIMS.replace("one/", "two/"))


@pytest.fixture
def said(folder, capsys):
    """What `claims` says of the folder, and its exit code."""

    def run(*arguments):
        code = cli.main(["claims", *arguments, "--hypotheses", str(folder)])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_list_names_every_claim_with_its_digest(said, folder):
    code, out, _ = said("list")
    assert code == 0
    found = [line.split()[:2] for line in out.splitlines()]
    assert found == [[claim.id, claim.digest[:12]] for claim in drawn_up(read_claims(folder))]
    _, out, _ = said("list", "--json", "--family", "two")
    assert [entry["id"] for entry in json.loads(out)["claims"]] == ["two/a", "two/b"]


def test_list_against_a_registry_tells_what_was_amended(said, folder, tmp_path):
    file = tmp_path / "registry.json"
    assert said("export", "--output", str(file))[0] == 0
    code, out, _ = said("list", "--against", str(file))
    assert (code, out.splitlines()[-1]) == (0, "4 as registered")
    write(folder, test_one=CLAIMS.replace("AtMost(0.3)", "AtMost(0.4)"))
    code, out, _ = said("list", "--against", str(file))
    assert (code, out.splitlines()[-1]) == (1, "3 as registered, 1 amended")
    assert "   region ≤ 0.3 → ≤ 0.4" in out.splitlines()
    assert said("list", "--against", str(file), "--family", "two")[0] == 0
    _, out, _ = said("list", "--against", str(file), "--json", "--family", "one")
    assert [entry["what"] for entry in json.loads(out)["claims"]] == ["as registered", "amended"]
    (folder / "test_two.py").unlink()
    _, out, _ = said("list", "--against", str(file), "--json")
    assert json.loads(out)["claims"][-1] == {
        "id": "two/b",
        "digest": None,
        "what": "gone",
        "differences": [],
    }


def test_show_tells_all_about_one_claim(said):
    code, out, _ = said("show", "one/b")
    assert code == 0
    assert out.startswith("# `one/b`\n\nA statement.\n\n")
    assert "- Region: ≤ 0.3\n" in out
    shown = json.loads(said("show", "one/b", "--json")[1])
    assert shown["id"] == "one/b"
    assert f"- Digest: `{shown['digest']}`\n" in out


def test_export_writes_what_it_would_print(said, folder, tmp_path):
    claims = drawn_up(read_claims(folder))
    assert said("export")[1] == render_registry(claims)
    registry, printed = tmp_path / "new" / "x.json", said("export", "--json")[1]
    assert said("export", "--output", str(registry)) == (0, "", "")
    assert registry.read_text(encoding="utf-8") == printed
    assert load_registry(registry) == claims
    assert said("export", "--output", str(tmp_path / "x.md"))[0] == 0
    assert (tmp_path / "x.md").read_text(encoding="utf-8") == render_registry(claims)


def test_a_folder_gets_both(said, folder):
    assert said("export", "--output", str(folder))[0] == 0
    registered = load_registry(folder / "registry.json")
    assert [replace(c, history=()) for c in registered] == [*drawn_up(read_claims(folder))]
    assert (folder / "registry.md").read_text(encoding="utf-8").startswith("# Registered claims")


def test_the_record_of_a_folder_keeps_each_claims_history(said, folder):
    today = datetime.now(UTC).date().isoformat()
    assert said("export", "--output", str(folder))[0] == 0
    write(folder, test_one=CLAIMS.replace("AtMost(0.3)", "AtMost(0.4)"))
    before = (folder / "registry.json").read_text(encoding="utf-8")
    code, _, err = said("export", "--output", str(folder))
    assert (code, err.count("\n")) == (2, 1)
    assert "one/b is amended (region ≤ 0.3 → ≤ 0.4): say what was known" in err
    assert (folder / "registry.json").read_text(encoding="utf-8") == before
    amend = ("export", "--output", str(folder), "--known", "the report", "--seen", "0-4")
    assert said(*amend)[0] == 0
    histories = {c.id: c.history for c in load_registry(folder / "registry.json")}
    born = Event(on=today)
    how = Event(on=today, changed=("region ≤ 0.3 → ≤ 0.4",), known="the report", seen=(0, 4))
    assert histories == {"one/a": (born,), "one/b": (born, how), "two/a": (born,), "two/b": (born,)}
    line = f"{today} amended: region ≤ 0.3 → ≤ 0.4; known: the report (seeds 0 to 4)"
    assert line in (folder / "registry.md").read_text(encoding="utf-8")
    assert f"- History: {line}\n" in said("show", "one/b")[1]
    kept = (folder / "registry.json").read_text(encoding="utf-8")
    assert said("export", "--output", str(folder))[0] == 0
    assert (folder / "registry.json").read_text(encoding="utf-8") == kept
    assert said("export", "--json")[1] == kept


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("export", "--seen", "4-0", "--output", "./"), "--seen 4-0 names no seeds"),
        (("export", "--seen", "few", "--output", "./"), "--seen few names no seeds"),
        (("export", "--known", "all"), "--known and --seen enter the history on record"),
        (("show", "one/x"), "no claim is called one/x; the nearest are one/"),
        (("list", "--family", "three"), "no family of claims is called three: choose from one, t"),
        (("list", "--against", "nowhere.json"), "cannot read the registry nowhere.json"),
        (("export", "--output", "/dev/null/x.md"), "cannot write the registry to /dev/null/x.md"),
    ],
)
def test_a_mistake_is_one_sentence(said, arguments, sentence):
    code, out, err = said(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"lazarus-bench: {sentence}")
    assert len(err.splitlines()) == 1


def test_a_missing_folder_is_one_sentence(capsys, tmp_path):
    assert cli.main(["claims", "list", "--hypotheses", str(tmp_path / "nowhere")]) == 2
    assert "name a folder of claim files with --hypotheses" in capsys.readouterr().err


def test_a_narrow_terminal_is_not_overrun(said, narrow):
    narrow(30)
    assert all(len(line) <= 30 for line in said("list")[1].splitlines())


def test_a_closed_pipe_is_no_error(tmp_path):
    many = "".join(
        CLAIMS.replace("one/", f"one/{i}").replace("test_", f"test_{i}") for i in range(60)
    )
    folder = write(tmp_path, test_many=many)  # whose record is longer than a pipe
    ours = f"{sys.executable} -m lazarus_bench claims export --json --hypotheses {folder}"
    environment = clean_environment()
    # Unbuffered, Python takes what the pipe took of one long write for the whole of it.
    environment.pop("PYTHONUNBUFFERED", None)
    done = subprocess.run(
        ["bash", "-c", f"{ours} | head -n 1; exit ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
    )
    assert (done.returncode, done.stdout, done.stderr) == (141, "{\n", "")


def test_an_export_never_takes_other_families_off_the_record(said, folder):
    assert said("export", "--output", str(folder))[0] == 0
    before = (folder / "registry.json").read_text()
    code, _, err = said("export", "--family", "one", "--output", str(folder))
    assert (code, err.count("\n")) == (2, 1)
    assert "also has two, which this export would remove from the registry" in err
    assert (folder / "registry.json").read_text() == before


def test_a_misspelt_folder_is_no_file(said, tmp_path):
    code, _, err = said("export", "--output", f"{tmp_path / 'hypothesis'}/")
    assert (code, err.count("\n")) == (2, 1)
    assert "is not a folder" in err
    assert not (tmp_path / "hypothesis").exists()


@pytest.mark.parametrize("harm", ["digest", "twice"])
def test_a_registry_with_other_harm_is_refused(said, folder, harm):
    assert said("export", "--output", str(folder))[0] == 0
    data = json.loads((folder / "registry.json").read_text())
    if harm == "twice":
        data["claims"].append(data["claims"][0])
    else:
        data["claims"][0]["digest"] = 7
    (folder / "registry.json").write_text(json.dumps(data))
    code, _, err = said("list", "--against", str(folder / "registry.json"))
    assert (code, err.count("\n")) == (2, 1)
    assert "is damaged" in err


@pytest.mark.parametrize("columns", [20, 40, 80])
def test_a_claim_fits_the_terminal(said, narrow, columns):
    whole = said("show", "one/a")[1]
    narrow(columns)
    shown = said("show", "one/a")[1]
    assert max(map(len, shown.splitlines())) <= columns
    assert "1 - 2\\*alpha" in whole
    assert "".join(shown.split()) == "".join(unescaped(whole).split())
