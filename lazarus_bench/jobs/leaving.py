"""How a worker process of our own cluster ends: at once, after dask has closed it.

Python's own ending unwinds threads that wait for the interpreter. mlx's computing thread is one, in
frames that may not be unwound, and C++ then aborts the process ("terminate called without an active
exception").
"""

import atexit
import os
import sys

from distributed import Worker, WorkerPlugin


def _leave() -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(0)


class Leaving(WorkerPlugin):
    """Ends its process before Python takes itself apart.

    dask has closed the worker by then, and its nanny removes what the process leaves on disk.
    """

    name = "leaving"

    def setup(self, worker: Worker) -> None:  # noqa: ARG002 - the plugin's interface
        """Be the last to be told that the interpreter ends, but for what was there before."""
        atexit.register(_leave)
