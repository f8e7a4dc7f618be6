"""The command line: help, doctor's findings and remedies, what cannot be read or written."""

import importlib
import json
import platform
import re
import shlex
import subprocess
import sys
import warnings
from dataclasses import fields

import pytest
from claimfiles import clean_environment, write
from commandcases import program

from lazarus_bench import backend, cli
from lazarus_bench.cli import application
from lazarus_bench.session.options import Options


@pytest.mark.parametrize("name", application.commands())
def test_a_command_is_its_file_and_its_docstring_its_help(capsys, monkeypatch, name):
    monkeypatch.setenv("COLUMNS", "200")
    module = importlib.import_module(f"lazarus_bench.cli.commands.{name.replace('-', '_')}")
    summary = module.__doc__.splitlines()[0]
    assert cli.main(["--help"]) == 0
    assert re.search(rf"{name} +{re.escape(summary)}", capsys.readouterr().out)
    assert cli.main([name, "--help"]) == 0
    shown = capsys.readouterr().out
    assert summary in shown
    assert re.search(rf"Examples:\n  .*lazarus-bench {name}", shown)
    assert "Exit codes:\n  0  " in shown or hasattr(module, "app")


@pytest.mark.parametrize("command", ["run", "experiment run"])
def test_the_help_shows_every_option_of_a_session(capsys, monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "200")
    assert cli.main([*command.split(), "--help"]) == 0
    shown = capsys.readouterr().out
    names = [Options.flag(item.name) for item in fields(Options)]
    assert [name for name in names if not re.search(rf"\W{name}\W", shown)] == []


def test_doctor_tells_what_it_found():
    done = program("doctor")
    shown = dict(line.split(maxsplit=1) for line in done.stdout.splitlines() if "  " in line)
    assert {"mlx", "revision", "device", "blas", "speed"} <= set(shown)
    assert "GFLOP/s" in shown["speed"]
    assert done.returncode == (0 if "all well" in done.stdout else 1)
    assert ("all well" in done.stdout) != ("slow: " in done.stdout)


@pytest.mark.skipif(platform.system() != "Linux", reason="only Linux has a slow BLAS to replace")
def test_doctor_gives_the_remedy_for_the_reference_blas():
    done = program("doctor", LAZARUS_BENCH_BLAS="reference", LAZARUS_BENCH_DEVICE="cpu")
    assert done.returncode == 1
    assert "slow: install it with `pip install 'lazarus-bench[cpu]'`" in done.stdout


@pytest.mark.parametrize(
    ("variable", "value"),
    [("LAZARUS_BENCH_DEVICE", "abacus"), ("LAZARUS_BENCH_BLAS", "libabacus.so")],
)
def test_doctor_of_a_machine_that_is_not_there(variable, value):
    if variable == "LAZARUS_BENCH_BLAS" and platform.system() != "Linux":
        pytest.skip("only Linux lets one choose a BLAS")
    done = program("doctor", **{variable: value})
    assert done.returncode == 2
    assert done.stderr.startswith(f"lazarus-bench: {variable}={value} is not ")
    assert len(done.stderr.splitlines()) == 1


def test_doctor_tells_other_programs():
    done = program("doctor", "--json")
    found = json.loads(done.stdout)
    assert found["kind"] == "doctor"
    assert {"mlx", "device", "blas"} <= set(found["manifest"])
    assert found["gflops"] > 0
    assert done.returncode == (0 if found["remedy"] is None else 1)


@pytest.mark.parametrize(
    ("speeds", "blas", "code", "end"),
    [
        ([5.0, 50.0], "libmkl_rt.so.2", 0, "all well"),
        ([5.0, 6.0, 5.0], "libmkl_rt.so.2", 1, "try again when they have ended"),
        ([5.0, 6.0, 5.0], "reference (liblapack.so.3)", 1, "libopenblas0`"),
    ],
)
def test_doctor_repeats_a_low_measurement_before_it_blames_the_blas(
    capsys, monkeypatch, speeds, blas, code, end
):
    measured = iter(speeds)
    monkeypatch.setattr(backend, "measure_gflops", lambda: next(measured))
    monkeypatch.setattr(backend, "BLAS", blas)
    monkeypatch.setattr(backend, "on_accelerator", lambda: False)
    assert cli.main(["doctor"]) == code
    assert capsys.readouterr().out.endswith(f"{end}\n")
    assert list(measured) == []


