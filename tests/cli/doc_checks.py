"""What the output of a documentation's example has to show, command by command."""

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from operator import add, floordiv, mul, sub
from pathlib import Path
from typing import Any

PNG = b"\x89PNG"


@dataclass(frozen=True)
class Ran:
    """An example that was run: its arguments after the program, exit code, output and folder."""

    arguments: Sequence[str]
    code: int
    out: str
    folder: Path

    def given(self, flag: str) -> list[str]:
        """The values of a flag that takes one, in order."""
        return [value for name, value in pairwise(self.arguments) if name == flag]

    def has(self, flag: str) -> bool:
        return flag in self.arguments

    def document(self) -> dict[str, Any] | None:
        """The result as JSON, printed or left in a file; None where it is neither."""
        if self.has("--json"):
            printed: dict[str, Any] = json.loads(self.out)
            return printed
        files = [name for name in self.given("--output") if name.endswith(".json")]
        return json.loads((self.folder / files[-1]).read_text(encoding="utf-8")) if files else None


def check(ran: Ran) -> None:
    """Make sure that the example did what its command is for.

    Raises:
        AssertionError: it did not, or nothing here knows what that would be.
    """
    command = ran.arguments[0]
    assert command in CHECKS, f"no check of what {command} shows: add one to tests/cli/doc_checks"
    assert ran.code in ((0, 1) if command == "doctor" else (0,)), ran.out
    CHECKS[command](ran)
    for file in ran.given("--plot"):
        _is_a_picture(ran.folder / file)


def _is_a_picture(file: Path) -> None:
    if file.suffix == ".svg":
        assert ET.parse(file).getroot().tag.endswith("svg")
    else:
        assert file.read_bytes().startswith(PNG)


def _result(ran: Ran, kind: str) -> dict[str, Any] | None:
    """The result of a document, whose frame is checked here."""
    document = ran.document()
    if document is None:
        return None
    assert document["kind"] == kind
    assert document["command"].startswith(f"lazarus-bench {kind} ")
    assert {"device", "blas", "mlx"} <= set(document["manifest"])
    assert document["model"]["digest"]
    found: dict[str, Any] = document["result"]
    return found


def _title(ran: Ran) -> None:
    """A table begins with the name of the model."""
    assert ran.has("--json") or ran.out.startswith(ran.arguments[1])


def _targets(ran: Ran) -> list[str]:
    return [word for given in ran.given("--targets") for word in given.replace("|", ",").split(",")]


def _prompts(ran: Ran, first: int = 2) -> list[str]:
    """The prompts of the positional arguments, which stand before any flag."""
    found: list[str] = []
    for word in ran.arguments[first:]:
        if word.startswith("--"):
            break
        lines = (ran.folder / word[1:]).read_text().splitlines() if word[0] == "@" else [word]
        found += lines if word[0] == "@" else word.split("|")
    return found


def _lens(ran: Ran) -> None:
    _title(ran)
    layers = [int(n) for n in ran.given("--layer")] or (
        list(range(8)) if ran.has("--all-layers") else [4]
    )
    result = _result(ran, "lens")
    if result is not None:
        assert result["prompts"] == _prompts(ran)
        assert result["targets"] == _targets(ran)
        assert result["layers"] == layers
        read = result["lens"]["top_probability"]
        assert [len(read), len(read[0])] == [len(result["prompts"]), len(layers)]
        assert all(0 <= p <= 1 for prompt in read for layer in prompt for p in layer)
    if not ran.has("--json"):
        assert all(word in ran.out for word in _targets(ran))
        assert all(f"L{layer} " in ran.out for layer in layers)
        assert not ran.has("--diff") or "moved" in ran.out


def _classifier(ran: Ran) -> None:
    names = [given.split(":")[0] for given in ran.given("--classes")]
    tested = [prompt for given in ran.given("--test") for prompt in given.split("|")]
    result = _words(ran, "classifier", ("accuracy", "null", "L0", "L7"))
    if result is not None:
        assert list(result["classes"]) == names
        assert len(result["accuracy"]) == 8
        assert [item["prompt"] for item in result["test"]] == tested
        assert all(set(item["predicted"]) <= set(names) for item in result["test"])
    assert all(prompt.strip() in ran.out for prompt in tested)


