"""What every route shares: who asks, what was asked for, the generation that answers, and a page of its rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Annotated, Any, Literal, NamedTuple

from fastapi import Depends, Query, Request
from sqlalchemy import Engine, Row

from include.kernel.areas import areas
from include.kernel.identity import is_code_shape, normal_code
from include.portal.city import LONGEST_QUERY, City, Enterprise
from include.portal.published import LISTS, Portrait, Reader, Reading, read
from include.store.lake import Lake

PAGE_ROWS, MOST_ROWS, MOST_EXPORTED = 50, 200, 5000


def _admitted(request: Request) -> Reader:
    return request.state.reader


Who = Annotated[Reader, Depends(_admitted)]
Language = Annotated[Literal["zh", "en"], Query()]
Page = Annotated[int, Query(ge=1, le=1_000_000)]
Size = Annotated[int, Query(ge=1, le=MOST_ROWS)]
Exported = Annotated[int, Query(ge=1, le=MOST_EXPORTED)]
Text = Annotated[str, Query(max_length=LONGEST_QUERY)]
ListName = Annotated[str, Query(alias="list", max_length=LONGEST_QUERY)]
Since = Annotated[int | None, Query(alias="generation", ge=1, le=2**31)]


class Sorry(Exception):
    """A request that has no answer: the word of `words.yaml` that says so, and what stands behind it."""

    def __init__(self, status: int, word: str, detail: str = "") -> None:
        super().__init__(word)
        self.status, self.word, self.detail = status, word, detail


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


class Desk:
    """The warehouse, the lake, and everybody of the current generation in memory."""

    def __init__(self, engine: Engine, lake: Lake) -> None:
        self.engine, self.lake, self._lock = engine, lake, Lock()
        self._city: tuple[Any, City] | None = None

    @contextmanager
    def reading(self, generation: int | None = None) -> Iterator[Reading]:
        """A reading of the current generation; `generation` is the one that a link was made for."""
        with read(self.engine) as found:
            if found is None:
                raise Sorry(404, "nothing_published")
            if generation not in (None, found.generation.id):
                raise Sorry(409, "stale")
            yield found

    def city(self, reading: Reading) -> City:
        with self._lock:
            if self._city is None or self._city[0] != reading.generation:
                self._city = (reading.generation, City.of(reading))
            return self._city[1]


def portrait_of(reading: Reading, reader: Reader, uscc: str) -> Portrait:
    """The enterprise of a code as somebody typed it; one of another district is answered like one that is not there."""
    code = normal_code(uscc[:LONGEST_QUERY])
    found = reading.portrait(code) if is_code_shape(code) else None
    if found is None or not reader.may_see(found.profile.district):
        raise Sorry(404, "unknown_enterprise")
    return found


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
