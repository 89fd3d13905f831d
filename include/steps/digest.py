"""The digest of a night, from the ledger: counts and links, sent once."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from datetime import date
from typing import Any

from include.alarms.digest import Night, SourceNight, digest
from include.alarms.incident import Incident, Message
from include.contracts import contracts
from include.kernel.areas import areas
from include.kernel.connections import Lookup
from include.kernel.errors import InnopointsError
from include.kernel.references import ResultKey
from include.publish.generations import Generation, generations
from include.sources.declaration import sources
from include.steps.alarm import pairs, send, standing, where
from include.steps.corrections import last_outcomes
from include.steps.review import queue
from include.steps.stores import Stores, open_stores
from include.store.alarms import DIGEST

log = logging.getLogger("innopoints")

# Nothing waits for the digest, so it can wait for a channel that is down for a moment.
TRIES, PAUSE_SECONDS = 3, 60.0


def night_digest(as_of: date, scheme: str, *, link: str = "") -> Message:
    """The digest of the night as of a date, as it stands now."""
    return digest(_night(open_stores(), as_of, scheme), link)


def send_digest(
    as_of: date, scheme: str, *, holder: str, lookup: Lookup, link: str = "", pause_seconds: float
) -> dict[str, Any]:
    """Send the digest of a night, once however often this is run; a channel that does not take it fails nothing."""
    stores = open_stores()
    message = digest(_night(stores, as_of, scheme), link)
    as_incident = Incident(f"{DIGEST}{as_of}/{scheme}", as_of, message.subject, "", link=link)
    sent = send(stores, as_incident, message, where(lookup), tries=TRIES, pause_seconds=pause_seconds)
    return {"as_of": as_of.isoformat(), "lines": len(message.lines), "sent": int(sent)}


def _night(stores: Stores, as_of: date, scheme: str) -> Night:
    made = [one for one in generations(stores.engine) if one.scheme_id == scheme]
    open_now, ended = standing(stores)
    results = {code: stores.ledger.last_scored(code, scheme, as_of) for code in areas()}
    scored = [code for code, row in results.items() if row is not None and row.result == ResultKey(as_of, code, scheme)]
    return Night(
        as_of=as_of,
        scheme=scheme,
        published=any(one.as_of == as_of and one.status != "blocked" for one in made),
        current=_named(next((one for one in made if one.status == "current"), None)),
        sources=_sources(stores, as_of),
        scored=scored,
        on_last_good=[code for code, row in results.items() if row is not None and code not in scored],
        without_result=[code for code, row in results.items() if row is None],
        blocked_deliveries=len(stores.ledger.blocked()),
        names_waiting=_names_waiting(as_of),
        corrections=Counter(one.state for one in last_outcomes(as_of)[1]),
        open_incidents=[(one.title, one.as_of) for one in open_now],
        over_incidents=[one.title for one in ended],
    )


def _named(generation: Generation | None) -> str:
    return f"{generation.id} of {generation.as_of}, {generation.scheme_id}" if generation else "none"


def _sources(stores: Stores, as_of: date) -> list[SourceNight]:
    """Each source system, by its name."""
    tonight = {(one.dataset, one.scope): one for one in stores.ledger.snapshots(as_of, as_of)}
    wanted: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for dataset, scope in pairs():
        wanted[contracts()[dataset].source].append((dataset, scope))
    found = []
    for source in sources():
        rows = [tonight[pair] for pair in wanted[source] if pair in tonight]
        judged = [one for one in rows if one.verdict is not None]
        in_use = [stores.ledger.last_accepted(dataset, scope, as_of) for dataset, scope in wanted[source]]
        ages = [(as_of - one.as_of).days for one in in_use if one is not None]
        found.append(
            SourceNight(
                source,
                accepted=sum(one.verdict == "accepted" for one in judged),
                rejected=sum(one.verdict == "rejected" for one in judged),
                missing=len(wanted[source]) - len(judged),
                rows_in=sum(one.rows_in or 0 for one in judged),
                rows_accepted=sum(one.accepted or 0 for one in judged),
                rows_quarantined=sum(one.quarantined or 0 for one in judged),
                oldest_days=max(ages) if len(ages) == len(in_use) and ages else None,
            )
        )
    return found


def _names_waiting(as_of: date) -> int | None:
    """How many names wait for somebody to decide; None where no night can be read: the digest goes out all the same."""
    try:
        return len(queue(as_of)[1])
    except InnopointsError as error:
        log.info("alarms: the review queue cannot be counted: %s", error)
        return None