def _analyze(ran: Ran) -> None:
    result = _words(ran, "analyze", ("entropy", "JS", "KL", "rank", "L0", "L7"))
    if result is not None:
        assert [item["prompt"] for item in result["prompts"]] == _prompts(ran)
        assert all(len(item["entropy_bits"]) == 8 for item in result["prompts"])
    assert re.search(r"crystallises at L|most probable token at L|never the most prob", ran.out)


def _render(ran: Ran) -> None:
    page = (ran.folder / ran.given("--output")[0]).read_text(encoding="utf-8")
    assert page.lower().startswith("<!doctype html>")
    assert "dual/vo-36" in page


def _diff(ran: Ran) -> None:
    if ran.has("--json"):
        (file,) = ran.given("--output")
        assert json.loads((ran.folder / file).read_text(encoding="utf-8"))["moved"] == []
    elif ran.has("--output"):
        (file,) = ran.given("--output")
        assert "<h1>Nothing moved" in (ran.folder / file).read_text(encoding="utf-8")
    else:
        assert ran.out.startswith("# Nothing moved")


OWN = {
    "my-claims": ("mine/base-silent", ""),
    "my-sums": ("sums/right", "1 refuted for this run"),
    "our-claims/our_claims": ("our-claims/noise-keeps-answers", "1 inconclusive"),
}
"""The claim in each folder of claims that a page makes, and what is tallied of its verdict."""


def _own(ran: Ran) -> tuple[str, str] | None:
    return next((OWN[folder] for folder in ran.given("--hypotheses")), None)


def _claims(ran: Ran) -> None:
    claim, _ = _own(ran) or ("dual/vo-36", "")
    if ran.arguments[1] == "export":
        assert claim in (ran.folder / ran.given("--output")[0] / "registry.json").read_text()
    else:
        assert claim in ran.out
    if ran.arguments[1] == "show":
        assert "≥ 0.36" in ran.out


def _data(ran: Ran) -> None:
    place = ran.folder / ran.given("--output")[0]
    files = sorted(place.glob("*.jsonl")) or [place]
    rows = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    assert len(rows) == int(ran.given("--count")[0]) + int(ran.given("--validation")[0])
    for row in rows if "text" in ran.given("--format") else ():
        a, sign, b, _, answer = row["text"].split()
        assert MEANS[sign](int(a), int(b)) == int(answer), row


MEANS: dict[str, Callable[[int, int], int]] = {
    "+": add,
    "-": sub,
    "*": mul,
    "/": floordiv,
}


def _train(ran: Ran) -> None:
    stages = ("stage1", "fused", "stage2") if ran.arguments[1] == "two-stage" else (".",)
    for folder in (ran.folder / name / stage for name in ran.given("--output") for stage in stages):
        assert list(folder.glob("*.safetensors")), folder
        assert json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    if ran.has("--json"):
        assert json.loads(ran.out)["result"]["stages"][0]["loss"] > 0
        return
    assert "tok/s" in ran.out
    third = re.search(r"^ *3 +\d", ran.out, re.MULTILINE)
    assert third or not ran.has("--steps"), "no line for the third and last step"


def _fuse(ran: Ran) -> None:
    folder = ran.folder / ran.given("--output")[0]
    assert {"config.json", "tokenizer.json"} <= {file.name for file in folder.iterdir()}
    assert list(folder.glob("*.safetensors"))


def _words(
    ran: Ran, kind: str, words: Sequence[str], keys: Sequence[str] = ()
) -> dict[str, Any] | None:
    """The document's result, which has these parts; else the table has these words."""
    _title(ran)
    result = _result(ran, kind)
    assert result is None or set(keys) <= set(result)
    assert ran.has("--json") or all(word in ran.out for word in words)
    return result


