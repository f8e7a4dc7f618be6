"""Every shell example of README.md and docs/, run on small models in the lab's place.

Which examples are made smaller, or are not run, and why, stands in `doc_tables`.
"""

import json
import re
import shlex
import shutil
from pathlib import Path

import claimfiles
import doc_tables as tables
import pytest
from commandcases import program, random_adapter
from doc_checks import Ran, check
from documentation import FENCE, PAGES, ROOT, Example, blocks, examples

from lazarus_bench import cli
from lazarus_bench.cli.train_settings import trainings
from lazarus_bench.jobs.store import Store
from lazarus_bench.jobs.subjects import lab_subject

EXAMPLES = examples()
PROGRAM = re.compile(r"(\.venv/bin/)?(lazarus-bench|pytest) ")
LAB = {"lab:llama": "llama", "lab:olmoe": "olmoe", "lab:gpt-oss": "gpt-oss"}


def excuse(example: Example) -> tables.Excuse | None:
    found = [e for e in tables.EXCUSES if re.fullmatch(e.pattern, example.command)]
    assert len(found) <= 1, f"{example} has several excuses"
    return found[0] if found else None


def arguments(example: Example) -> list[str]:
    """The words after the program, with what stands in for what a test does not have.

    Where the shell would send the output to a file, it is read here instead.
    """
    command = re.sub(r" >>? ?\S+$", "", example.command)
    for pattern, other in tables.STAND_INS.items():
        command = re.sub(pattern, other, command)
    return shlex.split(PROGRAM.sub("", command, count=1))


def runs(example: Example, program: str) -> bool:
    found = PROGRAM.match(example.command)
    return found is not None and found[2] == program and excuse(example) is None


def on(page: Path) -> list[Example]:
    """The examples of our program that are run for `page`; a session of claims once for all."""
    name = str(page.relative_to(ROOT))
    here = [e for e in EXAMPLES if e.page == name and runs(e, "lazarus-bench")]
    first = {e.command: e for e in reversed(EXAMPLES)}
    return [e for e in here if e is first[e.command] or not is_session(arguments(e))]


def is_session(words: list[str]) -> bool:
    """Whether a command judges claims, which is a session of pytest's own and takes seconds."""
    return words[0] == "run" or words[:2] == ["experiment", "run"]


@pytest.fixture(scope="session")
def small_lab(tmp_path_factory) -> Path:
    """A store in which untrained models of eight layers pass for the lab's."""
    from lazarus_bench.models import lab

    store = Store(tmp_path_factory.mktemp("lab") / "store")
    for name, family in LAB.items():
        job = lab_subject(name).base(0)
        config = lab.config_of(family) | {
            "hidden_size": 48,
            "intermediate_size": 96,
            "num_attention_heads": 3,
            "num_key_value_heads": 3,
            "head_dim": 16,
        }
        with store.claim(job, wait=True), store.writing(job, {}) as directory:
            lab.save(lab.initialise(config, 0), config, directory)
    return store.root


@pytest.fixture(scope="session")
def small_adapter(small_lab, tmp_path_factory) -> Path:
    """A LoRA of the small llama that changes what it says."""
    keys = ("self_attn.v_proj", "self_attn.o_proj")
    return random_adapter(llama_in(small_lab), tmp_path_factory.mktemp("adapters"), *keys)


def llama_in(store: Path) -> Path:
    found = Store(store).find(lab_subject("lab:llama").base(0))
    assert found is not None
    return found.directory


@pytest.fixture
def here(small_lab, small_adapter, tmp_path, monkeypatch) -> Path:
    """A folder with what the examples name, and the small lab as the store."""
    folder = tmp_path / "here"
    folder.mkdir()
    _files(folder, small_lab, small_adapter)
    shutil.copytree(small_lab, folder / "store", symlinks=True)
    monkeypatch.setenv("LAZARUS_BENCH_STORE", str(folder / "store"))
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.chdir(folder)
    return folder