@pytest.mark.parametrize("command", [["diff"], ["lens"], ["claims", "list"], ["train", "sft"], []])
def test_a_help_fits_a_narrow_terminal(capsys, monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "60")
    assert cli.main([*command, "--help"]) == 0
    folded, examples = capsys.readouterr().out.split("Examples:\n")
    assert max(map(len, folded.splitlines())) <= 60
    assert examples.startswith(f"  lazarus-bench {' '.join(command)}")


def test_doctor_fits_a_narrow_terminal(capsys, narrow, monkeypatch):
    monkeypatch.setattr(backend, "measure_gflops", lambda: 50.0)
    cli.main(["doctor"])
    whole = capsys.readouterr().out.splitlines()
    assert {len(line.split()) > 1 for line in whole} == {True}
    narrow(40)
    cli.main(["doctor"])
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 40
    assert max(map(len, whole)) > 40
    assert {word for line in whole for word in line.split() if len(word) < 30} <= set(shown.split())


@pytest.mark.parametrize(
    ("redirected", "sentence"),
    [
        (">&-", "standard output is closed"),
        pytest.param(
            ">/dev/full",
            "no space is left to write to",
            marks=pytest.mark.skipif(platform.system() != "Linux", reason="a file of Linux"),
        ),
    ],
)
def test_output_that_cannot_be_written_is_one_sentence(redirected, sentence):
    line = f"{shlex.quote(sys.executable)} -m lazarus_bench completion bash {redirected}"
    done = subprocess.run(
        ["sh", "-c", line], capture_output=True, text=True, timeout=60, env=clean_environment()
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"lazarus-bench: {sentence}")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("arguments", [["lens", "--help"], ["claims", "list", "--hypotheses"]])
def test_an_output_without_the_signs_gets_escapes(arguments, tmp_path):
    claim = '@pre("one/a", AtLeast(0.3), NARROW)\ndef test_a():\n    return Means(values=NARROW)'
    folder = [str(write(tmp_path, test_one=claim))] if arguments[-1] == "--hypotheses" else []
    done = program(*arguments, *folder, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\u" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "no COMMAND was given: `lazarus-bench --help` lists them"),
        (["dctor"], "there is no command dctor (did you mean doctor?); `lazarus-bench --help`"),
        (["claims"], "`lazarus-bench claims` needs an ACTION: list, show, export; `lazarus-bench"),
        (["diff", "--al", "a", "b"], "there is no option --al (did you mean --all?); `lazarus-b"),
        (["diff", "a"], "give NEW; `lazarus-bench diff --help` shows the usage"),
        (["run", "--pack", "--plan"], "--pack needs a value; `lazarus-bench run --help` shows"),
        (["render", "a", "--output"], "--output needs a value; `lazarus-bench render --help` sh"),
        (["store", "ls", "--rank", "3"], "there is no option --rank; `lazarus-bench store ls --h"),
        (
            ["train", "full", "a", "--rank", "3"],
            "there is no option --rank; `lazarus-bench train f",
        ),
        (["lens", "--model", "a"], "there is no option --model: MODEL stands without a flag; `laz"),
        (
            ["lens", "a", "--prompt", "b"],
            "there is no option --prompt: PROMPT stands without a flag; `laz",
        ),
        (
            ["generate", "a", "b", "--temp", "1"],
            "there is no option --temp: it is --temperature here; `laz",
        ),
        (
            ["lens", "a", "b", "--adapter-path=c"],
            "there is no option --adapter-path=c: it is --adapter here; `laz",
        ),
        (["lens", "a", "b", "--stor=c"], "there is no option --stor=c (did you mean --store?); `l"),
        (
            ["train", "two-stage", "a", "--steps", "3"],
            "there is no option --steps: it is --stage1-steps or --stage2-steps here; `laz",
        ),
        (["train", "engram", "a", "--iters=3"], "there is no option --iters: it is --epochs "),
        (["lab", "build", "--seed", "3"], "there is no option --seed: it is --seeds here; `laz"),
        (["claims", "show", "a", "b"], "nothing here takes b; `lazarus-bench claims show --hel"),
    ],
)
def test_a_line_that_cannot_be_read_is_one_sentence(capsys, arguments, sentence):
    assert cli.main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"lazarus-bench: {sentence}")
    assert len(err.splitlines()) == 1


def test_our_warnings_are_sentences(monkeypatch, capsys):
    from lazarus_bench.__main__ import main
    from lazarus_bench.training.resume import DamagedStateWarning

    def damaged():
        told = "a/state is damaged: the training starts over"
        warnings.warn(told, DamagedStateWarning, stacklevel=2)
        return 0

    monkeypatch.setattr(cli, "main", damaged)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert main() == 0
    said = "lazarus-bench: warning: a/state is damaged: the training starts over\n"
    assert capsys.readouterr().err == said