def _moe_expert(ran: Ran) -> None:
    action = ran.arguments[1]
    shown = {
        "analyze": (("told", "null"), ("classes", "load")),
        "trace": (("token", "distinct"), ("prompts", "experts")),
        "weights": (("norm", "cosine"), ("router", "layers")),
        "project": (("random",), ()),
    }
    _words(replace(ran, arguments=ran.arguments[1:]), f"moe-expert {action}", *shown[action])


def _generate(ran: Ran) -> None:
    _words(ran, "generate", _prompts(ran), ("prompts", "texts"))


def _reads(kind: str, words: Sequence[str], keys: Sequence[str]) -> Callable[[Ran], None]:
    """The check of a command by what its table and its document have."""

    def checked(ran: Ran) -> None:
        _words(ran, kind, words, keys)

    return checked


def _says(*words: str) -> Callable[[Ran], None]:
    """The check of a command whose output has these words."""

    def checked(ran: Ran) -> None:
        assert all(word in ran.out for word in words)

    return checked


def _report(ran: Ran) -> None:
    files = ran.given("--output")
    text = (ran.folder / files[0]).read_text(encoding="utf-8") if files else ran.out
    assert "dual/" in text
    assert not ran.has("--json") or json.loads(text)["verdicts"]


def _run(ran: Ran) -> None:
    if ran.has("--plan"):
        assert re.search(r"\d+ trainings to run, |nothing to run|need no training", ran.out)
        return
    claim, tally = _own(ran) or ("dual/vo-36", r"\d+ supported, \d+ refuted")
    assert claim in ran.out
    assert re.search(tally, ran.out)
    report = "lazarus-report/published" if ran.has("--published") else "lazarus-report"
    assert (ran.folder / report / "report.html").stat().st_size > 0


def _experiment(ran: Ran) -> None:
    if ran.arguments[1] != "run":
        assert "two_stage_classifier" in ran.out
        return
    if ran.has("--plan"):
        _run(ran)
        return
    folder = ran.folder / (*ran.given("-o"), f"experiments/{ran.arguments[2]}")[0]
    (report,) = folder.rglob("report.json")
    verdicts = json.loads(report.read_text(encoding="utf-8"))["rows"]
    assert verdicts
    assert all(row["claim_id"] in ran.out for row in verdicts)
    assert list(folder.rglob("experiment.json"))


def _judge(ran: Ran) -> None:
    verdicts = json.loads(ran.out)["verdicts"] if ran.has("--json") else ran.out.splitlines()
    assert len(verdicts) > 0
    assert ran.has("--json") or re.search(r"\d (supported|refuted|inconclusive)", ran.out)
    for folder in ran.given("--report"):
        assert (ran.folder / folder / "report.html").exists()


def _lab(ran: Ran) -> None:
    assert "lab:llama" in ran.out
    assert ran.arguments[1] == "build" or "lab:gpt-oss" in ran.out


CHECKS: dict[str, Callable[[Ran], None]] = {
    "ablate": _reads("ablate", ("without", "change"), ("answers", "removals")),
    "analyze": _analyze,
    "attribute": _reads("attribute", ("Spearman", "L0", "L7"), ("pairs", "layers")),
    "claims": _claims,
    "classifier": _classifier,
    "completion": _says("lazarus"),
    "data": _data,
    "diff": _diff,
    "init": _says("written: our_claims/registry.json"),
    "doctor": _says("GFLOP/s", "blas"),
    "erase": _reads("erase", ("lost", "random", "refitted"), ("classes", "layers")),
    "experiment": _experiment,
    "fuse": _fuse,
    "generate": _generate,
    "interchange": _reads("interchange", ("layer", "random"), ("accuracy", "held_out")),
    "judge": _judge,
    "lab": _lab,
    "lens": _lens,
    "moe-expert": _moe_expert,
    "patch": _reads("patch", ("position", "L0", "L7"), ("pairs", "layers")),
    "render": _render,
    "report": _report,
    "run": _run,
    "steer": _reads("steer", ("steered", "moved", "random"), ("as_it_is", "steered")),
    "store": _says("pretrain"),
    "train": _train,
}
