"""The page of a year's honours: where they stand, who is on the roll, who came and went, what froze, and the errata
beside it; the same as a list for a spreadsheet.
"""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response
from pydantic.json_schema import SkipJsonSchema

from include.portal.asked import AskedFor, columns_of
from include.portal.city import LONGEST_QUERY
from include.portal.desk import Desk, GenerationId, Sorry
from include.portal.published import Reader, Reading
from include.portal.show import Show, beijing
from include.publish.honours import Moved, difference, require_unchanged, year_before
from include.steps.honours import hindrance, takes_objections
from include.store import honours as store
from include.store.honours import Roll, Year

YearNumber = Annotated[int, Path(ge=2021, le=2100, description="Year of the honours.", examples=[2026])]
SchemeId = Annotated[str, Query(alias="scheme", max_length=LONGEST_QUERY, description="Scheme id.")]
RollNumber = Annotated[
    GenerationId | SkipJsonSchema[None],
    Query(alias="roll", description="One roll of the year; without it, the one that stands."),
]
DEFAULT_SCHEME = "changzhou_v1"


def honours_of(reading: Reading, reader: Reader, year: int, scheme: str, roll: int | None) -> Year:
    """The honours of a year in the reader's districts, proved by their digest: as they stand, or a certain roll's."""
    found = store.year_of(reading.connection, year, scheme, roll)
    if found is None and roll is not None and store.rolls(reading.connection, year, scheme):
        raise Sorry(404, "unknown_roll", str(roll))
    if found is None:
        raise Sorry(404, "unknown_year")
    require_unchanged(found.roll, found.entries)
    entries, held_back = (
        [one for one in part if reader.may_see(one.district)] for part in (found.entries, found.held_back)
    )
    errata = [one for one in found.errata if reader.may_see(one.district)]
    return Year(found.roll, entries, held_back, errata, found.beside)


class Awarded(NamedTuple):
    """One honour of a year as a list shows it. `erratum` is what happened to it after it froze, decided by `reference`,
    or `held_back` where an objection keeps it from freezing; who was granted one afterwards has no place.
    """

    honour: str
    place: int | None
    name: str
    uscc: str
    stage: str
    district: str
    reason: str | None
    robust: bool | None
    erratum: str
    reference: str


def awarded(held: Year) -> list[Awarded]:
    """Every honour of the roll in its order, and behind it those that were granted afterwards."""
    last = {(one.uscc, one.honour): one for one in held.errata}
    found = []
    for one in held.entries:
        said = last.pop((one.uscc, one.honour), None)
        known = {name: getattr(one, name) for name in Awarded._fields[:-2]}
        what, reference = (said.what, said.reference) if said else ("held_back" if one in held.held_back else "", "")
        found.append(Awarded(**known, erratum=what, reference=reference))
    for said in last.values():
        found.append(
            Awarded(said.honour, None, said.name, said.uscc, "", said.district, None, None, said.what, said.reference)
        )
    return found


def came_and_went(reading: Reading, reader: Reader, held: Year) -> dict[str, dict[str, Moved]]:
    """Word → who is new on the roll and who is gone, per honour: since the honours of the year before as they are in
    force, and beside the list that is published now. What is not there, and what is of another scheme, is not compared
    with.
    """
    roll = held.roll
    lists: dict[str, list[dict[str, Any]]] = {"since_last_year": year_before(reading.connection, roll) or []}
    if reading.generation.scheme_id == roll.scheme_id:
        published = (row for name in reading.list_names("honours") for row in reading.listed("honours", name))
        lists["beside_tonight"] = [dict(row._mapping) for row in published]
    seen = {
        word: [one for one in entries if reader.may_see(one["district"])] for word, entries in lists.items() if entries
    }
    return {word: difference(before, [vars(one) for one in held.entries]) for word, before in seen.items()}


def stands(show: Show, roll: Roll) -> str:
    """Where a roll stands today, with the day that belongs to it."""
    day = {store.NOTICE: str(roll.notice_until), store.FROZEN: beijing(roll.frozen_at)}.get(roll.status, "")
    is_over = roll.status == store.NOTICE and not takes_objections(roll)
    return f"{show.say('roll_' + ('over' if is_over else roll.status))} {day}".strip()


def outlook(reading: Reading, show: Show, held: Year) -> str:
    """What would come of an open roll when its notice is over, in one line."""
    if found := hindrance(reading.connection, held.roll):
        return show.say("freeze_" + found)
    if held.roll.status != store.NOTICE:
        return ""
    return show.say("freeze_due").format(len(held.entries) - len(held.held_back), len(held.held_back))


def honour_routes(desk: Desk) -> APIRouter:
    """One page for each year, and its list."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/honours/{year}")
    @routes.get("/honours/{year}.{ending}")
    def year(
        asked: AskedFor, year: YearNumber, scheme: SchemeId = DEFAULT_SCHEME, number: RollNumber = None
    ) -> Response:
        with desk.reading(asked.generation) as reading:
            held, show = honours_of(reading, asked.reader, year, scheme, number), asked.show(reading)
            roll, where, sheet = held.roll, stands(show, held.roll), asked.part(awarded(held))
            if asked.ending:
                named = f"{show.say('honours_of_year')} {roll.year} {roll.scheme_id}"
                about = " · ".join((named, where, show.stamp(roll.generation_id, roll.as_of)))
                return asked.file(reading, f"honours_{year}", sheet.rows, columns_of(Awarded), about)
            return show.page(
                "honours_of_year",
                sheet=sheet,
                held=held,
                stands=where,
                outlook=outlook(reading, show, held),
                compared=came_and_went(reading, asked.reader, held),
                beside=[(one, stands(show, one)) for one in held.beside],
                years=[one for one, *_ in store.years(reading.connection)],
            )

    return routes
