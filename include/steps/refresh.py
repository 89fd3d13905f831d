"""The whole night without Airflow: the same steps in the same order, one district after the other."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from include import steps
from include.contracts import contracts
from include.kernel.areas import CITY
from include.kernel.connections import Lookup
from include.kernel.errors import BadInput, InnopointsError
from include.schemes.model import require_scheme
from include.sources.declaration import sources


def refresh(
    as_of: date, districts: list[str], scheme: str, *, lookup: Lookup, say: Callable[[str], None]
) -> dict[str, Any]:
    """Refresh `districts` and publish.

    A dataset that fails tonight is reported and its last accepted snapshot stays in use; a district that cannot be
    scored keeps its last good result; the publication says so.
    """
    require_scheme(scheme)
    for conn_id in [*(source.connection for source in sources().values()), steps.PRIVACY_CONNECTION]:
        lookup(conn_id)  # a Connection that nobody configured is said once, before anything starts
    failed: list[str] = []
    for district in districts:
        holder = f"shell/refresh/{district}"
        for dataset, contract in contracts().items():
            scope = CITY if contract.scope == "city" else district
            try:
                landed = steps.land(dataset, scope, as_of, holder=holder, lookup=lookup)
                judged = steps.validate(dataset, scope, as_of, holder=holder)
            except BadInput:
                raise
            except InnopointsError as error:
                say(f"{district} {dataset}: {error}")
                continue
            say(
                f"{district} {dataset}: {landed['outcome']}, {judged['rows_in']} rows = "
                f"{judged['duplicates']} duplicates + {judged['accepted']} accepted "
                f"+ {judged['quarantined']} quarantined"
            )
        try:
            steps.conform(district, as_of, holder=holder)
            steps.measure(district, as_of, holder=holder)
            steps.compute(district, as_of, scheme, holder=holder)
            scored = steps.score(district, as_of, scheme, holder=holder)
        except BadInput:
            raise
        except InnopointsError as error:
            failed.append(district)
            say(f"{district}: not scored: {error}")
            continue
        say(f"{district}: {scored['enterprises']} enterprises scored, {scored['ledger_lines']} ledger lines")
    ranked = steps.rank(as_of, scheme, holder="shell/publish")
    say(f"city: {ranked['enterprises']} enterprises ranked, {ranked['honours']} honours")
    reason = f"not scored tonight: {', '.join(failed)}" if failed else ""
    return steps.publish(as_of, scheme, holder="shell/publish", reason=reason)
