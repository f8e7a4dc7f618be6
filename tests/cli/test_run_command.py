"""`lazarus-bench run`: claims by name, verdicts on standard output, exit codes with a meaning."""

import json
from dataclasses import replace

import pytest
from claimfiles import write
from commandcases import commands

from lazarus_bench.report.schema import load

PRINTED = """
@pre("printed/good", AtLeast(0.3), NARROW)
def test_good():
    return Means(values=NARROW)

@pre("printed/bad", AtMost(0.3), NARROW)
def test_bad():
    return Means(values=NARROW)

@pre("printed/computed", AtLeast(0.3), NARROW, subjects=())
def test_computed(seeds):
    return Means(values=tuple((0.6 + seed / 100,) * 4 for seed in seeds))

@pre("printed/handed-on", AtLeast(0.3), NARROW, subjects=())
def test_handed_on():
    return Means(values=NARROW)

@pre("printed/own", AtLeast(0.3), subjects=())
def test_own(seeds):
    return Means(values=NARROW * len(seeds))

@beside(test_own)
def _(seeds):
    yield "seeds", Means(values=((float(len(seeds)),),))
"""

ASKED = """
@pre("asked/trained", AtLeast(0.3))
def test_trained(sft):
    print("a word in passing")
    assert len(sft) == 2
    return Means(values=NARROW)

@pre("asked/broken", AtLeast(0.3))
def test_broken():
    raise ZeroDivisionError("a mistake of the claim's own")

@pre("asked/printed", AtLeast(0.3))
def test_printed_id():
    return Means(values=NARROW)
"""


COMPUTED = ("printed/computed", "printed/handed-on", "printed/own")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    write(folder / "hypotheses", test_printed=PRINTED, test_asked=ASKED)
    # Found by its name alone, it is read only with a registry.
    (folder / "hypotheses" / "registry.json").write_text('{"registry": 1, "claims": []}')
    return folder


@pytest.fixture(scope="module")
def ran(folder, tiny):
    two = ("--model", tiny, "--seeds", "2", "--workers", "1")
    said = commands(
        folder,
        {
            "published": ["run", "--published", "--fail-on", "none"],
            "refuted": ["run", "printed/*", "--published", "--report", "own"],
            "json": ["run", "printed/good", "--published", "--json", "--report", "json"],
            "computed": ["run", *COMPUTED, "--report", "computed"],
            "three seeds": ["run", *COMPUTED, "--seeds", "3", "--report", "three seeds"],
            "unknown": ["run", "printed/goood"],
            "both": ["run", "--published", "--model", tiny],
            "seeds of none": ["run", "--published", "--seeds", "3"],
            "data of none": ["run", "--published", "--data", "sst2=."],
            "no plan": ["run", "--published", "--plan"],
            "plan, fail on": ["run", "printed/good", "--plan", "--fail-on", "sometimes"],
            "fail on": ["run", "printed/good", "--published", "--fail-on", "sometimes"],
            "seeds": ["run", "asked", "--seeds", "0"],
            "offline": ["run", "asked/trained", *two, "--offline"],
            "plan": ["run", "asked/trained", *two, "--plan"],
            "plan as json": ["run", "asked/trained", *two, "--plan", "--json"],
            "trained": ["run", "asked/trained", *two, "--json"],
            "broken": ["run", "asked/broken", "asked/printed", *two],
            "nowhere": ["run", "--hypotheses", "nowhere", "--published"],
            "pinned": ["run", "printed/good", "--published", "--update-pins", "--report", "p"],
        },
    )
    place = f"lazarus-bench: the claims are those in {folder / 'hypotheses'}\n"
    assert said["published"].err == place
    return {name: replace(each, err=each.err.removeprefix(place)) for name, each in said.items()}


def test_the_printed_numbers_are_judged_without_mlx_and_shown_in_a_table(ran, folder):
    said = ran["published"]
    assert (said.code, said.mlx) == (0, False)
    rows = (line.split(maxsplit=2) for line in said.out.splitlines() if " published " in line)
    verdicts = {claim: verdict for claim, _, verdict in rows}
    assert verdicts["printed/good"].startswith("supported (1 run) ")
    assert verdicts["printed/bad"].startswith("refuted (1 run) ")
    assert verdicts["asked/trained"].startswith("not applicable")
    assert said.out.splitlines()[-1] == "written: lazarus-report/published/report.html"
    assert (folder / "lazarus-report" / "published" / "report.html").exists()
    assert "=====" not in said.out + said.err


def test_a_refuted_claim_sets_the_exit_code_and_is_put_into_words(ran, folder):
    said = ran["refuted"]
    assert said.code == 1
    assert "printed/bad on published: refuted for this run: " in said.out
    assert "3 supported for this run, 1 refuted for this run, 1 not applicable" in said.out
    report = load(folder / "own" / "report.json")
    assert [row.claim_id for row in report.rows] == [
        "printed/good",
        "printed/bad",
        *COMPUTED,
    ]
    assert {row.subject for row in report.rows} == {"published"}
    assert report.command == "lazarus-bench run 'printed/*' --published --report own"


