"""The pages that people open, and with an ending behind its address (`.csv`, `.xlsx`) each for a spreadsheet."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Literal

from fastapi import APIRouter
from fastapi.responses import FileResponse, Response
from sqlalchemy import Row

from include.kernel.areas import CITY, areas
from include.kernel.errors import BadInput, InnopointsError
from include.portal.asked import Asked, AskedFor, columns_of
from include.portal.behind import behind
from include.portal.city import Enterprise
from include.portal.desk import (
    NOBODY,
    Desk,
    ListName,
    Sorry,
    Text,
    account_of,
    list_names,
    listed,
    portrait_of,
    ranked,
)
from include.portal.difference import Moved
from include.portal.outlook import next_steps, warnings
from include.portal.published import VIEWS, Portrait, Reader, Reading
from include.portal.quarantine import HeldBack, held_back, one_row, reasons, rows_of, source_of
from include.portal.show import STYLE
from include.publish.generations import generations
from include.steps.corrections import outcomes
from include.steps.explain import explain_change
from include.steps.results import published_result
from include.steps.review import QueueRow
from include.store.decisions import NameDecision, decisions, standing
from include.store.honours import years
from include.store.lake import Lake
from include.store.ledger import Ledger, SnapshotRow
from include.store.waivers import Waiver, waivers
from include.validation.waiver import not_waivable

PUBLICATIONS = 12
"""So many are listed on the first page; `innopoints generations` lists them all."""
LIST_COLUMNS = {
    "honours": ("place", "name", "uscc", "stage", "district", "reason", "robust"),
    "project_recommendation": ("place", "name", "uscc", "stage", "district", "reason"),
    "credit_list": ("name", "uscc", "stage", "district", "suggested_limit_yuan", "stage_percentile", "entry_reason"),
}


def page_routes(desk: Desk) -> APIRouter:
    """All pages to read."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/portal.css")
    def style() -> FileResponse:
        return FileResponse(STYLE, media_type="text/css")

    @routes.get("/icon.svg")
    def icon() -> FileResponse:
        return FileResponse(STYLE.with_name("icon.svg"), media_type="image/svg+xml")

    @routes.get("/")
    def tonight(asked: AskedFor, asked_for: Literal["release"] | None = None) -> Response:
        with desk.reading(asked.generation) as reading:
            return asked.page(
                reading,
                "tonight",
                sources=reading.sources(asked.reader),
                stages=reading.stages(asked.reader),
                blocked=[row for row in Ledger(reading.connection).blocked() if asked.reader.may_see(row.scope)],
                corrections=[
                    one for one in outcomes(desk.lake, reading.generation.as_of) if asked.reader.may_see(one.scope)
                ],
                asked_for=asked_for,
                publications=generations(reading.connection)[:PUBLICATIONS],
            )

    @routes.get("/tonight.{ending}")
    def tonight_sources(asked: AskedFor) -> Response:
        with desk.reading(asked.generation) as reading:
            return asked.file(reading, "sources", reading.sources(asked.reader), columns_of(VIEWS["source_quality"]))

    @routes.get("/enterprises")
    @routes.get("/enterprises.{ending}")
    def enterprises(asked: AskedFor, q: Text = "") -> Response:
        with desk.city(asked.generation) as (reading, city):
            return asked.sheet(reading, "enterprises", city.find(q, asked.reader), columns_of(Enterprise), q=q)

    @routes.get("/enterprises/{uscc}.{ending}")
    def ledger(asked: AskedFor, uscc: str) -> Response:
        with desk.reading(asked.generation) as reading:
            return asked.file(
                reading, "ledger", portrait_of(reading, asked.reader, uscc).lines, columns_of(VIEWS["points_ledger"])
            )

    @routes.get("/enterprises/{uscc}")
    def portrait(asked: AskedFor, uscc: str) -> Response:
        with desk.city(asked.generation) as (reading, city):
            found, current, rules = portrait_of(reading, asked.reader, uscc), reading.generation, desk.rules(reading)
            records = behind(desk.lake, reading, found)
            warned = warnings(found, reading.sources(asked.reader), records, rules, current.as_of)
            return asked.show(reading).portrait(
                found,
                city,
                steps=next_steps(rules, found) if rules else [],
                warnings=warned,
                held=rows_of_it(desk.lake, Ledger(reading.connection), asked.reader, warned.quarantined, found),
                since=before(desk.lake, reading, found.profile.district),
            )

    @routes.get("/enterprises/{uscc}/change")
    def change(asked: AskedFor, uscc: str, since: date | None = None) -> Response:
        with desk.reading(asked.generation) as reading:
            profile, current = portrait_of(reading, asked.reader, uscc).profile, reading.generation
            earlier = since or before(desk.lake, reading, profile.district)
            scored, show = desk.published(reading, profile.district), asked.show(reading)
        if earlier is None:
            return show.no_change(profile, None)
        try:
            with desk.deriving() as nights:
                found = explain_change(profile.uscc, current.scheme_id, since=earlier, as_of=scored, nights=nights)
        except BadInput:
            return show.no_change(profile, earlier)
        return show.change(profile, found, earlier)

    @routes.get("/enterprises/{uscc}/{indicator}")
    def account(asked: AskedFor, uscc: str, indicator: str) -> Response:
        reading, found = account_of(desk, asked.generation, asked.reader, uscc, indicator)
        return asked.page(reading, "account", found=found, line=found.indicators[0])

    @routes.get("/rankings")
    @routes.get("/rankings.{ending}")
    def rankings(asked: AskedFor, stage: Text = "", district: Text = "") -> Response:
        with desk.city(asked.generation) as (reading, city):
            return asked.sheet(
                reading,
                "rankings",
                ranked(city, asked.reader, stage, district),
                columns_of(Enterprise),
                stage=stage,
                district=district,
                all_stages=city.stages,
                districts=[code for code in areas() if asked.reader.may_see(code)],
            )

    @routes.get("/honours")
    @routes.get("/honours.{ending}")
    def honours(asked: AskedFor, name: ListName = "") -> Response:
        with desk.reading(asked.generation) as reading:
            names = list_names(reading)
            chosen = name or next(iter(names), "")
            table, rows = listed(reading, asked.reader, chosen) if chosen else ("honours", [])
            known = {"list": chosen, "all_lists": list(names), "years": [one for one, *_ in years(reading.connection)]}
            return asked.sheet(reading, "honours", rows, LIST_COLUMNS[table], **known)

    @routes.get("/scheme")
    def scheme(asked: AskedFor) -> Response:
        with desk.reading(asked.generation) as reading:
            return asked.show(reading).scheme_page()

    @routes.get("/scheme/difference")
    @routes.get("/scheme/difference.{ending}")
    def difference(asked: AskedFor, to: Text) -> Response:
        reading, found = desk.difference(asked.generation, asked.reader, to)
        if asked.ending and not asked.reader.may_see(CITY):
            raise Sorry(403, "whole_city")
        if asked.ending and found.not_kept:
            raise Sorry(404, "not_kept", ", ".join(found.not_kept))
        return asked.sheet(reading, "difference", found.moves, columns_of(Moved), found=found)

    @routes.get("/scheme/{indicator}")
    def indicator(asked: AskedFor, indicator: str) -> Response:
        with desk.reading(asked.generation) as reading:
            return asked.show(reading).indicator_page(indicator)

    @routes.get("/quarantine")
    @routes.get("/quarantine.{ending}")
    def quarantine(asked: AskedFor, dataset: Text = "", scope: Text = "") -> Response:
        with desk.reading(asked.generation) as reading:
            held = [row for row in reading.sources(asked.reader) if row.quarantined and asked.reader.may_see(row.scope)]
            chosen = [row for row in held if dataset in ("", row.dataset) and scope in ("", row.scope)]
            return asked.sheet(
                reading,
                "quarantine",
                chosen,
                ("dataset", "scope", "as_of", "quarantined", "rows_in"),
                dataset=dataset,
                scope=scope,
                datasets=sorted({row.dataset for row in held}),
                scopes=sorted({row.scope for row in held}),
            )

    @routes.get("/quarantine/{dataset}/{scope}")
    @routes.get("/quarantine/{dataset}/{scope}.{ending}")
    def held_back_rows(asked: AskedFor, dataset: str, scope: str, reason: Text = "", q: Text = "") -> Response:
        with desk.reading(asked.generation) as reading:
            source = source_of(reading, asked.reader, dataset, scope)
            return rows_held_back(asked, reading, desk, source, f"/quarantine/{dataset}/{scope}", reason, q)

    @routes.get("/quarantine/{dataset}/{scope}/{row}")
    def held_back_row(asked: AskedFor, dataset: str, scope: str, row: str) -> Response:
        with desk.reading(asked.generation) as reading:
            source = source_of(reading, asked.reader, dataset, scope)
            found = one_row(desk.lake, Ledger(reading.connection), source, row)
            never = not_waivable([one.reason for one in found])
            return asked.page(reading, "held_row", source=source, held=found, never=never)

    @routes.get("/waivers")
    @routes.get("/waivers.{ending}")
    def all_waivers(asked: AskedFor) -> Response:
        with desk.reading(asked.generation) as reading:
            given, reader = waivers(reading.connection), asked.reader
            seen = [one for one in given[::-1] if reader.may_see(CITY) or one.decided_by == reader.name]
            return asked.sheet(reading, "waivers", seen, columns_of(Waiver), standing=standing(given))

    @routes.get("/review")
    @routes.get("/review.{ending}")
    def review(asked: AskedFor) -> Response:
        reading, rows = desk.waiting(asked.generation, asked.reader)
        return asked.sheet(reading, "review", rows, columns_of(QueueRow))

    @routes.get("/review/one")
    def review_one(asked: AskedFor, dataset: Text, code: Text = "", name: Text = "") -> Response:
        reading, rows = desk.waiting(asked.generation, asked.reader)
        for one in rows:
            if (one.dataset, one.code, one.name) == (dataset, code, name):
                return asked.page(reading, "review_one", one=one, nobody=NOBODY)
        raise Sorry(404, "nothing_waits")

    @routes.get("/decisions")
    @routes.get("/decisions.{ending}")
    def all_decisions(asked: AskedFor) -> Response:
        with desk.reading(asked.generation) as reading:
            if not asked.reader.may_see(CITY):
                raise Sorry(403, "whole_city")
            taken = decisions(reading.connection)
            return asked.sheet(reading, "decisions", taken[::-1], columns_of(NameDecision), standing=standing(taken))

    return routes


