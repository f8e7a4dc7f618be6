"""The project's own claims on the writeups' numbers: quick, and where they are on record."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from claimfiles import clean_environment

from lazarus_bench.claims.claim_files import read_claims
from lazarus_bench.claims.pins import read_pins
from lazarus_bench.judge import family_level
from lazarus_bench.report.registry import (
    against,
    drawn_up,
    load_registry,
    render_registry,
    to_text,
    with_history,
)
from lazarus_bench.report.schema import load

HYPOTHESES = Path(__file__).resolve().parents[2] / "hypotheses"


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """The run's report and its process."""
    folder = tmp_path_factory.mktemp("hypotheses")
    own = ["--lb-store", str(folder / "store"), "--lb-report", str(folder), "--lb-fail-on", "none"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", str(HYPOTHESES), "-p", "no:cacheprovider", *own],
        cwd=HYPOTHESES.parent,
        capture_output=True,
        text=True,
        timeout=300,
        env=clean_environment(),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return load(folder / "report.json"), done


def test_every_claim_is_judged(judged):
    report, done = judged
    files = [file.read_text() for file in HYPOTHESES.glob("test_*.py")]
    assert len(report.rows) == sum(text.count("@claim(") for text in files)
    assert {row.subject for row in report.rows} == {"published"}
    assert "warning" not in done.stdout.splitlines()[-1]


def test_every_claim_cites_its_source_and_says_what_it_measures(judged):
    for row in judged[0].rows:
        assert row.source, row.claim_id
        assert row.estimand, row.claim_id
        assert row.published_note or row.verdict.estimate, row.claim_id


def test_each_family_is_corrected_for_its_own_claims_alone(judged):
    """A family more, such as the audit's ten, widens no other family's intervals."""
    rows = judged[0].rows
    sizes = {(row.family, row.family_size) for row in rows}
    assert len(sizes) == len({family for family, _ in sizes}), "a family has one size"
    assert ("audit", 10) in sizes, "ten claims without subjects"
    claims = Counter(row.family for row in rows)
    assert all(size >= claims[family] for family, size in sizes), "subjects count"
    for row in rows:
        if row.verdict.estimate is not None:
            assert row.verdict.level == family_level(row.family_size), row.claim_id


def test_published_verdicts_are_those_on_record(judged):
    pins = read_pins(HYPOTHESES).designs["published"].claims["published"]
    outcomes = {row.claim_id: row.verdict.outcome.value for row in judged[0].rows}
    assert outcomes == {name: pin.verdict for name, pin in pins.items()}
    numbers = {r.claim_id: e.value for r in judged[0].rows if (e := r.verdict.estimate)}
    assert numbers == pytest.approx({n: p.estimate for n, p in pins.items() if n in numbers})


def test_pins_name_only_claims_that_exist(judged):
    known = {row.claim_id for row in judged[0].rows}
    designs = read_pins(HYPOTHESES).designs.values()
    pinned = {name for d in designs for claims in d.claims.values() for name in claims}
    assert pinned <= known


COLLECT = """
import sys, pytest
code = pytest.main(["--collect-only", "-q", "-p", "no:cacheprovider", *sys.argv[1:]])
loaded = sorted(name for name in sys.modules if name.split(".")[0] == "mlx")
print("exit", int(code), "mlx", loaded)
"""


def collect(*arguments):
    done = subprocess.run(
        [sys.executable, "-c", COLLECT, *arguments],
        cwd=HYPOTHESES.parent,
        capture_output=True,
        text=True,
        timeout=120,
        env=clean_environment() | {"LAZARUS_BENCH_DEVICE": "nonsense"},
    )
    return done.stdout


def test_collecting_the_claims_imports_no_mlx():
    assert collect(str(HYPOTHESES), "-m", "slow").endswith("exit 0 mlx []\n")


def test_a_claim_is_found_by_its_id_and_by_its_tests_name():
    node = f"{HYPOTHESES}/test_dual.py::test_vo_reaches_36_percent[lab:llama]"
    assert "test_vo_reaches_36_percent[lab:llama]" in collect(node, "-k", "vo-36")


def test_the_registry_is_not_stale():
    registered = load_registry(HYPOTHESES / "registry.json")
    claims = with_history(drawn_up(read_claims(HYPOTHESES)), {c.id: c for c in registered})
    remedy = "lazarus-bench claims export --output hypotheses/, and say in CHANGELOG.md why"
    statuses = against(registered, claims)
    assert {n: s for n, s in statuses.items() if s.what != "as registered"} == {}, remedy
    assert (HYPOTHESES / "registry.json").read_text(encoding="utf-8") == to_text(claims), remedy
    assert (HYPOTHESES / "registry.md").read_text(encoding="utf-8") == render_registry(claims)


def test_the_projects_claims_are_listed_without_mlx():
    script = (
        "import sys; from lazarus_bench import cli; code = cli.main(sys.argv[1:]); "
        "print([m for m in sys.modules if m.split('.')[0] == 'mlx'], file=sys.stderr); "
        "sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "claims", "list", "--hypotheses", str(HYPOTHESES)],
        capture_output=True,
        text=True,
        timeout=60,
        env=clean_environment(),
    )
    assert (done.returncode, done.stderr) == (0, "[]\n")
    files = HYPOTHESES.glob("test_*.py")
    assert len(done.stdout.splitlines()) == sum(f.read_text().count("@claim(") for f in files)