def _files(folder: Path, lab: Path, adapter: Path) -> None:
    if not (ROOT / "hypotheses").is_dir():
        pytest.skip("the examples are about the study's claims, and there is no study")
    shutil.copytree(ROOT / "hypotheses", folder / "hypotheses")
    for report in ("reports/lab", "lazarus-report", "old", "new"):
        (folder / report).mkdir(parents=True)
        shutil.copy(ROOT / "reports" / "lab" / "report.json", folder / report)
    (folder / "reports" / "published").mkdir()
    for file in ("report.json", "evidence.npz"):
        shutil.copy(ROOT / "reports/published" / file, folder / "reports" / "published")
    (folder / "my-model").symlink_to(llama_in(lab))
    (folder / "adapters").symlink_to(adapter)
    (folder / "prompts.txt").write_text("7 * 8 = \n5 + 6 = \n")
    hosts = [{"ssh": f"mac{n}", "ips": [f"192.168.0.{n}"]} for n in (1, 2, 3)]
    (folder / "hosts.json").write_text(json.dumps({"backend": "ring", "hosts": hosts}))
    (config,) = [b for b in _blocks("docs/train.md") if b.language == "yaml"]
    (folder / "config.yaml").write_text(config.text)
    _labelled(folder)
    _own_rows(folder)
    _results(folder)
    (own,) = [b for b in _blocks("docs/extend.md") if b.language == "python" and "@claim" in b.text]
    (first,) = [b for b in _blocks("docs/tutorial-claim.md") if b.language == "python"]
    for claims, block in (("my-claims/test_mine.py", own), ("my-sums/test_sums.py", first)):
        (folder / claims).parent.mkdir()
        (folder / claims).write_text(block.text)


def _results(folder: Path) -> None:
    """What docs/judge-results.md judges."""
    logs = ROOT / "tests" / "results" / "data"
    for arm, number in (("new", 1), ("old", 2)):
        shutil.copy(logs / f"lm_eval_sums_{number}.jsonl", folder / f"{arm}.jsonl")
    for arm in ("good", "bad"):
        shutil.copy(logs / f"inspect_{arm}.eval", folder / f"{arm}.eval")
    for n in range(2):
        shutil.copy(logs / f"lm_eval_sums_{n + 1}.jsonl", folder / f"seed{n}.jsonl")
    blocks_of_page = {b.language: b.text for b in _blocks("docs/judge-results.md")}
    (folder / "claims.toml").write_text(blocks_of_page["toml"])
    rows = [
        f"q{item},{seed},{arm},p{item // 2},{(item * 7 + seed * 3 + len(arm)) % 2}"
        for item in range(12)
        for seed in range(3)
        for arm in ("new", "baseline")
    ]
    (folder / "scores.csv").write_text("\n".join(["item,seed,arm,cluster,value", *rows]))


def _own_rows(folder: Path) -> None:
    """What docs/own-words.md reads: its rows, as often as the smaller examples need them."""
    (block,) = [b for b in _blocks("docs/own-words.md") if b.language == "json"]
    rows = [json.loads(line) for line in block.text.splitlines()]
    rows = [*rows * 10, *({**row, "split": "valid"} for row in rows * 2)]
    (folder / "own.jsonl").write_text("\n".join(map(json.dumps, rows)))
    classes = [{"prompt": f"{n} {c}", "class": c} for c in ("dog", "cat") for n in range(4)]
    (folder / "classes.jsonl").write_text("\n".join(map(json.dumps, classes)))


def _labelled(folder: Path) -> None:
    for name in ("sst2", "ag_news"):
        (folder / name).mkdir()
    for split in ("train", "dev"):
        rows = [f"{split} text {n} of class {n % 2}\t{n % 2}" for n in range(8)]
        (folder / "sst2" / f"{split}.tsv").write_text("\n".join(["sentence\tlabel", *rows, ""]))
        news = [f'"{n % 4 + 1}","{split} {n}","about {n % 4}"' for n in range(16)]
        (folder / "ag_news" / f"{split}.csv").write_text("\n".join([*news, ""]))


def _blocks(page: str):
    return blocks((ROOT / page).read_text(encoding="utf-8"))


def smaller(words: list[str]) -> list[str]:
    """The same command with the sizes of `doc_tables`."""
    sizes = [found for key, found in tables.SMALLER.items() if is_of(words, key)]
    for flag, value in (pair for found in sizes for pair in found.items()):
        if flag in words:
            at = words.index(flag) + 1
            words = [*words[:at], value, *words[at + 1 :]]
        else:
            words = [*words, flag, value]
    return words


