"""Exceptions with a special meaning: a user's mistake, and a claim that does not apply.

Also the message shown when the user interrupts a command, which must be available before anything
else is imported.
"""

import re
import sys

_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""What steers a terminal: C0 but tab and line feed, DEL, C1, and what turns the order of text."""


_LINE_ENDS = {ord(end): f"\\u{ord(end):04x}" for end in "\n\u2028\u2029"}


class UserError(Exception):
    """One sentence that names the input at fault and the remedy; printed without a trace.

    Raise it for anything the user can mend (a missing directory, an unknown name, a number out of
    range). Everything else keeps its own type, so that our bugs stay loud.
    """


class RefusedWriteError(UserError):
    """The file system refuses what a training writes; what it kept so far stays for the next."""


class NotApplicable(Exception):
    """A claim that does not apply to a subject; the message says why.

    Raised by instruments (a word that is no single token, a family without routers); the claim's
    verdict is then "not applicable", never a failure.
    """


def shown(text: str) -> str:
    """`text` with its control characters as JSON escapes, so that no file steers a terminal."""
    return _CONTROLS.sub(lambda control: f"\\u{ord(control[0]):04x}", text)


def say(sentence: str) -> None:
    """Say a sentence on standard error, in one line whatever the names in it."""
    line = shown(sentence).translate(_LINE_ENDS)
    print(f"lazarus-bench: {line}", file=sys.stderr, flush=True)


def say_interrupted() -> None:
    """Say on standard error that the user pressed Ctrl-C, over the "^C" that a terminal shows."""
    over = "\r" if sys.stderr.isatty() else ""
    print(f"{over}lazarus-bench: interrupted", file=sys.stderr)
