"""Places at which a test may kill the process, to prove that nobody notices afterwards (SQLite's method).

`crash_point("…")` stands beside each write that outlasts the process. It does nothing, unless a test has set
INNOPOINTS_CRASH_AT to a number n: then the n-th point that is reached ends the process as `kill -9` does, with nothing
flushed, rolled back or released. A test takes n = 1, 2, … until none is reached any more. Or it lets the process fall
asleep there (`FATE`), as a zombie that wakes when its successor is done.
"""

from __future__ import annotations

import itertools
import os
import signal

VARIABLE = "INNOPOINTS_CRASH_AT"
FATE = signal.SIGKILL

_reached = itertools.count(1)


def crash_point(name: str) -> None:
    """End here if it is this point's turn. `name` says what has been done, for whoever reads the code."""
    armed = os.environ.get(VARIABLE)
    if armed and next(_reached) == int(armed):
        os.kill(os.getpid(), FATE)
