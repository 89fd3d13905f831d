"""Let a blocked delivery pass: a named person says why, and the same validation accepts it."""

from __future__ import annotations

from datetime import date
from typing import Any

from include.contracts import Contract, require_contract
from include.kernel.areas import CITY, require_area
from include.kernel.errors import BadInput, one_line
from include.kernel.references import SnapshotKey
from include.steps.approval import Question
from include.steps.snapshots import validate
from include.steps.stores import lock_of, open_stores
from include.store.ledger import SnapshotRow

NOBODY_RELEASES = "snapshot.min_rows"
_KEPT = "the last good snapshot"


def blocked() -> list[SnapshotRow]:
    """Deliveries that were refused and that no accepted one has replaced."""
    return open_stores().ledger.blocked()


def require_blocked(dataset: str, scope: str, as_of: date) -> SnapshotRow:
    """The blocked delivery, or one line that says why there is nothing to release."""
    key = SnapshotKey(dataset, _scope(require_contract(dataset), scope), as_of)
    held = open_stores().ledger.snapshot(key)
    if held is None or held.verdict != "rejected":
        found = "nothing has landed" if held is None else f"it is {held.verdict or 'not judged yet'}"
        raise BadInput(f"{found}, not blocked", where=str(key), kept=_KEPT, todo="look at `innopoints blocked`")
    if any(check["id"] == NOBODY_RELEASES and not check["passed"] for check in held.checks):
        raise BadInput(
            "an empty delivery is not released", where=str(key), kept=_KEPT, todo="ask the department to deliver again"
        )
    return held


def question(dataset: str, scope: str, as_of: date) -> Question:
    """What the form asks about a blocked delivery."""
    held = require_blocked(dataset, scope, as_of)
    return Question(
        held.landing_sha,
        f"Release {dataset}/{scope} as of {as_of}? 是否放行？",
        f"Blocked by: {held.reason}\n\nUntil somebody approves, the last good snapshot stays in use. "
        f"未批准前继续使用上一份合格快照。\n\nThe delivery 所交数据: SHA-256 {held.landing_sha}",
    )


def landing_of(dataset: str, scope: str, as_of: date) -> str:
    """The digest of what landed: what somebody who approves has seen, and nothing that came since."""
    key = SnapshotKey(dataset, _scope(require_contract(dataset), scope), as_of)
    held = open_stores().ledger.snapshot(key)
    if held is None:
        raise BadInput("nothing has landed", where=str(key), kept=_KEPT, todo="look at `innopoints blocked`")
    return held.landing_sha


def release(dataset: str, scope: str, as_of: date, *, person: str, reason: str, holder: str) -> dict[str, Any]:
    """Record who releases the blocked delivery and why, and judge it again, with the release beside it.

    Rows in quarantine stay there: a release speaks of the delivery, not of a row. If it lands anew, the release does
    not hold for what came. A repeat after a crash carries on; a repeat after success says that nothing is blocked.
    """
    person, reason = _told(person, "person", 1, 100), _told(reason, "reason", 3, 500)
    key = SnapshotKey(dataset, _scope(require_contract(dataset), scope), as_of)
    stores = open_stores()
    held = stores.ledger.snapshot(key)
    if held is None or held.verdict is not None or stores.ledger.release_of(key, held.landing_sha) is None:
        held = require_blocked(dataset, scope, as_of)
        with stores.lease(lock_of(key), holder) as lease:
            stores.ledger.record_release(key, lease=lease, landing_sha=held.landing_sha, person=person, reason=reason)
    return validate(dataset, key.scope, as_of, holder=holder)


def _scope(contract: Contract, scope: str) -> str:
    if contract.scope == "city":
        if scope != CITY:
            raise BadInput(f"{contract.dataset} is kept for the whole city", kept=_KEPT, todo=f"use scope {CITY}")
        return CITY
    return require_area(scope)


def _told(text: str, what: str, least: int, most: int) -> str:
    said = one_line(text)
    if not least <= len(said) <= most:
        raise BadInput(f"the {what} has {len(said)} characters", kept=_KEPT, todo=f"write {least} to {most}")
    return said
