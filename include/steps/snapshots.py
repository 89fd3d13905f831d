"""Land and validate one dataset for one scope as of one date."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from include.contracts import Contract, contracts, require_contract
from include.kernel.connections import Connection, Lookup
from include.kernel.errors import BadInput, InnopointsError, TerminalError, TransientError
from include.kernel.identity import normal_code
from include.kernel.periods import arrival_cutoff
from include.kernel.references import SnapshotKey
from include.kernel.settings import settings
from include.sources.declaration import shared, source_of
from include.sources.pull import Request, pull
from include.steps.held_back import quarantine_version
from include.steps.lineage import landing_work, traced, validating_work
from include.steps.stores import Stores, lock_of, open_stores
from include.store import lake as places
from include.store.ledger import Lease, SnapshotRow
from include.store.waivers import in_force, waivers

if TYPE_CHECKING:
    from include.validation.judge import Judgement

PRIVACY_CONNECTION = "innopoints_privacy"
VERDICT = ("verdict", "rows_in", "duplicates", "accepted", "quarantined", "reason", "checks")
"""What of a judgement the ledger keeps."""
KEPT = "the snapshot in use"


class Rejected(TerminalError):
    """What came is not what the contract says; what was accepted before stays in use."""


@traced(landing_work)
def land(dataset: str, scope: str, as_of: date, *, holder: str, lookup: Lookup) -> dict[str, Any]:
    """Copy what the department holds for `scope`, as it wrote it, and prove the copy complete.

    An accepted snapshot of the same key and contract version is reused, and so is a landing that was interrupted before
    validation, if the lake holds it undamaged. A rejected one is pulled again: the department may have repaired it.
    Where the contract has grown since one was accepted, or a file of it is damaged, that stays in use until what comes
    now is accepted too.
    """
    contract = require_contract(dataset)
    key = SnapshotKey(dataset, scope, as_of)
    stores = open_stores()
    with stores.lease(lock_of(key), holder) as lease:
        held = stores.ledger.snapshot(key)
        if held and held.contract_version == contract.version and _of_use(stores, held):
            with lease.fence():  # raw replies of an attempt that was killed once its landing was recorded
                stores.lake.drop_raw(places.raw(key))
            return {**key.to_json(), "outcome": "reused", "rows": held.received}
        if held and held.verdict == "accepted":
            grown = f"its contract is of version {contract.version}; it was accepted under {held.contract_version}"
            why = grown if held.contract_version != contract.version else "a file of it is damaged"
            done = pulled_again(stores, contract, held, lease, reason=why, lookup=lookup)
            told = {name: done[name] for name in ("outcome", "rows", "unregistered")}
            return {**key.to_json(), **told}
        rows, facts = pulled(stores, contract, key, lease, lookup)
        manifest = stores.lake.commit(places.landing(key), {"data": rows}, facts, fence=lease.fence)
        stores.ledger.record_landed(
            key,
            lease=lease,
            contract_version=contract.version,
            declared=facts["declared"],
            received=rows.num_rows,
            landing_sha=manifest.sha256,
        )
        with lease.fence():
            stores.lake.drop_raw(places.raw(key))
            stores.lake.sweep(places.landing(key))
    unregistered = len(facts["unregistered_fields"])
    return {**key.to_json(), "outcome": "landed", "rows": rows.num_rows, "unregistered": unregistered}


def pulled(
    stores: Stores, contract: Contract, key: SnapshotKey, lease: Lease, lookup: Lookup
) -> tuple[pa.Table, dict[str, Any]]:
    """What the department answers for this key, complete, and the facts of its landing. Nothing is committed; the raw
    replies are kept until somebody drops them.
    """
    stores.lake.require_room(settings().least_free_mib)
    source, as_of = source_of(contract), key.as_of
    request = Request(key.dataset, key.scope, as_of, arrival_cutoff(as_of), _period_floor(contract, as_of))
    pseudonym = _pseudonym(lookup(PRIVACY_CONNECTION)) if contract.people else None
    reply = pull(source, contract, request, lookup(source.connection))
    rows: list[dict[str, Any]] = []
    labels: list[str] = []
    for page in reply:
        # A raw reply with persons, with ignored fields or with fields that nobody registered is never written.
        if not (contract.people or contract.ignore or reply.unregistered):
            with lease.fence():
                stores.lake.keep_raw(places.raw(key), page.label, page.raw)
        labels.append(page.label)
        rows.extend(_landed(contract, row, page.number, i, pseudonym) for i, row in enumerate(page.rows))
        lease.renew()
    return pa.Table.from_pylist(rows, contract.landing_schema()), {
        "contract_version": contract.version,
        "declared": reply.declared,
        "arrived_before": request.arrived_before.isoformat(),
        "pages": labels,
        "fields": reply.order,
        "unregistered_fields": sorted(reply.unregistered),
    }


def pulled_again(
    stores: Stores, contract: Contract, held: SnapshotRow, lease: Lease, *, reason: str, lookup: Lookup
) -> dict[str, Any]:
    """Ask for what is `held` again and judge the answer at once; what is accepted takes its place.

    What was in use stays in use until then, in one transaction, and stays in the lake under its digest. The same bytes
    again change nothing, also where somebody had to release them. A rejected answer is counted in a report of its own
    and in the ledger, and replaces nothing: not even a rejected one, so that a release still speaks of what it spoke
    of.
    """
    key = held.key
    rows, facts = pulled(stores, contract, key, lease, lookup)
    judgement = judged(stores, contract, key, rows, facts)
    lease.renew()
    landing_sha = stores.lake.digest(places.landing(key), {"data": rows}, facts)
    found = _concluded(stores, key, judgement, landing_sha)
    said: dict[str, Any] = {"lease": lease, "reason": reason, "before_sha": held.accepted_sha}
    if found["verdict"] == "rejected":
        _report_again(stores, contract, key, found, lease)
        stores.ledger.record_repull(key, outcome="rejected", rejected_by=judgement.reason, **said)
        with lease.fence():
            stores.lake.drop_raw(places.raw(key))
        raise Rejected(
            f"what came is rejected: {judgement.reason}",
            where=str(key),
            kept=KEPT,
            todo=f"open the report {_report_of_again(key)}, and ask {contract.owner}",
        )
    stores.lake.commit(places.landing(key), {"data": rows}, facts, fence=lease.fence)
    accepted_sha = commit_judged(stores, contract, key, judgement, found, landing_sha, lease)
    assert accepted_sha is not None
    outcome = "same" if accepted_sha == held.accepted_sha else "replaced"
    if outcome == "replaced":
        _report_again(stores, contract, key, found, lease)
        said["landing"] = {
            "contract_version": contract.version,
            "declared": facts["declared"],
            "received": rows.num_rows,
            "landing_sha": landing_sha,
        }
        said["verdict"] = {name: found[name] for name in VERDICT} | {"accepted_sha": accepted_sha}
    stores.ledger.record_repull(key, outcome=outcome, **said)
    with lease.fence():
        stores.lake.drop_raw(places.raw(key))
    unregistered = len(facts["unregistered_fields"])
    made = {"outcome": outcome, "accepted_sha": accepted_sha, "rows": rows.num_rows, "unregistered": unregistered}
    return made | {name: found[name] for name in ("rows_in", "duplicates", "accepted", "quarantined")}


def _report_of_again(key: SnapshotKey) -> str:
    return places.report(key).replace("report.html", "repulled.html")


def _report_again(stores: Stores, contract: Contract, key: SnapshotKey, found: dict[str, Any], lease: Lease) -> None:
    """The report of this attempt, beside that of the night."""
    from include.validation.report import render_report

    page = render_report(contract, f"{key}, asked again", found)
    with lease.fence():
        stores.lake.write_text(_report_of_again(key), page)


@traced(validating_work)
def validate(dataset: str, scope: str, as_of: date, *, holder: str) -> dict[str, Any]:
    """Judge a landed snapshot; commit what is accepted and what is quarantined; say so in the ledger and in a report.

    A rejected snapshot raises, after its counts and its quarantine have been kept: the last accepted one stays in use.
    """
    from include.validation.report import render_report

    contract = require_contract(dataset)
    key = SnapshotKey(dataset, scope, as_of)
    stores = open_stores()
    with stores.lease(lock_of(key), holder) as lease:
        held = stores.ledger.snapshot(key)
        if held is None:
            raise TerminalError("nothing has landed", where=str(key), todo="run its land step first")
        if held.verdict is None:
            landing = stores.lake.require(places.landing(key), held.landing_sha)
            landed = stores.lake.read(places.landing(key), version=held.landing_sha)
            judgement = judged(stores, contract, key, landed, landing.facts)
            lease.renew()
            found = _concluded(stores, key, judgement, held.landing_sha)
            accepted_sha = commit_judged(stores, contract, key, judgement, found, held.landing_sha, lease)
            page = render_report(contract, str(key), found)
            with lease.fence():
                stores.lake.write_text(places.report(key), page)
            stores.ledger.record_verdict(
                key,
                lease=lease,
                accepted_sha=accepted_sha,
                **{name: found[name] for name in VERDICT},
            )
            held = stores.ledger.snapshot(key)
            assert held is not None
        last = stores.ledger.last_accepted(dataset, scope, as_of)
    if held.verdict == "rejected":
        raise Rejected(
            f"snapshot rejected: {held.reason}",
            where=str(key),
            kept=f"the accepted snapshot as of {last.as_of}" if last else "nothing accepted yet",
            todo=f"open the report {places.report(key)}, ask {contract.owner}, then clear this dataset's land task, "
            "or, if it is right as it is, let somebody release it: DAG innopoints_release or `innopoints release`",
            counts=_judged(held),
        )
    return _judged(held)


def judged(
    stores: Stores, contract: Contract, key: SnapshotKey, landed: pa.Table, facts: Mapping[str, Any]
) -> Judgement:
    """The judgement of what landed: row by row, and held against the accepted snapshots before it."""
    from include.steps.before import before
    from include.validation.judge import judge

    earlier, fields = before(stores, contract, key), facts.get("fields", [])
    given = in_force(waivers(stores.engine, before=arrival_cutoff(key.as_of))).get(key.dataset, {})
    waived = {row: one.checks for row, one in given.items()}
    return judge(contract, landed, as_of=key.as_of, before=earlier, fields=fields, waived=waived)


def _concluded(stores: Stores, key: SnapshotKey, judgement: Judgement, landing_sha: str) -> dict[str, Any]:
    """The judgement as the ledger keeps it; a landing that somebody has released is accepted."""
    found = judgement.to_json()
    if judgement.verdict == "rejected" and stores.ledger.release_of(key, landing_sha):
        found |= {"verdict": "accepted", "reason": f"released; it was blocked by {judgement.reason}"}
    return found


def commit_judged(
    stores: Stores,
    contract: Contract,
    key: SnapshotKey,
    judgement: Judgement,
    found: Mapping[str, Any],
    landing_sha: str,
    lease: Lease,
) -> str | None:
    """Keep what is in quarantine, and where `found` lets the snapshot pass what is accepted; gives the digest of it."""
    # What was compared with an earlier snapshot stays out: nights in any order must give the same bytes.
    facts = {"contract_version": contract.version, "landing": landing_sha, "rows_in": found["rows_in"]}
    held_back = stores.lake.commit(places.quarantine(key), {"data": judgement.quarantine}, facts, fence=lease.fence)
    if found["verdict"] != "accepted":
        return None
    facts |= {"quarantine": held_back.sha256}
    return stores.lake.commit(places.accepted(key), {"data": judgement.accepted}, facts, fence=lease.fence).sha256


def land_shared(as_of: date, *, holder: str, lookup: Lookup) -> dict[str, Any]:
    """Land and validate what every district needs and nobody has brought in for this date.

    On an ordinary night all of it is there. What the night has judged already is left alone, also where it was
    rejected. A department that does not answer is not asked for its other datasets in the same attempt.
    """
    stores = open_stores()
    counts = {"held": 0, "landed": 0, "rejected": 0}
    failed: dict[str, InnopointsError] = {}
    for dataset, scope in shared():
        key, contract = SnapshotKey(dataset, scope, as_of), contracts()[dataset]
        held = stores.ledger.snapshot(key)
        if (
            held is not None
            and held.contract_version == contract.version
            and (held.verdict == "rejected" or (held.verdict == "accepted" and _of_use(stores, held)))
        ):
            counts["held"] += 1
            continue
        if contract.source in failed:
            continue
        try:
            land(dataset, scope, as_of, holder=holder, lookup=lookup)
            validate(dataset, scope, as_of, holder=holder)
            counts["landed"] += 1
        except BadInput:
            raise
        except Rejected:
            counts["rejected"] += 1  # kept and counted: the last good one stays in use
        except InnopointsError as error:
            failed[contract.source] = error
    if failed:
        waiting_helps = any(isinstance(error, TransientError) for error in failed.values())
        kind = TransientError if waiting_helps else TerminalError
        raise kind(
            f"{len(failed)} departments did not deliver what all districts need, first: {next(iter(failed.values()))}",
            kept=f"{counts['held'] + counts['landed']} of {len(shared())} snapshots; for the others the last good ones",
            todo="nothing tonight; once they answer, clear this task and all after it",
        )
    tonight = {(one.dataset, one.scope): one for one in stores.ledger.snapshots(as_of, as_of)}
    ours = [tonight[pair] for pair in shared() if pair in tonight and tonight[pair].judged_by == holder]
    accepted = [_judged(one) for one in ours if one.verdict == "accepted"]  # by this task, in whichever attempt
    return {"as_of": as_of.isoformat(), **counts, "accepted": accepted}


def _of_use(stores: Stores, held: SnapshotRow) -> bool:
    """Need the department not be asked again? Not where the lake holds, undamaged, what the ledger says is accepted, or
    a landing that can be validated.
    """
    if held.verdict == "rejected" or not stores.lake.is_whole(places.landing(held.key), held.landing_sha):
        return False
    if held.verdict is None:
        return True
    whole = stores.lake.is_whole(places.accepted(held.key), held.accepted_sha)
    return whole and stores.lake.is_whole(places.quarantine(held.key), quarantine_version(stores.lake, held))


def _judged(held: SnapshotRow) -> dict[str, Any]:
    """A snapshot, what was concluded of it, and its counts."""
    counts = {name: getattr(held, name) for name in ("rows_in", "duplicates", "accepted", "quarantined")}
    return {**held.key.to_json(), "verdict": held.verdict, **counts}


def _period_floor(contract: Contract, as_of: date) -> date | None:
    """The first business period asked for: 1 January, `history_years` before the year of `as_of`."""
    return date(as_of.year - contract.history_years, 1, 1) if contract.history_years is not None else None


def _landed(
    contract: Contract, row: dict[str, str | None], page: int, ordinal: int, pseudonym: Callable[[str], str] | None
) -> dict[str, Any]:
    """Registered fields only; whatever tells of a person replaced by keyed hashes; nothing else changed."""
    landed: dict[str, Any] = {column.native: row.get(column.native) for column in contract.columns.values()}
    for name in contract.people:
        native = contract.columns[name].native
        if pseudonym and landed[native] is not None:
            landed[native] = pseudonym(landed[native])
    return landed | {"_page": page, "_ordinal": ordinal}


def _pseudonym(connection: Connection) -> Callable[[str], str]:
    """Names or numbers parted by `;` to keyed hashes of their one spelling, each led by the key's id.

    The key lives in a Connection only.
    """
    secret, key_id = connection.password.encode(), connection.login
    if len(secret) < 16 or not key_id:
        raise TerminalError(
            f"Connection {connection.conn_id!r} needs a key id (login) and a key of at least 16 characters (password)",
            kept="nothing was landed",
            todo="set both in Airflow (Admin > Connections)",
        )

    def replace(text: str) -> str:
        names = [normal_code(name) for name in re.split("[;；]", text) if name.strip()]
        digests = [hmac.new(secret, name.encode(), hashlib.sha256).hexdigest()[:32] for name in names]
        return ";".join(f"{key_id}:{digest}" for digest in digests)

    return replace
