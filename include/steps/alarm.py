"""Tell people of a night: an incident when it is first met, and the digest in the morning.

Nothing here may fail a run: a channel that is dead, a Connection that is missing or wrong, even a ledger that does not
answer, is one line in the log.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from typing import TYPE_CHECKING

from include.alarms.incident import (
    Incident,
    Message,
    blocked_publication,
    failed_task,
    late_publication,
    rejected_snapshot,
    silent_source,
    unfit_correction,
    unscored_district,
)
from include.contracts import contracts
from include.kernel.areas import areas
from include.kernel.connections import Lookup
from include.kernel.errors import InnopointsError, unforeseen
from include.kernel.references import ResultKey, SnapshotKey
from include.sources.declaration import of_district, shared, sources
from include.steps.city import published
from include.steps.corrections import is_ended, last_outcomes
from include.steps.stores import Stores, open_stores
from include.store import alarms as store
from include.store.alarms import Alarm
from include.store.warehouse import clock

if TYPE_CHECKING:
    from include.alarms.channels import Channels

log = logging.getLogger("innopoints")

ALARMS_CONNECTION = "innopoints_alarms"
# A task that failed is given 20 seconds by Airflow before its process is ended (core.task_success_overtime): two tries
# of four seconds with a pause, then four for the fallback.
TRIES, PAUSE_SECONDS = 2, 1.0
_ONE_TELLING_SECONDS = 60
OF_DISTRICT = ("plan", "conform", "measure", "compute", "score")


def tell(find: Callable[[], Iterable[Incident]], *, lookup: Lookup) -> int:
    """Tell of the incidents that `find` gives, each unless it is told already; how many were told. Never raises."""
    told = 0
    try:
        incidents = list(find())
        stores, to = open_stores(), where(lookup)
        for incident in incidents:
            held = store.alarm(stores.engine, incident.key)
            if held is not None and held.over_at is None and _is_over(stores, held):
                store.over(stores.engine, incident.key)  # it was right again since: this is another one
            told += send(stores, incident, incident.message(), to, tries=TRIES, pause_seconds=PAUSE_SECONDS)
    except Exception as error:  # noqa: BLE001 - whatever it is, the run it speaks of goes on
        log.warning("alarms: %s", error if isinstance(error, InnopointsError) else unforeseen(error))
    return told


def where(lookup: Lookup) -> Channels | None:
    """The channels of the Connection; None, and one line in the log, where there is none or it cannot be used."""
    from include.alarms.channels import channels

    try:
        return channels(lookup(ALARMS_CONNECTION))
    except InnopointsError as error:
        log.info("alarms: nothing is sent: %s", error)
        return None


def send(
    stores: Stores, incident: Incident, message: Message, to: Channels | None, *, tries: int, pause_seconds: float
) -> bool:
    """Note that it was met, and send its message unless it is told, being told, or was tried often enough; True when
    somebody took it.
    """
    from include.alarms.channels import deliver

    granted = store.meet(
        stores.engine,
        incident.key,
        as_of=incident.as_of,
        title=incident.title,
        counts=incident.counts,
        link=incident.link,
        tries=tries if to else 0,
        seconds=_ONE_TELLING_SECONDS + tries * pause_seconds,
    )
    if not granted or to is None:
        return False
    taken = deliver(to, message, tries=granted, pause_seconds=pause_seconds)
    (store.told if taken else store.not_told)(stores.engine, incident.key)
    return taken


def failure(
    step: str,
    as_of: date,
    *,
    name: str,
    source: str = "",
    dataset: str = "",
    scope: str = "",
    district: str = "",
    scheme: str = "",
    link: str = "",
) -> list[Incident]:
    """What it means that a step gave up. Whatever fails in a department or a district is one incident of it."""
    if step == "shared":
        missing = {contracts()[dataset].source for dataset, _ in _missing(open_stores(), shared(), as_of)}
        return [_silent(one, as_of, link) for one in sorted(missing)]
    if step == "land" and source:
        return [_silent(source, as_of, link)]
    if step == "validate" and dataset:
        held = open_stores().ledger.snapshot(SnapshotKey(dataset, scope, as_of))
        rejected = held is not None and held.verdict == "rejected"
        names = ("rows_in", "duplicates", "accepted", "quarantined")
        counts = {one: getattr(held, one) for one in names} if rejected else {}
        return [rejected_snapshot(dataset, scope, as_of, counts=counts, link=link)]
    if step in ("rank", "publish") and scheme:
        return [blocked_publication(scheme, as_of, link=link)]
    if step in OF_DISTRICT and district:
        return [unscored_district(district, as_of, link=link)]
    return [failed_task(name, as_of, link=link)]


def unpublished(as_of: date, scheme: str, *, link: str = "") -> list[Incident]:
    """What it means that the deadline of a night has passed: nothing, if it was published all the same."""
    stores = open_stores()
    if published(stores, as_of, scheme) is not None:
        return []
    scored = [code for code in areas() if stores.ledger.result(ResultKey(as_of, code, scheme)) is not None]
    return [late_publication(scheme, as_of, scored=len(scored), link=link)]


def unfit_corrections(as_of: date, *, link: str = "") -> list[Incident]:
    """The corrections that the last night found to fit their source no longer, and that nobody has ended."""
    night, found = last_outcomes(as_of)
    return [unfit_correction(one.name, one.state, night, link=link) for one in found if night and one.waits]


def standing(stores: Stores) -> tuple[list[Alarm], list[Alarm]]:
    """The incidents that are open, and those that came to their end within a day; what is right again is noted."""
    for one in store.alarms(stores.engine):
        if one.over_at is None and _is_over(stores, one):
            store.over(stores.engine, one.key)
    known = store.alarms(stores.engine)
    yesterday = clock() - timedelta(days=1)
    ended = [one for one in known if one.over_at is not None and one.over_at > yesterday]
    return [one for one in known if one.over_at is None], ended


def pairs() -> list[tuple[str, str]]:
    """(dataset, scope) of everything that a night brings in."""
    return [*shared(), *((dataset, area) for area in areas() for dataset in of_district())]


def _silent(source: str, as_of: date, link: str) -> Incident:
    missing = _missing(open_stores(), _pairs_of(source), as_of)
    return silent_source(source, sources()[source].title_zh, as_of, missing=len(missing), link=link)


def _pairs_of(source: str) -> list[tuple[str, str]]:
    return [(dataset, scope) for dataset, scope in pairs() if contracts()[dataset].source == source]


def _missing(stores: Stores, wanted: list[tuple[str, str]], as_of: date) -> list[tuple[str, str]]:
    landed = {(one.dataset, one.scope) for one in stores.ledger.snapshots(as_of, as_of)}
    return [pair for pair in wanted if pair not in landed]


def _is_over(stores: Stores, held: Alarm) -> bool:
    """Does the ledger say that what was wrong has been put right since it was last met?"""
    kind, _, rest = held.key.partition("/")
    if kind == "source":
        landed = {(one.dataset, one.scope): one.landed_at for one in stores.ledger.snapshots(held.as_of, date.max)}
        wanted = [landed.get(pair) for pair in _pairs_of(rest)]
        return None not in wanted and any(moment is not None and moment > held.last_seen for moment in wanted)
    if kind == "snapshot":
        dataset, _, scope = rest.partition("/")
        good = stores.ledger.last_accepted(dataset, scope, date.max)
        judged = good.judged_at if good is not None and good.as_of >= held.as_of else None
        return judged is not None and judged > held.last_seen
    if kind == "district":
        return stores.ledger.scored_after(rest, held.as_of, held.last_seen)
    if kind == "correction":
        night, found = last_outcomes(date.max)
        states = {one.state for one in found if one.name == rest}
        dataset, _, number = rest.partition("/")
        return states == {"applied"} or (night is not None and is_ended(dataset, number, night))
    if kind == "publication":
        from include.publish.generations import generations

        return any(
            one.scheme_id == rest and one.status != "blocked" and one.created_at > held.last_seen
            for one in generations(stores.engine)
        )
    return clock() - held.last_seen > timedelta(days=1)  # nobody can tell: a day without it is taken for its end