def rows_held_back(
    asked: Asked, reading: Reading | None, desk: Desk, source: Row | SnapshotRow, here: str, reason: str, q: str
) -> Response:
    """What is in quarantine of a snapshot, by check and text; nothing before it is judged."""
    is_judged = source.quarantined is not None
    stores = desk.lake, Ledger(reading.connection if reading else desk.engine)
    rows, known = (held_back(*stores, source, reason, q), reasons(*stores, source)) if is_judged else ([], [])
    about = {"source": source, "here_is": here, "reason": reason, "q": q, "reasons": known}
    return asked.sheet(reading, "held_back", rows, columns_of(HeldBack), **about)


def rows_of_it(
    lake: Lake, ledger: Ledger, reader: Reader, sources: Sequence[Row], found: Portrait
) -> list[tuple[Row, HeldBack | None]]:
    """The rows of an enterprise in these quarantines, as far as its reader may open them; None for a quarantine that
    is damaged.
    """
    rows: list[tuple[Row, HeldBack | None]] = []
    for source in (one for one in sources if reader.may_see(one.scope)):
        try:
            rows += [(source, one) for one in rows_of(lake, ledger, source, found.profile.uscc, found.profile.name)]
        except InnopointsError:
            rows.append((source, None))
    return rows


def before(lake: Lake, reading: Reading, district: str) -> date | None:
    """The business date of a district's last result before the published one; None where there is no other."""
    ledger, current = Ledger(reading.connection), reading.generation
    try:
        shown = published_result(lake, ledger, current, district)
    except InnopointsError:
        return None
    earlier = shown and ledger.last_scored(district, current.scheme_id, shown.result.as_of - timedelta(days=1))
    return earlier.result.as_of if earlier else None
