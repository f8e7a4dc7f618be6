"""Ctrl-C in a terminal: it goes to the whole process group, as at a desk."""

import signal
import sys
import time

import pytest
from claimfiles import clean_environment, write
from terminals import CTRL_C, Terminal

from lazarus_bench.training.record import read_steps

COMMAND = [sys.executable, "-m", "lazarus_bench"]

# While the text of a dataclass is being compiled, Python ends itself by the signal once the message
# is printed; a shell calls both 130.
ENDED = (130, -signal.SIGINT)


@pytest.fixture
def environment(lab, tmp_path):
    """A store in which a tiny model is lab:llama."""
    return clean_environment(LAZARUS_BENCH_STORE=str(lab.root), TERM="xterm")


def pressed(terminal, times=1):
    """What was said from the key on, after checking how it ended."""
    before = len(terminal.said)
    for _ in range(times):
        terminal.type(CTRL_C)
        terminal.read(0.1)
    code = terminal.end()
    said = terminal.said[before:].replace("\r\n", "\n")
    assert code in ENDED, said
    assert "^C" in said
    assert "Traceback" not in said
    assert "Exception ignored" not in said
    # Only what stands after the last carriage return is seen; a second ^C may come late.
    seen = [line.rpartition("\r")[2] for line in said.splitlines()]
    assert [line for line in seen if line.strip("^C")][-1] == "lazarus-bench: interrupted"
    assert terminal.restored()
    assert terminal.session() == []
    return said


def wait_for(terminal, condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert terminal.process.poll() is None, terminal.said
        assert time.monotonic() < end, terminal.said
        terminal.read(0.02)


# mlx.core itself is imported by importlib, whose imports are not listed; this one is, as it loads.
IN_MLX = "mlx._reprlib_fix"


@pytest.mark.parametrize("imported", ["lazarus_bench.errors", "numpy", IN_MLX, "transformers"])
def test_while_a_library_is_imported(environment, tmp_path, imported):
    words = [sys.executable, "-X", "importtime", *COMMAND[1:], "lens", "lab:llama", "7 * 8 = "]
    with Terminal(words, tmp_path, environment) as terminal:
        wait_for(terminal, lambda: f" {imported}\r" in terminal.said)
        pressed(terminal)


def test_while_many_prompts_are_read(environment, tmp_path):
    prompts = [f"{a} * {b} = " for a in range(2, 202) for b in range(2, 152)]
    (tmp_path / "prompts.txt").write_text("\n".join(prompts))
    words = [*COMMAND, "lens", "lab:llama", "@prompts.txt", "--all-layers", "--output", "told.json"]
    with Terminal(words, tmp_path, environment) as terminal:
        terminal.until("reading 30000 prompts")
        pressed(terminal)
    assert not (tmp_path / "told.json").exists()


def test_during_a_training_which_then_goes_on(environment, lab, tmp_path):
    words = [*COMMAND, "train", "sft", "lab:llama", "--steps", "150", "--examples", "32"]
    words += ["--batch", "4", "--rank", "2", "--validation", "8", "--output", "adapter"]
    with Terminal(words, tmp_path, environment) as terminal:
        wait_for(
            terminal,
            lambda: any(log.stat().st_size for log in lab.root.glob(".partial/*/metrics.jsonl")),
        )
        said = pressed(terminal)
    assert "run the same command to go on" in said
    assert not (tmp_path / "adapter").exists()
    [left] = lab.root.glob(".partial/sft-*")
    done = len(read_steps(left))
    assert 0 < done < 150
    with Terminal(words, tmp_path, environment) as terminal:
        assert terminal.end() == 0, terminal.said
    assert [step.step for step in read_steps(tmp_path / "adapter")] == list(range(1, 151))


LONG = """
long = trained(Sft(**TINY | dict(steps=5000)))

@pre("long/long", AtLeast(0.3))
def test_long(long):
    assert len(long) == 2
    return Means(values=NARROW)
"""


def test_with_two_workers_and_pressed_twice(tmp_path, tiny):
    write(tmp_path / "hypotheses", test_long=LONG)
    words = [*COMMAND, "run", "--model", str(tiny), "--seeds", "2", "--workers", "2"]
    words += ["--hypotheses", "hypotheses"]
    environment = clean_environment(LAZARUS_BENCH_STORE=str(tmp_path / "store"), TERM="xterm")
    with Terminal(words, tmp_path, environment) as terminal:
        wait_for(terminal, lambda: len(list(tmp_path.glob("store/.partial/*/metrics.jsonl"))) == 2)
        assert len(terminal.session()) >= 2
        said = pressed(terminal, times=2)
    assert "what is done is kept, run the same command to go on" in said
