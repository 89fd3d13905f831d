"""A process at a shell as the holder of locks: its name, and whether the one of that name is known to have ended."""

from __future__ import annotations

import hashlib
import os
import socket
from contextlib import suppress
from pathlib import Path


def this_shell() -> str:
    """`shell/<machine>/<process>`: two processes are two holders, also where they do the same."""
    return f"{_here()}{os.getpid()}"


def has_ended(holder: str) -> bool:
    """Is it a process of this machine that lives no longer?

    Of another machine nothing is known, and a number that has been given to a new process lives: a lock of theirs ends
    with its time.
    """
    number = holder.removeprefix(_here())
    if number == holder or not number.isdecimal():
        return False
    try:
        os.kill(int(number), 0)  # asks, and sends nothing
    except ProcessLookupError:
        return True
    except OSError:  # somebody else's
        return False
    return False


def _here() -> str:
    """Machine, boot and container in one name: only within one of them does a process number mean the same process,
    and machines may bear one host name.
    """
    told = ""
    with suppress(OSError):
        told = Path("/proc/sys/kernel/random/boot_id").read_text("ascii") + os.readlink("/proc/self/ns/pid")
    return f"shell/{socket.gethostname()}-{hashlib.sha256(told.encode()).hexdigest()[:8]}/"
