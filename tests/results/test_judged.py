"""Results at hand are judged as statsmodels and scipy would, and as the claim says."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from lazarus_bench.errors import UserError
from lazarus_bench.judge import Differences
from lazarus_bench.report.diff import compare
from lazarus_bench.report.schema import load
from lazarus_bench.report.wording import sample
from lazarus_bench.results.files import sources
from lazarus_bench.results.judged import Statement, judge_files, statements
from lazarus_bench.results.sidecar import judge_again
from lazarus_bench.results.table import Columns

DATA = Path(__file__).parent / "data"
REPORTS = Path(__file__).resolve().parents[2] / "reports"
CLOSE = 1e-9
NEW_OLD = Statement(id="mine/better", region="> 0", arms=("new", "old"))


def judged(*files, columns=None, claim=NEW_OLD, **more):
    """The row and the evidence of one claim on files of `DATA` or of any folder."""
    given = [f"{DATA / name}" if (DATA / str(name)).exists() else f"{name}" for name in files]
    report = judge_files(sources(given), [claim], columns or Columns(), "here", **more)
    return report.rows[0], report.evidence[0].evidence


def written(folder, name, values):
    """Long form of `values[run][item]`, in a file called after the arm."""
    lines = [f"i{i},{run},{x!r}" for run, own in enumerate(values) for i, x in enumerate(own)]
    file = folder / f"{name}.csv"
    file.write_text("\n".join(["item,run,value", *lines]))
    return file


@pytest.fixture
def pair(tmp_path):
    """Writes the values of two arms, and says where."""

    def write(new, old):
        rows = [[[float(x) for x in run] for run in np.atleast_2d(arm)] for arm in (new, old)]
        return [written(tmp_path, n, v) for n, v in zip(("new", "old"), rows, strict=True)]

    return write


def draws(shape=40, seed=0):
    return np.random.default_rng(seed).normal(3, 2, shape)


def test_one_run_paired_by_item_is_the_paired_t_of_scipy_and_statsmodels(pair):
    weights = pytest.importorskip("statsmodels.stats.weightstats")
    new, old = draws(seed=1), draws(seed=2)
    row, _ = judged(*pair(new, old))
    found = row.verdict.estimate
    theirs = stats.ttest_rel(new, old).confidence_interval(0.95)
    assert (found.interval95.low, found.interval95.high) == pytest.approx(theirs, abs=CLOSE)
    theirs = weights.DescrStatsW(new - old).tconfint_mean(0.1)
    assert (found.interval.low, found.interval.high) == pytest.approx(theirs, abs=CLOSE)
    assert found.method == "paired t over items"


def test_one_run_unpaired_is_welch_of_statsmodels(pair):
    weights = pytest.importorskip("statsmodels.stats.weightstats")
    new, old = draws(seed=1), draws(30, seed=2)
    row, _ = judged(*pair(new, old), claim=replace(NEW_OLD, pairing="none"))
    theirs = weights.CompareMeans.from_data(new, old).tconfint_diff(usevar="unequal")
    found = row.verdict.estimate.interval95
    assert (found.low, found.high) == pytest.approx(theirs, abs=CLOSE)


def test_one_run_of_unpaired_hits_is_newcombe_s_hybrid_of_clopper_and_pearson(pair):
    proportion = pytest.importorskip("statsmodels.stats.proportion")
    new, old = draws(seed=1) > 2, draws(30, seed=2) > 3
    row, _ = judged(*pair(new, old), claim=replace(NEW_OLD, pairing="none"))
    (a, b) = new.mean(), old.mean()
    (l1, u1), (l2, u2) = (
        proportion.proportion_confint(x.sum(), x.size, method="beta") for x in (new, old)
    )
    theirs = a - b - np.hypot(a - l1, u2 - b), a - b + np.hypot(u1 - a, b - l2)
    found = row.verdict.estimate.interval95
    assert (found.low, found.high) == pytest.approx(theirs, abs=CLOSE)


def test_discordant_hits_are_mcnemar_s_odds(pair):
    contingency = pytest.importorskip("statsmodels.stats.contingency_tables")
    new, old = draws(seed=1) > 2, draws(seed=2) > 3
    row, _ = judged(*pair(new, old))
    table = [[(a == x) & (b == y) for y in (1, 0)] for x in (1, 0) for a, b in [(new, old)]]
    theirs = contingency.mcnemar(np.sum(table, axis=2), exact=True)
    gains, losses = (new & ~old).sum(), (old & ~new).sum()
    assert theirs.statistic == min(gains, losses)
    effect = row.verdict.estimate.effect
    assert effect.value == pytest.approx(gains / losses)
    # Exact limits of the odds leave out 1 just where McNemar's exact test rejects.
    assert (effect.low > 1 or effect.high < 1) == (theirs.pvalue < 1 - effect.level)


def test_runs_crossed_with_items_are_the_judge_s_own_evidence(pair):
    from lazarus_bench.judge import Differences

    new, old = draws((5, 8), seed=1), draws((5, 8), seed=2)
    row, evidence = judged(*pair(new, old))
    same = Differences(first=new, second=old, paired="prompts", items="items")
    assert evidence == same
    assert row.verdict.estimate.scope == "seeds"
    paired = Differences(first=new, second=old, paired="seeds", items="items")
    assert judged(*pair(new, old), claim=replace(NEW_OLD, pairing="run"))[1] == paired


def test_one_run_is_supported_for_itself_alone(pair):
    row, _ = judged(*pair(draws() + 5, draws(seed=1)))
    assert row.verdict.outcome == "supported for this run"
    assert "minus that of old, paired by item" in row.estimand


def test_a_family_and_looks_share_the_level(pair):
    files = pair(draws((4, 9)), draws((4, 9), 1))
    looking = replace(NEW_OLD, looks=(4, 8))
    assert judged(*files)[0].verdict.level == pytest.approx(0.9)
    assert judged(*files, verdicts=5)[0].verdict.level == pytest.approx(0.98)
    assert judged(*files, claim=looking)[0].verdict.level == pytest.approx(0.95)
    assert judged(*files, claim=looking)[0].unplanned == ""
    assert "registers looks at 5" in judged(*files, claim=replace(NEW_OLD, looks=(5,)))[0].unplanned


def test_real_logs_of_lm_eval_are_judged():
    claim = Statement(id="mine/acc", region="> -1")
    row, evidence = judged(
        "lm_eval_sums_1.jsonl", "lm_eval_sums_2.jsonl", columns=Columns(value="acc"), claim=claim
    )
    texts = [(DATA / f"lm_eval_sums_{n}.jsonl").read_text() for n in (1, 2)]
    rows = [[json.loads(line)["acc"] for line in text.splitlines()] for text in texts]
    assert [[*evidence.first[0]], [*evidence.second[0]]] == rows
    assert row.estimand.endswith("paired by doc_id")
    assert row.verdict.outcome == "supported for this run"


@pytest.mark.parametrize("ending", ["json", "eval"])
def test_real_logs_of_inspect_are_judged(ending):
    claim = Statement(id="mine/match", region="> 0")
    row, evidence = judged(
        f"inspect_good.{ending}",
        f"inspect_bad.{ending}",
        columns=Columns(value="match"),
        claim=claim,
    )
    assert evidence.first == ((1, 1, 1, 1, 0, 1),)
    assert evidence.second == ((1, 0, 0, 1, 0, 0),)
    assert row.verdict.outcome == "inconclusive"


def test_epochs_of_inspect_count_as_one_value_of_an_item():
    claim = Statement(id="mine/match", region="> 0")
    _, evidence = judged("inspect_epochs.eval", columns=Columns(value="match"), claim=claim)
    assert evidence.shape == (1, 6)
    assert set(evidence.values[0]) == {0, 0.5, 1}


def test_files_of_one_arm_are_its_runs(tmp_path):
    for n in range(3):
        (tmp_path / f"{n}.csv").write_text(f"item,value\na,{n}\nb,{n + 1}\n")
    files = [f"new={tmp_path / '0.csv'}", f"new={tmp_path / '1.csv'}", str(tmp_path / "2.csv")]
    claim = replace(NEW_OLD, arms=("new", "2"))
    _, evidence = judged(*files, claim=claim)
    assert evidence.first == ((0, 1), (1, 2))
    assert evidence.second == ((2, 3),)


def test_arms_runs_and_clusters_may_be_columns(tmp_path):
    file = tmp_path / "all.tsv"
    file.write_text(
        "q\tseed\tarm\tgroup\tf1\n"
        "b\t10\told\tg\t1\na\t10\told\tg\t2\nb\t9\told\tg\t3\na\t9\told\tg\t4\n\n"
        "a\t9\tnew\tg\tTrue\nb\t9\tnew\tg\tfalse\na\t10\tnew\tg\t.5\nb\t10\tnew\tg\t7e-1\n"
    )
    columns = Columns(item="q", clusters="group", value="f1")
    _, evidence = judged(file, columns=columns)
    assert evidence.first == ((0, 1), (0.7, 0.5))
    assert evidence.second == ((3, 4), (1, 2))
    assert evidence.clusters == ("g", "g")


@pytest.mark.parametrize("hit", [False, True])
@pytest.mark.parametrize("runs", [1, 3])
@pytest.mark.parametrize("arms", [("new",), ("new", "old")])
def test_clusters_are_counted_and_named_as_such(tmp_path, arms, runs, hit):
    cells = [(run, arm, i) for run in range(runs) for arm in ("new", "old") for i in range(12)]
    values = draws(len(cells), seed=4)
    lines = [
        f"i{i},{run},{arm},c{i // 3},{int(x > 3) if hit else x}"
        for (run, arm, i), x in zip(cells, values, strict=True)
    ]
    file = tmp_path / "all.csv"
    file.write_text("\n".join(["item,run,arm,cluster,value", *lines]))
    row, evidence = judged(file, claim=replace(NEW_OLD, arms=arms))
    assert sample(row.verdict.estimate).endswith("12 items in 4 clusters")
    assert "items" not in row.verdict.estimate.method
    assert evidence.unit == ("seeds" if runs > 1 else "clusters")


@pytest.mark.parametrize("pairing", ["none", "run"])
def test_clusters_of_arms_with_items_of_their_own_count_once(tmp_path, pairing):
    runs = 1 if pairing == "none" else 4
    cells = [(r, arm, i) for r in range(runs) for arm in ("new", "old") for i in range(12)]
    values = draws(len(cells), seed=8)
    # An item of one arm is no item of the other, whatever its name: their clusters differ.
    lines = [
        f"i{i},{r},{arm},c{i // 3 if arm == 'new' else i % 4},{x!r}"
        for (r, arm, i), x in zip(cells, map(float, values), strict=True)
    ]
    file = tmp_path / "all.csv"
    file.write_text("\n".join(["item,run,arm,cluster,value", *lines]))
    row, _ = judged(file, claim=replace(NEW_OLD, pairing=pairing))
    each = values.reshape(runs, 2, 12)
    new = each[:, 0].reshape(runs, 4, 3).mean(axis=2)
    old = each[:, 1].reshape(runs, 3, 4).mean(axis=1)
    assert sample(row.verdict.estimate).endswith("4 clusters")
    assert row.estimand.endswith("by clusters of cluster")
    found = row.verdict.estimate.interval95
    if pairing == "none":
        theirs = stats.ttest_ind(new[0], old[0], equal_var=False).confidence_interval(0.95)
        assert (found.low, found.high) == pytest.approx(tuple(theirs), abs=CLOSE)
    else:
        own = Differences(first=new, second=old, paired="seeds").estimate(0.95).interval
        assert (found.low, found.high) == pytest.approx((own.low, own.high), abs=CLOSE)


def test_the_files_that_differ_are_the_reason_and_no_version_is(tmp_path):
    reports = []
    for name, values in (("a", "1,2,3"), ("b", "1,5,-9")):
        rows = [f"{i},{x}" for i, x in enumerate(values.split(","))]
        (tmp_path / f"{name}.csv").write_text("\n".join(["item,value", *rows]))
        claim = replace(NEW_OLD, arms=("x",))
        files = sources([f"x={tmp_path / name}.csv"])
        reports.append(judge_files(files, [claim], Columns(), "here"))
    [pair] = [*compare(*reports).moved, *compare(*reports).reestimated]
    kinds = {reason.kind for reason in pair.reasons}
    assert "data" in kinds
    assert "versions" not in kinds


def test_an_arm_without_a_run_is_named(pair):
    files = pair(draws((3, 5)), draws((2, 5)))
    said = r"new.csv, .*old.csv: of column run, arm new has 0, 1, 2 and arm old has 0, 1; give both"
    with pytest.raises(UserError, match=said):
        judged(*files)


def test_a_score_that_a_log_lacks_is_met_with_those_it_has():
    with pytest.raises(UserError, match=r"has the scores match, includes: choose one with --value"):
        judged("inspect_good.json", columns=Columns(value="acc"), claim=replace(NEW_OLD, arms=()))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("item,value\na,1\nb,\n", "x.csv, row 3: column value is empty"),
        ("item,value\na,1\nb,n/a\n", "row 3: column value is 'n/a', no number"),
        ("item,value\na,nan\n", "row 2: column value is nan, no finite number"),
        ("item,value\na,1\nb,1e200\n", "row 3: column value is 1e200, too large"),
        ("item,value\n,1\n", "row 2: column item is empty"),
        ("item,value\na,1,2\n", "row 2 has 3 cells where the header has 2"),
        ("item,value\na,1\n\na,2\n", "row 4 has item a of arm x, run 0 again, as .*row 2"),
        ("item,seed,value\na,0,1\na,1,1\nb,0,1\n", "run 1 of arm x has no row for item b"),
        ("item,value,value\na,1,1\n", "has the column value twice"),
        ("item,score\na,1\n", "has no column value .it has item, score.*--value"),
        ("value\n1\n2\n", "row 3 is a second value of arm x, run 0; .*--paired-by"),
        ("item,cluster,seed,value\na,c,0,1\na,d,1,1\n", "row 3: column cluster has d for item a"),
        ('item,value\n"a,1\n', "row 2: unexpected end"),
        ("item,value\n", "has no row"),
        ("", "has no column value"),
    ],
)
def test_a_row_that_cannot_be_judged_is_named(text, said, tmp_path):
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(UserError, match=said):
        judged(tmp_path / "x.csv", claim=Statement(id="a/b", region="> 0"))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("1e400", r"row 1 is not JSON .1e400 is larger than any number"),
        ("[" * 200 + "]" * 200, r"row 1 is not JSON .it is nested more than 100 levels deep"),
        ('"\\ud800"', r"row 1 is not JSON .it has half a surrogate pair"),
        ("", r"row 1 is not JSON .Expecting value\): mend the row"),
        ("1e200", r"row 1: column value is 1e\+200, too large; mend the row"),
    ],
)
def test_what_is_wrong_with_a_row_of_json_is_said(value, said, tmp_path):
    (tmp_path / "x.jsonl").write_text(f'{{"item": "i", "value": {value}}}\n')
    with pytest.raises(UserError, match=said):
        judged(tmp_path / "x.jsonl", claim=Statement(id="mine/acc", region="> 0"))


def test_items_of_one_arm_alone_and_of_another_task_are_refused(tmp_path):
    a, b = tmp_path / "a.csv", tmp_path / "b.csv"
    a.write_text("item,value\np,1\nq,0\n")
    b.write_text("item,value\np,1\nr,0\n")
    claim = Statement(id="mine/acc", region="> 0")
    with pytest.raises(UserError, match=r"item q is in arm a and not in b .1 of 2 are not"):
        judged(a, b, claim=claim)
    text = (DATA / "lm_eval_sums_2.jsonl").read_text()
    digest = json.loads(text.splitlines()[3])["doc_hash"]
    (tmp_path / "other.jsonl").write_text(text.replace(digest, "0" * 64))
    with pytest.raises(UserError, match=r"other.jsonl, row 4: doc_id 3 is another item"):
        judged(
            "lm_eval_sums_1.jsonl",
            tmp_path / "other.jsonl",
            columns=Columns(value="acc"),
            claim=claim,
        )


def test_an_unfinished_log_of_inspect_is_refused(tmp_path):
    log = json.loads((DATA / "inspect_bad.json").read_text()) | {"status": "error"}
    (tmp_path / "log.json").write_text(json.dumps(log))
    with pytest.raises(UserError, match=r"log.json was not finished .its status is 'error'"):
        judged(tmp_path / "log.json", claim=Statement(id="a/b", region="> 0"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({}, "claims is missing"),
        ({"claims": []}, "has no claim"),
        ({"claims": [{"id": "a/b"}]}, r"claims\[0\].region is missing"),
        ({"claims": [{"id": "a/b", "region": "0"}]}, "'0' is no region"),
        ({"claims": [{"id": "a/b", "region": "> 0", "colour": 1}]}, "colour"),
        ({"claims": [{"id": "a/b", "region": "> 0"}] * 2}, "has the claim a/b twice"),
        ({"claims": [{"id": "a/b", "region": "> 0", "looks": [5, 2]}]}, "ascending"),
        ({"claims": [{"id": "a/b", "region": "> 0", "pairing": "items"}]}, "pairing"),
    ],
)
def test_a_file_of_claims_that_cannot_be_read_says_where(content, said):
    with pytest.raises(UserError, match=said):
        statements(content, "mine.toml")


@pytest.mark.parametrize("name", ["published", "lab"])
def test_samples_beside_a_report_give_its_verdicts_again(name):
    path = REPORTS / name / "evidence.npz"
    if not path.exists():
        pytest.skip("the study is not here")
    found = judge_again(path, "here", region=None, stated=None, verdicts=None)
    before = {
        (r.claim_id, r.subject): r.verdict.outcome
        for r in load(REPORTS / name / "report.json").rows
    }
    assert len(found.rows) > 50
    assert all(before[row.claim_id, row.subject] == row.verdict.outcome for row in found.rows)