def is_of(words: list[str], command: str) -> bool:
    """Whether the words call a command such as "moe-expert analyze"."""
    return words[: len(command.split())] == command.split()


@pytest.mark.parametrize(
    "page", [p for p in PAGES if on(p)], ids=lambda p: str(p.relative_to(ROOT))
)
def test_the_examples_of_a_page_do_what_it_says(page, here, capsys):
    if any("--output adapters" in example.command for example in on(page)):
        (here / "adapters").unlink()  # the page makes its own
    for example in on(page):
        words = [*smaller(arguments(example)), *more(example)]
        code, out, err = said(words, capsys)
        try:
            check(Ran(arguments=words, code=code, out=out, folder=here))
        except AssertionError as failed:
            raise AssertionError(f"{example}\n{failed}\n{out}{err}") from failed


def said(words: list[str], capsys) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command."""
    if is_session(words) and "--plan" not in words:
        store = str(Path("store").resolve())
        done = program(*words, LAZARUS_BENCH_STORE=store, COLUMNS="120")
        return done.returncode, done.stdout, done.stderr
    return cli.main(words), *capsys.readouterr()


PYTEST = [e for e in EXAMPLES if runs(e, "pytest")]


def more(example: Example) -> tuple[str, ...]:
    return next((e.more for e in tables.EXTRAS if re.fullmatch(e.pattern, example.command)), ())


def test_the_examples_of_pytest_do_what_the_pages_say(here):
    """One process for all: what is new in one of them is only what it asks of the claims."""
    asked = {(*arguments(e), *more(e)): str(e) for e in PYTEST}
    cases = {name: list(words) for words, name in asked.items()}
    environment = {"LAZARUS_BENCH_STORE": str(here / "store")}
    for name, ran in claimfiles.run(here, cases, **environment).items():
        assert ran.code == 0, f"{name}\n{ran.said}"
        words = cases[name]
        if "--lb-plan" in words:
            assert re.search(r"\d+ trainings to run, ", ran.said), name
        elif "--lb-offline" in words:
            assert re.search(r"\b1 skipped, .*\b1 (passed|inconclusive)", ran.said), name
        else:
            assert "mine/base-silent" in ran.said, name


@pytest.mark.parametrize("example", [e for e in EXAMPLES if excuse(e)], ids=str)
def test_an_example_that_is_not_run_is_checked_otherwise(example):
    found = excuse(example)
    assert found is not None
    found.check(example.command)


def test_every_example_is_run_or_excused():
    known = {*filter(excuse, EXAMPLES), *PYTEST}
    known |= {e for e in EXAMPLES if runs(e, "lazarus-bench")}
    left = [str(e) for e in EXAMPLES if e not in known]
    assert left == [], "make it run, or say in tests/doc_tables.py why it cannot"


def test_no_line_of_the_tables_is_without_an_example():
    """What no example needs any more says something untrue."""
    every = [e.command for e in EXAMPLES]
    entries = [*tables.EXCUSES, *tables.EXTRAS]
    idle = [e.pattern for e in entries if not any(re.fullmatch(e.pattern, c) for c in every)]
    idle += [p for p in tables.STAND_INS if not any(re.search(p, c) for c in every)]
    called = [arguments(e) for e in EXAMPLES if runs(e, "lazarus-bench")]
    idle += [name for name in tables.SMALLER if not any(is_of(words, name) for words in called)]
    assert idle == []


def test_the_examples_train_by_every_recipe():
    words = [arguments(e) for e in EXAMPLES if runs(e, "lazarus-bench")]
    assert {own[1] for own in words if own[0] == "train"} == set(trainings())


def test_no_example_hides_outside_the_blocks_that_are_run():
    """In a block without a language, or in one that only its indentation makes."""
    hidden = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        rest = [block.text for block in blocks(text) if block.language == ""]
        rest += re.findall(r"^    .*", FENCE.sub("", text), re.MULTILINE)
        found = re.findall(r"^ *(?:lazarus-bench|pytest) .*", "\n".join(rest), re.MULTILINE)
        hidden += [(page.name, line) for line in found]
    assert hidden == [], "put it into a block of bash"
