"""What a driver is given and what it gives back: a request, pages of text, and an account of the fields they carry."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from include.contracts import Contract
from include.contracts.fields import field_difference
from include.kernel.errors import TerminalError

KEPT = "nothing of this pull; the last accepted snapshot stays in use"


@dataclass(frozen=True)
class Request:
    """Everything of `dataset` in `scope` (an area code or `city`) that arrived before a moment.

    `since` is the floor of the business period asked for: the first day of a year, or None for the whole history.
    """

    dataset: str
    scope: str
    as_of: date
    arrived_before: datetime
    since: date | None

    def __str__(self) -> str:
        return f"{self.dataset}/{self.scope}/{self.as_of.isoformat()}"


@dataclass(frozen=True)
class Page:
    """One reply: its bytes as they came, and its rows as text, each value exactly as the source wrote it."""

    number: int
    label: str
    raw: bytes
    rows: list[dict[str, str | None]]


@dataclass(frozen=True)
class Patience:
    """How long a driver waits (seconds) and how often it asks for one page. No sleep is longer than `longest_wait`."""

    connect: float = 5
    read: float = 30
    page: float = 120
    longest_wait: float = 120
    backoff: float = 1
    tries: int = 5


class Fields:
    """Accounts for every field name that a source sends: registered, known and ignored, or unregistered.

    A registered field that is missing breaks the contract: a renamed column must not become a column of nulls.
    An unregistered one is never landed; it is remembered, for someone to decide about, unless the contract's drift
    policy freezes the columns. `order` is the header of a delivery that has one.
    """

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self.order: tuple[str, ...] = ()
        self.registered = {column.native: column for column in contract.columns.values()}
        self.unregistered: set[str] = set()
        self._required = {column.native for column in contract.columns.values() if column.required}
        self.known = {*self.registered, *contract.ignore}
        self._unseen = set(self.registered)
        self._accounted: set[tuple[str, ...]] = set()

    def account(self, names: Iterable[str], where: str, *, whole: bool = False) -> None:
        """Take note of the names that one record carries. Of a `whole` header no registered name may be missing;
        a single record may leave out an optional one, as long as another record has it.
        """
        names = tuple(names)
        if names in self._accounted:
            return
        held = set(names)
        added = held - self.known
        self.unregistered |= added
        missing = (set(self.registered) if whole else self._required) - held
        if missing or (added and self._contract.drift.columns == "freeze"):
            raise self._broken(missing, names, where)
        if whole and not self.order:
            self.order = names
        self._unseen -= held
        self._accounted.add(names)

    def finish(self, where: str) -> None:
        """After the last record: a registered field that no record carried is missing."""
        if self._accounted and self._unseen:
            raise self._broken(self._unseen, sorted(self.unregistered), where)

    def _broken(self, missing: set[str], came: Iterable[str], where: str) -> TerminalError:
        came = [*came, *sorted(self.unregistered - set(came))]
        return TerminalError(
            f"the contract is broken, {field_difference(self._contract, came, missing=sorted(missing))}",
            where=where,
            kept=KEPT,
            todo="ask the department what changed, then correct the dataset's contract",
        )
