"""The whole night without Airflow: the same steps in the same order, the city first, then district after district."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

from include import steps
from include.kernel.connections import Lookup
from include.kernel.errors import BadInput, InnopointsError
from include.kernel.shell import this_shell
from include.sources.declaration import of_district, shared, sources
from include.steps.district import compiled


def refresh(
    as_of: date, districts: list[str], scheme: str, *, lookup: Lookup, say: Callable[[str], None]
) -> dict[str, Any]:
    """Refresh `districts` and publish.

    A dataset that fails tonight is reported and its last accepted snapshot stays in use; a district that cannot be
    scored keeps its last good result; the publication says so.
    """
    holder = this_shell()
    compiled(scheme, as_of)  # a rule file that is broken is said before anything is asked for
    for conn_id in [*(source.connection for source in sources().values()), steps.PRIVACY_CONNECTION]:
        lookup(conn_id)  # a Connection that nobody configured is said once, before anything starts
    for dataset, scope in shared():
        _bring_in(dataset, scope, as_of, holder, lookup, say)
    with _told("city: not conformed", say):
        steps.conform_city(as_of, holder=holder)
    failed = [*districts]
    for district in districts:
        for dataset in of_district():
            _bring_in(dataset, district, as_of, holder, lookup, say)
        with _told(f"{district}: not scored", say):
            steps.conform(district, as_of, holder=holder)
            steps.measure(district, as_of, holder=holder)
            steps.compute(district, as_of, scheme, holder=holder)
            scored = steps.score(district, as_of, scheme, holder=holder)
            failed.remove(district)
            say(f"{district}: {scored['enterprises']} enterprises scored, {scored['ledger_lines']} ledger lines")
    ranked = steps.rank(as_of, scheme, holder=holder)
    say(f"city: {ranked['enterprises']} enterprises ranked, {ranked['honours']} honours")
    reason = f"not scored tonight: {', '.join(failed)}" if failed else ""
    return steps.publish(as_of, scheme, holder=holder, reason=reason)


def _bring_in(dataset: str, scope: str, as_of: date, holder: str, lookup: Lookup, say: Callable[[str], None]) -> None:
    with _told(f"{scope} {dataset}", say):
        landed = steps.land(dataset, scope, as_of, holder=holder, lookup=lookup)
        judged = steps.validate(dataset, scope, as_of, holder=holder)
        say(
            f"{scope} {dataset}: {landed['outcome']}, {judged['rows_in']} rows = {judged['duplicates']} duplicates "
            f"+ {judged['accepted']} accepted + {judged['quarantined']} quarantined"
        )


@contextmanager
def _told(what: str, say: Callable[[str], None]) -> Iterator[None]:
    """A failure of one part is said, and the night goes on; bad input ends it."""
    try:
        yield
    except BadInput:
        raise
    except InnopointsError as error:
        say(f"{what}: {error}")
