"""No exchange with a department outlasts its deadline, however slowly its bytes come, and none goes where it may not.

A read timeout starts anew with every byte: a status line, a header, a chunk's length or a body that trickles could
hold a task for hours. So the sockets themselves are shut when the time is up, and whoever waits on them wakes.

An address that means the machine's own cloud (its metadata, with credentials) or no single machine is never spoken to,
whatever name led there: it is looked at after the name is resolved, and again once the socket is open. This machine
itself is spoken to only where the Connection names it, as a relay or the stand-in departments need it.
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

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Metadata services outside the link-local networks: Alibaba Cloud's, Azure's and Oracle's; EC2's, Google's and
# Scaleway's in IPv6.
_METADATA = {
    ipaddress.ip_address(one)
    for one in (
        "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254", "fd00:42::42",
    )
}  # fmt: skip

# IPv4-compatible (RFC 4291 2.5.5.1), translated (RFC 2765), NAT64 (RFC 6052).
_ENDING_IN_IPV4 = [ipaddress.ip_network(one) for one in ("::/96", "::ffff:0:0:0/96", "64:ff9b::/96")]
# NAT64 in one's own network (RFC 8215): the IPv4 address follows a prefix of any length (RFC 6052 2.2).
_NAT64_OF_ONES_OWN = ipaddress.ip_network("64:ff9b:1::/48")
_AFTER_PREFIX = {48: (6, 7, 9, 10), 56: (7, 9, 10, 11), 64: (9, 10, 11, 12), 96: (12, 13, 14, 15)}
# ISATAP (RFC 5214 6.1): an interface identifier that says so, under whatever prefix.
_ISATAP = (bytes.fromhex("00005efe"), bytes.fromhex("02005efe"))


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
                require_allowed(str(address[0]), self.host)
            made = super()._new_conn()
            require_allowed(made.getpeername()[0], self.host)
            return made

        def connect(self) -> None:
            super().connect()
            opened(self.sock)

    return type("Pool", (pool,), {"ConnectionCls": Connection})


def require_allowed(address: str, host: str) -> None:
    """Refuse an address that no department has. `host`: what the Connection calls it."""
    found = _plain(address)
    if found.is_multicast or found.is_unspecified or any(map(_is_of_the_machine, (found, *_carried(found)))):
        raise TerminalError(
            "its host leads to a link-local or metadata address, which no department has",
            kept="nothing was sent to it; the last accepted snapshot stays in use",
            todo="correct the host in the source's Connection, and ask who changed it",
        )
    if found.is_loopback and not _names_loopback(host):
        raise TerminalError(
            "its host leads to this machine without naming it",
            kept="nothing was sent to it; the last accepted snapshot stays in use",
            todo="find out who answers for the name; for a relay on this machine the Connection says 127.0.0.1",
        )


def _plain(address: str) -> _Address:
    """An address without its interface; an IPv4-mapped one is the IPv4 one, to whatever machine it is given."""
    found = ipaddress.ip_address(address.partition("%")[0])
    return getattr(found, "ipv4_mapped", None) or found


def _is_of_the_machine(address: _Address) -> bool:
    return address.is_link_local or address in _METADATA


def _names_loopback(host: str) -> bool:
    try:
        return host == "localhost" or _plain(host).is_loopback
    except ValueError:
        return False


def _carried(address: _Address) -> Iterator[ipaddress.IPv4Address]:
    """The IPv4 addresses that may be inside an IPv6 one, if it is of a kind that carries one: a gateway would lead
    there.
    """
    if not isinstance(address, ipaddress.IPv6Address):
        return
    packed = address.packed
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if any(address in network for network in _ENDING_IN_IPV4) or packed[8:12] in _ISATAP:
        yield ipaddress.IPv4Address(packed[-4:])
    if address in _NAT64_OF_ONES_OWN:
        yield from (ipaddress.IPv4Address(bytes(packed[at] for at in places)) for places in _AFTER_PREFIX.values())


def _shut(opened: socket.socket) -> None:
    with suppress(OSError):  # it may have been closed meanwhile
        opened.shutdown(socket.SHUT_RDWR)
