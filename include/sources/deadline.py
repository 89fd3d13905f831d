"""No exchange with a department outlasts its deadline, however slowly its bytes come.

A read timeout starts anew with every byte: a status line, a header, a chunk's length or a body that trickles could
hold a task for hours. So the sockets themselves are shut when the time is up, and whoever waits on them wakes.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from weakref import WeakSet

import requests
import urllib3
from requests.adapters import HTTPAdapter


class Session(requests.Session):
    """A session for one thread whose exchanges can be given a deadline."""

    def __init__(self) -> None:
        super().__init__()
        self.late = False
        self._open: WeakSet[socket.socket] = WeakSet()
        for prefix in ("http://", "https://"):
            self.mount(prefix, _Adapter(self._opened))

    @contextmanager
    def deadline(self, seconds: float) -> Iterator[None]:
        """Shut every socket of this session after `seconds`; `late` says afterwards whether it came to that.

        What was read then may look like a clean end, so the caller asks `late` whatever happened.
        """
        self.late = False
        timer = threading.Timer(seconds, self._time_is_up)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _opened(self, opened: socket.socket) -> None:
        self._open.add(opened)
        if self.late:
            _shut(opened)

    def _time_is_up(self) -> None:
        self.late = True
        for opened in list(self._open):
            _shut(opened)


class _Adapter(HTTPAdapter):
    """The usual adapter, which tells of each socket that it opens. The handshake of TLS has its own time limit."""

    def __init__(self, opened: Any) -> None:
        self._opened = opened
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        pools = {"http": urllib3.HTTPConnectionPool, "https": urllib3.HTTPSConnectionPool}
        self.poolmanager.pool_classes_by_scheme = {name: _telling(pool, self._opened) for name, pool in pools.items()}


def _telling(pool: Any, opened: Any) -> Any:
    class Connection(pool.ConnectionCls):
        def connect(self) -> None:
            super().connect()
            opened(self.sock)

    return type("Pool", (pool,), {"ConnectionCls": Connection})


def _shut(opened: socket.socket) -> None:
    with suppress(OSError):  # it may have been closed meanwhile
        opened.shutdown(socket.SHUT_RDWR)
