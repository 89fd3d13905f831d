"""No exchange with a department outlasts its deadline, however slowly its bytes come, and none goes where it may not.

A read timeout starts anew with every byte: a status line, a header, a chunk's length or a body that trickles could
hold a task for hours. So the sockets themselves are shut when the time is up, and whoever waits on them wakes.

An address that means the machine's own cloud (its metadata, with credentials) or no single machine is never spoken to,
whatever name led there: it is looked at after the name is resolved, and again once the socket is open.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from weakref import WeakSet

import requests
import urllib3
from requests.adapters import HTTPAdapter

from include.kernel.errors import TerminalError

# Metadata services that stand outside the link-local networks: Alibaba Cloud's, and EC2's in IPv6.
_METADATA = {ipaddress.ip_address("100.100.100.200"), ipaddress.ip_address("fd00:ec2::254")}

# IPv4-compatible and -mapped (RFC 4291 2.5.5), translated (RFC 2765), NAT64 (RFC 6052; RFC 8215 in one's own network).
_ENDING_IN_IPV4 = [
    ipaddress.ip_network(one) for one in ("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48")
]


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
        def _new_conn(self) -> socket.socket:
            for *_, address in socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM):
                _require_allowed(str(address[0]))
            made = super()._new_conn()
            _require_allowed(made.getpeername()[0])
            return made

        def connect(self) -> None:
            super().connect()
            opened(self.sock)

    return type("Pool", (pool,), {"ConnectionCls": Connection})


def _require_allowed(address: str) -> None:
    found = ipaddress.ip_address(address.partition("%")[0])
    if any(
        one.is_link_local or one.is_multicast or one.is_unspecified or one in _METADATA
        for one in (found, *_carried(found))
    ):
        raise TerminalError(
            "its host leads to a link-local or metadata address, which no department has",
            kept="nothing was sent to it; the last accepted snapshot stays in use",
            todo="correct the host in the source's Connection, and ask who changed it",
        )


def _carried(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> Iterator[ipaddress.IPv4Address]:
    """The IPv4 address inside an IPv6 one, if it is of a kind that carries one: a gateway would lead there."""
    if not isinstance(address, ipaddress.IPv6Address):
        return
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if any(address in network for network in _ENDING_IN_IPV4):
        yield ipaddress.IPv4Address(address.packed[-4:])


def _shut(opened: socket.socket) -> None:
    with suppress(OSError):  # it may have been closed meanwhile
        opened.shutdown(socket.SHUT_RDWR)
