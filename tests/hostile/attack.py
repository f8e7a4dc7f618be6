"""Attack the command line: hostile command lines, and damaged files of every kind that it reads.

    python tests/hostile/attack.py --lines 5000 --files 3000 --seed 1

Run it as a user without rights (`setpriv --reuid=65534 --regid=65534 --clear-groups`) whose home
cannot be written. What does not end as it should is printed, and counts in the exit code.
"""

import argparse
import os
import re
import shlex
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1])]

import attack_inputs  # noqa: E402
from attack_forks import LONGEST, Attempt, Outcome, apart, outcomes, warm  # noqa: E402

MEGABYTES = 1024.0
"""What a command may take in memory at its peak."""

USUAL = {0, 2}
MORE = {
    **dict.fromkeys(("benchmark", "diff", "claims list", "doctor", "experiment status"), (1,)),
    **dict.fromkeys(("judge", "lab build", "store verify"), (1,)),
    **dict.fromkeys(("run", "experiment run"), (1, 3)),
}
"""Exit codes that a command's help names beside the usual ones."""

NOTICES = ("the claims are those in", "judging the ", "was trained on another model than")
SENTENCE = re.compile(r"lazarus-bench: (.+)")
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def faults(attempt: Attempt, found: Outcome) -> Iterator[str]:
    """What is wrong with how a command ended."""
    command = " ".join(attempt.words[:2])
    allowed = {*USUAL, *MORE.get(attempt.words[0], ()), *MORE.get(command, ())}
    if found.seconds > LONGEST:
        yield f"took {found.seconds:.0f} s"
    elif found.code < 0:
        yield f"ended by signal {-found.code}"
    elif found.code not in allowed:
        yield f"exit code {found.code}"
    if "Traceback" in found.err or ("Traceback" in found.out and found.code != 3):
        yield "a trace"
    if found.peak > MEGABYTES:
        yield f"{found.peak:.0f} MB"
    if found.left:
        yield "a process is left"
    if CONTROLS.search(found.err.replace("\r", "")):
        yield "control characters"
    if found.code == 2:
        yield from _unclear(attempt, found)
    written = any(word.startswith(("--output", "-o")) for word in attempt.words)
    if found.code == 0 and not (found.out or found.err or written):
        yield "nothing said"
    if found.code == 0 and attempt.breaks:
        yield "what cannot be read was read"


def _unclear(attempt: Attempt, found: Outcome) -> Iterator[str]:
    lines = [line for line in found.err.splitlines() if not any(n in line for n in NOTICES)]
    if len(lines) != 1 or not SENTENCE.fullmatch(lines[0]):
        yield f"no sentence of one line ({len(lines)} lines)"
    elif not any(_names(lines[0], word) for word in {*attempt.words[1:], *attempt.hostile}):
        yield "a sentence without its input"


def _names(sentence: str, word: str) -> bool:
    """Whether a sentence has a word of the line, or its end where it is a place."""
    from lazarus_bench.errors import shown

    value = word.partition("=")[2] or word
    place = Path(os.path.expanduser(value))  # noqa: PTH111 - which leaves unknown users alone
    forms = (word.partition("=")[0], value, repr(value), repr(value)[1:-1], value.strip())
    forms += (word.partition("=")[0].strip("-").replace("-", " "),)
    told = [shown(form)[:20].replace("\n", "\\u000a") for form in (*forms, str(place), place.name)]
    return any(form and form in sentence for form in told)


def attack(attempts: Iterator[Attempt], at_once: int) -> tuple[Counter[str], int]:
    """Run them all, print what is wrong, and count the kinds of ends and the faults."""
    ends: Counter[str] = Counter()
    late: list[Attempt] = []
    wrong, begun, peak = 0, time.monotonic(), 0.0

    def again() -> Iterator[tuple[Attempt, Outcome]]:
        """What took too long runs once more by itself: a busy machine is no fault of ours."""
        for attempt, found in outcomes(attempts, at_once):
            if found.seconds > LONGEST:
                late.append(attempt)
            else:
                yield attempt, found
        yield from outcomes(late, 1)

    for attempt, found in again():
        ends[f"exit {found.code}"] += 1
        ends[f"  {attempt.about}"] += 1
        peak = max(peak, found.peak)
        if sum(ends.values()) % 500 == 0:
            so_far = f"{wrong} wrong, at most {peak:.0f} MB, {time.monotonic() - begun:.0f} s"
            print(f"... {sum(ends.values()) // 2}: {so_far}", flush=True)
        told = list(faults(attempt, found))
        if told:
            wrong += 1
            words = " ".join(shlex.quote(word[:200]) for word in attempt.words)
            print(f"--- {attempt.about}: {'; '.join(told)}\n{words!r}", flush=True)
            said = f"{found.err[:200]} … {found.err[-800:]}"
            print(f"{found.seconds:.1f} s, exit {found.code}: {said}", flush=True)
    print(f"{time.monotonic() - begun:.0f} s, at most {peak:.0f} MB", flush=True)
    return ends, wrong


def _alone() -> Path:
    """A home that cannot be written, and no settings of whoever runs this."""
    home = Path(tempfile.mkdtemp(prefix="attack-home-"))
    home.chmod(0o500)
    for name in [name for name in os.environ if name.startswith(("LAZARUS_BENCH", "XDG"))]:
        del os.environ[name]
    os.environ |= {"HOME": str(home), "COLUMNS": "80", "OMP_NUM_THREADS": "1"}
    os.environ["TRANSFORMERS_VERBOSITY"] = "error"  # which a command sets before it imports them
    return home


def _drawn(place: Path, asked: argparse.Namespace) -> Iterator[Attempt]:
    from attack_files import files
    from attack_lines import SLOW, lines

    def kept(attempts: Iterator[Attempt], count: int) -> Iterator[Attempt]:
        chosen = (a for a in attempts if a.about.startswith(asked.only))
        light = (a for a in chosen if not (asked.light and a.words[0] in SLOW))
        return islice(light, count)

    more = 20 if asked.light or asked.only else 1
    return chain(
        kept(lines(place, more * asked.lines, asked.seed), asked.lines),
        kept(files(place, more * asked.files, asked.seed), asked.files),
    )


def main() -> int:
    """Build the inputs, attack, and tell what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=0)
    parser.add_argument("--files", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--at-once", type=int, default=3)
    parser.add_argument("--only", default="", help="only what begins so")
    parser.add_argument("--light", action="store_true", help="no command of more than 0.2 s")
    asked = parser.parse_args()
    home = _alone()
    from lazarus_bench import reading

    reading.PATIENCE = 1.0
    warm(light=asked.light)
    # No TemporaryDirectory: a fork that ends would remove it.
    place = Path(tempfile.mkdtemp(prefix="attack-inputs-"))
    try:
        apart(lambda: attack_inputs.build(place))
        ends, wrong = attack(_drawn(place, asked), asked.at_once)
    finally:
        shutil.rmtree(place)
        shutil.rmtree(home)
    print("\n".join(f"{count:6} {end}" for end, count in sorted(ends.items())))
    print(f"{sum(n for end, n in ends.items() if end.startswith('exit'))} tried, {wrong} wrong")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
