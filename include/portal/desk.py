"""What every route shares: who asks, what was asked for, the generation that answers, and a page of its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import BoundedSemaphore, Lock
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

from fastapi import Depends, Query, Request
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema
from sqlalchemy import Engine, Row

from include.evidence.account import Account
from include.kernel.areas import CITY, areas
from include.kernel.errors import BadInput
from include.kernel.identity import is_code_shape, normal_code
from include.portal.city import LONGEST_QUERY, City, Enterprise, former_names
from include.portal.difference import Difference, rules_alone, whole_difference
from include.portal.published import LISTS, Portrait, Reader, Reading, read
from include.schemes.compile import Compiled
from include.schemes.model import schemes
from include.steps.again import Nights
from include.steps.explain import explain
from include.steps.results import published_result
from include.steps.review import QueueRow, queue, queue_rows
from include.store.decisions import decisions
from include.store.lake import Lake
from include.store.ledger import Ledger, Result

NOBODY = "nobody"
"""What a form sends for: whoever is meant is not registered here."""
PAGE_ROWS, MOST_ROWS, MOST_EXPORTED = 50, 200, 5000
MOST_KEPT = 512 << 20
"""Bytes of memory for nights that were derived again; the largest district of 2,791 enterprises takes 64 MB."""
MOST_WAITING = 8
"""So many wait for an account at once: the other threads of the server, 40 in all, are for those who only read."""


def _admitted(request: Request) -> Reader:
    return request.state.reader


Who = Annotated[Reader, Depends(_admitted)]
Language = Annotated[Literal["zh", "en"], Query()]
Page = Annotated[int, Query(ge=1, le=1_000_000)]
GenerationId = Annotated[int, Field(ge=1, le=2**31)]
Since = Annotated[GenerationId | SkipJsonSchema[None], Query(alias="generation")]
Text = Annotated[str, Query(max_length=LONGEST_QUERY)]
ListName = Annotated[str, Query(alias="list", max_length=LONGEST_QUERY)]


Made = TypeVar("Made")


class Sorry(Exception):
    """A request that has no answer: the word of `words.yaml` that says so, and what stands behind it."""

    def __init__(self, status: int, word: str, detail: str = "") -> None:
        super().__init__(word)
        self.status, self.word, self.detail = status, word, detail


@contextmanager
def in_plain_words(word: str = "cannot_tell") -> Iterator[None]:
    """What a step refuses because of what it was asked is told as its command tells it: the one line that says what,
    where, what was kept. What is the matter with the machine is for the log.
    """
    try:
        yield
    except BadInput as error:
        raise Sorry(422, word, str(error)) from None


class Sheet(NamedTuple):
    """One page of rows."""

    rows: Sequence[Any]
    page: int
    last: int
    found: int

    @classmethod
    def of(cls, rows: Sequence[Any], page: int, size: int) -> Sheet:
        last = max(-(-len(rows) // size), 1)
        if page > last:
            raise Sorry(404, "beyond_last", str(last))
        return cls(rows[(page - 1) * size : page * size], page, last, len(rows))


class Span:
    """Which rows a program asks for: a page of so many, of the generation that it began with."""

    def __init__(
        self,
        page: Page = 1,
        size: Annotated[int, Query(ge=1, le=MOST_ROWS)] = PAGE_ROWS,
        generation: Since = None,
    ) -> None:
        self.page, self.size, self.generation = page, size, generation

    def of(self, rows: Sequence[Any]) -> Sheet:
        return Sheet.of(rows, self.page, self.size)


AskedSpan = Annotated[Span, Depends()]


class Desk:
    """The warehouse, the lake, and what is worked out once of the current generation: everybody in memory, the rules
    that it was scored by, the queue of names, what another scheme would change.

    A request holds one connection, and none while it waits for what takes long: so as many as come are served by as
    many connections as there are.
    """

    def __init__(self, engine: Engine, lake: Lake) -> None:
        self.engine, self.lake = engine, lake
        self._locks: dict[str, Lock] = {name: Lock() for name in ("city", "queue", "difference")}
        self._made: dict[str, tuple[Any, Any]] = {}
        self._nights, self._deriving, self._waiting = Nights(MOST_KEPT), Lock(), BoundedSemaphore(MOST_WAITING)

    @contextmanager
    def reading(self, generation: int | None = None) -> Iterator[Reading]:
        """A reading of the current generation; `generation` is the one that a link was made for."""
        with read(self.engine) as found:
            if found is None:
                raise Sorry(404, "nothing_published")
            if generation not in (None, found.generation.id):
                raise Sorry(409, "stale")
            yield found

    @contextmanager
    def city(self, generation: int | None = None) -> Iterator[tuple[Reading, City]]:
        """A reading with everybody of its generation. Who comes while they are read anew waits without a connection."""
        while True:
            with self.reading(generation) as reading:
                of, city = self._made.get("city", (None, None))
                if of == reading.generation:
                    yield reading, city
                    return
            self._read_city()

    def _read_city(self) -> None:
        with self._locks["city"], self.reading() as reading:
            current = reading.generation
            if self._made.get("city", (None, None))[0] != current:
                former = former_names(self.lake, Ledger(reading.connection), current.as_of)
                self._made["city"] = (current, City.of(reading, former))

    def rules(self, reading: Reading) -> Compiled | None:
        """The rules of the generation, where this server has the version that scored it."""
        current = reading.generation
        scheme = schemes().get(current.scheme_id)
        if scheme is None or scheme.version != current.scheme_version:
            return None
        return self._nights.rules(current.scheme_id, current.as_of)

    @contextmanager
    def deriving(self) -> Iterator[Nights]:
        """One account at a time is derived again from the snapshots: the first of a district takes seconds, and what it
        has in common with the next is kept for that. Some wait for it; more are asked to come again.
        """
        if not self._waiting.acquire(blocking=False):
            raise Sorry(503, "busy")
        try:
            with self._deriving:
                yield self._nights
        finally:
            self._waiting.release()

    def published(self, reading: Reading, district: str) -> Result:
        """The very result of a district that the generation published, whatever was scored since."""
        found = published_result(self.lake, Ledger(reading.connection), reading.generation, district)
        if found is None:
            raise Sorry(404, "not_kept")
        return found

    def waiting(self, generation: int | None, reader: Reader) -> tuple[Reading, list[QueueRow]]:
        """The names that wait for a decision. Candidates are of every district: who may not see the city sees none."""
        with self.reading(generation) as reading:
            current, taken = reading.generation, len(decisions(reading.connection))
        if not reader.may_see(CITY):
            raise Sorry(403, "whole_city")

        def make() -> list[QueueRow]:
            with in_plain_words():
                _, waiting, names = queue(current.as_of)
            return queue_rows(waiting, names)

        return reading, self._once("queue", (current, taken), make)

    def difference(self, generation: int | None, reader: Reader, to: str) -> tuple[Reading, Difference]:
        """Another installed scheme beside that of the generation, on what its points stand on. Who moves is for those
        who may see the whole city: it takes seconds, for one after the other, and the last is kept.
        """
        with self.reading(generation) as reading:
            current = reading.generation
        if to not in schemes():
            raise Sorry(404, "no_such_scheme", to)

        def make() -> Difference:
            with self.city(current.id) as (reading, city):
                everybody, ledger = city.enterprises, Ledger(reading.connection)
                districts = sorted({one.district for one in everybody})
                results = {one: published_result(self.lake, ledger, current, one) for one in districts}
            if gone := [district for district, one in results.items() if one is None]:
                return rules_alone(current.scheme_id, to, not_kept=gone)
            kept, names = [one for one in results.values() if one], {one.uscc: one.name for one in everybody}
            return whole_difference(current.scheme_id, to, self.lake, kept, names)

        with in_plain_words():
            if not reader.may_see(CITY):
                return reading, rules_alone(current.scheme_id, to)
            return reading, self._once("difference", (current, to), make)

    def _once(self, what: str, of: Any, make: Callable[[], Made]) -> Made:
        with self._locks[what]:
            if what not in self._made or self._made[what][0] != of:
                self._made[what] = (of, make())
            return self._made[what][1]


def portrait_of(reading: Reading, reader: Reader, uscc: str) -> Portrait:
    """The enterprise of a code as somebody typed it; one of another district is answered like one that is not there."""
    code = normal_code(uscc[:LONGEST_QUERY])
    found = reading.portrait(code) if is_code_shape(code) else None
    if found is None or not reader.may_see(found.profile.district):
        raise Sorry(404, "unknown_enterprise")
    return found


def account_of(
    desk: Desk, generation: int | None, reader: Reader, uscc: str, indicator: str
) -> tuple[Reading, Account]:
    """One indicator of an enterprise down to its records, derived again and proved equal to what is published."""
    with desk.reading(generation) as reading:
        published = portrait_of(reading, reader, uscc)
        if indicator not in (line.indicator for line in published.lines):
            raise Sorry(404, "unknown_indicator")
        scored = desk.published(reading, published.profile.district)
    code, scheme = published.profile.uscc, reading.generation.scheme_id
    with in_plain_words(), desk.deriving() as nights:
        return reading, explain(code, scheme, indicator=indicator, as_of=scored, nights=nights)


def ranked(city: City, reader: Reader, stage: str, district: str) -> list[Enterprise]:
    """Those of a stage and a district, empty meaning all."""
    if stage and stage not in city.stages:
        raise Sorry(422, "bad_request", "stage")
    if district and district not in areas():
        raise Sorry(422, "bad_request", "district")
    if district and not reader.may_see(district):
        raise Sorry(403, "other_district")
    return city.ranked(reader, stage or None, district or None)


def list_names(reading: Reading) -> dict[str, str]:
    """Name of each published list → its table."""
    return {name: table for table in LISTS for name in reading.list_names(table)}


def listed(reading: Reading, reader: Reader, name: str) -> tuple[str, list[Row]]:
    """The table of a list, and its rows in the reader's districts."""
    names = list_names(reading)
    if name not in names:
        raise Sorry(404, "unknown_list")
    return names[name], [row for row in reading.listed(names[name], name) if reader.may_see(row.district)]