def test_json_is_all_of_standard_output(ran):
    told = ran["json"].json
    assert (told["exit_code"], told["report"]) == (0, "json/report.json")
    [verdict] = told["verdicts"]
    assert (verdict["claim"], verdict["outcome"]) == ("printed/good", "supported for this run")
    low, high = verdict["interval"]
    assert low < verdict["estimate"] < high


@pytest.mark.parametrize(("case", "seeds"), [("computed", 5), ("three seeds", 3)])
def test_a_claim_that_asks_no_model_is_judged_by_its_test_with_the_sessions_seeds(
    ran, folder, case, seeds
):
    assert (ran[case].code, ran[case].mlx) == (0, False), ran[case].err
    report = load(folder / case / "report.json")
    computed, handed_on, own = report.rows
    assert computed.subject == own.subject == "computed"
    assert computed.verdict.estimate.seeds == own.verdict.estimate.seeds == seeds
    assert computed.verdict.estimate.value > 0.59
    assert computed.published.estimate.value == pytest.approx(0.515)
    assert own.secondary[0].estimate.value == seeds
    assert bool(own.unplanned) == (case == "three seeds")
    assert (handed_on.subject, handed_on.verdict) == ("published", handed_on.published)
    assert "on computed numbers" in (folder / case / "report.md").read_text()


@pytest.mark.parametrize(
    ("case", "sentence"),
    [
        ("unknown", "no claim and no family is called printed/goood; the nearest are printed/good"),
        ("both", "--published uses no model: leave --model out"),
        ("seeds of none", "--published uses no model: leave --seeds out"),
        ("data of none", "--published uses no model: leave --data out"),
        ("plan, fail on", "--fail-on 'sometimes' is unknown: choose from moved, refuted"),
        ("no plan", "--published trains nothing, so there is no plan: leave --plan out"),
        ("fail on", "--fail-on 'sometimes' is unknown: choose from moved, refuted"),
        ("seeds", "--seeds 0 is not a number of seeds: give 1 or more"),
        (
            "nowhere",
            "there is no folder nowhere, nor is a package of that name installed: name a folder of",
        ),
    ],
)
def test_a_mistake_is_one_sentence_in_the_commands_own_words(ran, case, sentence):
    assert ran[case].refusal().startswith(sentence)


def test_offline_without_trainings_is_refused_after_saying_what_lacks(ran):
    said = ran["offline"]
    assert (said.code, said.out) == (2, "")
    first, *_, last = said.err.splitlines()
    assert "the store lacks SFT LoRA all on " in first
    assert "--offline: the store" in last
    assert "name another with --store, or train without --offline" in last
    assert "--lb-" not in said.err


def test_a_plan_names_each_training_and_its_state(ran):
    assert ran["plan"].code == 0
    assert "2 trainings to run, about 0 s of one process" in ran["plan"].out  # one step was timed
    told = ran["plan as json"].json
    assert told["to_run"] == 2
    assert 0 < told["seconds"] < 60
    assert [(t["seed"], t["state"]) for t in told["trainings"]] == [(0, "missing"), (1, "missing")]


def test_a_plan_fits_a_narrow_terminal(folder, tiny, told, narrow, tmp_path):
    narrow(50)
    own = ("--hypotheses", folder / "hypotheses", "--store", tmp_path / "store")
    code, out, err = told("asked/trained", "--model", tiny, "--seeds", "2", "--plan", *own)
    assert code == 0, err
    assert out.startswith("training")
    assert max(map(len, out.splitlines())) <= 50


def test_a_model_is_trained_and_judged_and_what_tests_print_is_no_result(ran, folder):
    said = ran["trained"]
    told = said.json
    assert (said.code, [v["outcome"] for v in told["verdicts"]]) == (0, ["supported for this run"])
    assert "2 trainings to run, 1 at a time on this machine" in said.err
    assert "in passing" not in said.out + said.err
    assert len(list((folder / "store").glob("sft-*"))) == 2


def test_a_claim_whose_code_breaks_shows_its_trace_and_the_others_are_judged(ran):
    said = ran["broken"]
    assert said.code == 3
    assert "ZeroDivisionError: a mistake of the claim's own" in said.err
    assert "asked/broken on " in said.err
    assert [line.split()[0] for line in said.out.splitlines()[:2]] == [
        "asked/broken",
        "asked/printed",
    ]
    assert "1 supported for this run, 1 error" in said.out
    assert "error: ZeroDivisionError: a mistake of the claim's own" in said.out
    assert "Traceback" not in said.out


def test_verdicts_are_put_on_record_beside_the_claims(ran, folder):
    assert ran["pinned"].code == 0
    pins = json.loads((folder / "hypotheses" / "pins.json").read_text())
    [pin] = pins["published"]["claims"]["published"].values()
    assert pin["verdict"] == "supported for this run"
