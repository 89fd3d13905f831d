"""The pages on a port of their own, for a browser, and for programs that ask over the wire."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

SECONDS = 60


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """An app behind a real server on a free port of this machine; gives its address."""
    running = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=running.run)
    thread.start()
    try:
        deadline = time.monotonic() + SECONDS
        while not running.started:
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.05)
        yield f"http://127.0.0.1:{running.servers[0].sockets[0].getsockname()[1]}"
    finally:
        running.should_exit = True
        thread.join(timeout=SECONDS)
