"""Ctrl-C during a training: the step under way ends, its state is saved, and then it stops.

An interrupt inside a step would leave weights of one step beside the count of another.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def noted() -> Iterator[Callable[[], bool]]:
    """Within the block, a first Ctrl-C is noted and asked for; a second one interrupts at once.

    Nothing changes outside the main thread, which alone gets signals, and where somebody else
    handles the signal already.
    """
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield lambda: False
        return
    asked = threading.Event()

    def note(number: int, frame: Any) -> None:
        if asked.is_set():
            signal.default_int_handler(number, frame)
        asked.set()

    signal.signal(signal.SIGINT, note)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
