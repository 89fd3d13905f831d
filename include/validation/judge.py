"""Judge a landed snapshot: which rows are accepted, which wait in quarantine and why, and whether it may be used."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from types import MappingProxyType
from typing import Any, Literal

import great_expectations as gx
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from include.contracts import Column, Contract
from include.contracts.fields import field_difference
from include.contracts.model import Severity
from include.kernel.errors import TerminalError
from include.validation.cast import Cast, cast
from include.validation.drift import Before, drift
from include.validation.poison import RULE_ERROR, apart
from include.validation.result import CheckResult
from include.validation.suite import Check, checks_of, expectation_suite, frame, unique_key
from include.validation.waiver import WAIVED, Waived, row_id

SHARE = "snapshot.quarantined_share"
FIELDS = "snapshot.fields"
EMPTY = "snapshot.min_rows"
_NOTHING_WAIVED: Waived = MappingProxyType({})


@dataclass(frozen=True)
class Judgement:
    """`accepted` has the contract's accepted schema, sorted by key. `quarantine` has the landed columns, `reasons` (ids
    of the checks that failed) and `entity` (what the row says about its enterprise). Of a rejected snapshot `accepted`
    holds the rows that would have been.
    """

    accepted: pa.Table
    quarantine: pa.Table
    duplicates: int
    verdict: Literal["accepted", "rejected"]
    reason: str
    checks: list[CheckResult]

    def to_json(self) -> dict[str, Any]:
        """Counts only, for manifest, ledger and report."""
        accepted, quarantined = self.accepted.num_rows, self.quarantine.num_rows
        reasons = pc.value_counts(pc.list_flatten(self.quarantine["reasons"]).combine_chunks()).to_pylist()
        return {
            "verdict": self.verdict,
            "reason": self.reason,
            "rows_in": self.duplicates + accepted + quarantined,
            "duplicates": self.duplicates,
            "accepted": accepted,
            "quarantined": quarantined,
            "reasons": {one["values"]: one["counts"] for one in sorted(reasons, key=lambda one: one["values"])},
            "checks": [asdict(check) for check in self.checks],
        }


def judge(
    contract: Contract,
    landed: pa.Table,
    *,
    as_of: date,
    before: Before = Before(),
    fields: Sequence[str] = (),
    waived: Waived = _NOTHING_WAIVED,
) -> Judgement:
    """Judge `landed` (the contract's landing schema). Every landed row is a duplicate, accepted or quarantined.

    `before`: the accepted snapshots of the same scope that this one is held against. `fields`: the native names that
    came, in their order, as far as the source has one; what was not registered was never landed. `waived`: the rows
    that a person lets pass.
    """
    poison, judgement = apart(
        landed, lambda rows: _judge(contract, rows, as_of, before, fields, waived), contract.dataset
    )
    return _with_poison(contract, judgement, landed.take(pa.array(poison))) if poison else judgement


def _judge(
    contract: Contract, landed: pa.Table, as_of: date, before: Before, fields: Sequence[str], waived: Waived
) -> Judgement:
    landed = landed.combine_chunks()
    rows = _without_duplicates(contract, landed)
    columns = {
        name: cast(column, _native(rows, column), _unit(contract, rows, column))
        for name, column in contract.columns.items()
    }

    def waived_at(position: int) -> Collection[str]:
        return waived.get(row_id(contract, rows.slice(position, 1).to_pylist()[0]), ()) if waived else ()

    reasons, unknown, results = _judge_rows(contract, checks_of(contract, as_of), frame(contract, columns), waived_at)
    held_back = pa.array([reasons.get(position) for position in range(rows.num_rows)], pa.list_(pa.string()))
    mask = pc.is_valid(held_back)
    quarantine = _quarantine(contract, rows, held_back).filter(mask)
    if contract.drift.codes == "discard_value":
        columns |= {name: columns[name].without(positions) for name, positions in unknown.items()}
    accepted = _accepted(contract, rows, columns, pc.invert(mask))
    duplicates = landed.num_rows - rows.num_rows
    assert landed.num_rows == duplicates + accepted.num_rows + quarantine.num_rows

    too_many = quarantine.num_rows > contract.max_quarantined_share * rows.num_rows
    title = f"隔离比例不超过 {contract.max_quarantined_share:.1%}"
    share = f"{quarantine.num_rows} of {rows.num_rows} rows"
    results.append(CheckResult(SHARE, title, "", "reject_snapshot", 1, int(too_many), not too_many, share))
    if fields:
        results.append(_fields(contract, fields, before.fields))
    results += drift(contract, accepted, before, as_of)
    reason = _reason(results, rows.num_rows)
    return Judgement(accepted, quarantine, duplicates, "rejected" if reason else "accepted", reason, results)


def _with_poison(contract: Contract, judgement: Judgement, rows: pa.Table) -> Judgement:
    """Rows on which a rule crashed wait with the others in quarantine, where they count like them."""
    waiting = _quarantine(contract, rows, pa.array([[RULE_ERROR]] * rows.num_rows, pa.list_(pa.string())))
    quarantine = pa.concat_tables([judgement.quarantine, waiting])
    quarantine = quarantine.sort_by([("_page", "ascending"), ("_ordinal", "ascending")])
    standing = judgement.accepted.num_rows + quarantine.num_rows
    too_many = quarantine.num_rows > contract.max_quarantined_share * standing
    severity: Severity = "reject_snapshot" if too_many else "quarantine_rows"
    told = f"{rows.num_rows} rows; {quarantine.num_rows} of {standing} in quarantine"
    check = CheckResult(RULE_ERROR, "规则可执行", "", severity, standing, rows.num_rows, False, told)
    checks = [*judgement.checks, check]
    reason = _reason(checks, standing)
    return replace(
        judgement, quarantine=quarantine, checks=checks, verdict="rejected" if reason else "accepted", reason=reason
    )


def _fields(contract: Contract, fields: Sequence[str], last: Sequence[str]) -> CheckResult:
    """Nothing of this keeps a snapshot out: a missing field, and a frozen contract, have stopped the landing before."""
    told = field_difference(contract, fields, last, missing=[])
    return CheckResult(FIELDS, "字段与合同一致", "", "warn", 1, int(bool(told)), not told, str(told))


def _native(rows: pa.Table, column: Column) -> pa.Array:
    return rows[column.native].combine_chunks()


def _unit(contract: Contract, rows: pa.Table, column: Column) -> pa.Array | None:
    """The unit that each row says of this column."""
    return _native(rows, contract.columns[column.unit_in]) if column.unit_in else None


def _without_duplicates(contract: Contract, landed: pa.Table) -> pa.Table:
    """The first of the rows that agree in every native field, in the order in which they came."""
    natives = [column.native for column in contract.columns.values()]
    ordered = landed.sort_by([("_page", "ascending"), ("_ordinal", "ascending")])
    position = pa.array(range(ordered.num_rows), pa.int64())
    firsts = ordered.append_column("_position", position).group_by(natives).aggregate([("_position", "min")])
    return ordered.take(pa.array(sorted(firsts["_position_min"].to_pylist()), pa.int64()))


def _judge_rows(
    contract: Contract, checks: list[Check], batch: pd.DataFrame, waived_at: Callable[[int], Collection[str]]
) -> tuple[dict[int, list[str]], dict[str, list[int]], list[CheckResult]]:
    """Position of a row → ids of the checks that keep it out, in their order; column → positions whose code is unknown
    and that only warn of it; and every check's counts. A row passes if all that speaks against it is waived.

    The key is judged last, among the rows that stand: a sum row that repeats the last line's number must not take the
    enterprise on that line with it. Of rows that share a key the one that a person has chosen passes.
    """
    reasons: dict[int, list[str]] = {}
    failed, results = _run(contract, checks, batch)
    for check in checks:
        if check.severity != "warn":
            for position in failed[check.id]:
                reasons.setdefault(position, []).append(check.id)
    passed = [position for position in reasons if set(reasons[position]) <= set(waived_at(position))]
    for position in passed:
        del reasons[position]
    standing = [position for position in range(len(batch)) if position not in reasons]
    key = unique_key(contract)
    clashing, key_results = _run(contract, [key], batch.iloc[standing].reset_index(drop=True))
    clashes = [standing[position] for position in clashing[key.id]]
    if chosen := [position for position in clashes if key.id in waived_at(position)]:
        again, _ = _run(contract, [key], batch.iloc[chosen].reset_index(drop=True))
        told_apart = [position for at, position in enumerate(chosen) if at not in again[key.id]]
        clashes = [position for position in clashes if position not in told_apart]
        passed += told_apart
    reasons |= {position: [key.id] for position in clashes}
    if passed:
        results.append(
            CheckResult(WAIVED, "经人放行", "", "warn", len(batch), len(passed), False, "let pass by a person")
        )
    warned = [check for check in checks if check.severity == "warn" and check.id == f"{check.column}.allowed"]
    return reasons, {check.column: failed[check.id] for check in warned}, [*results, *key_results]


def _run(
    contract: Contract, checks: list[Check], batch: pd.DataFrame
) -> tuple[dict[str, list[int]], list[CheckResult]]:
    """Run the suite: by check, the positions of the rows that failed (none for a check of the whole snapshot) and its
    counts. Great Expectations reports an exception inside an expectation as a quiet failure; here it stops the task.
    """
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("landed").add_dataframe_asset(contract.dataset)
    definition = asset.add_batch_definition_whole_dataframe("whole")
    batch_of_rows = definition.get_batch({"dataframe": batch})
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="This pattern is interpreted as a regular expression, and has match")
        report = batch_of_rows.validate(
            expectation_suite(contract, checks),
            result_format={"result_format": "COMPLETE", "return_unexpected_index_query": False},
        )
    found = {one.expectation_config.meta["check"]: one for one in report.results}
    failed: dict[str, list[int]] = {}
    results: list[CheckResult] = []
    for check in checks:
        one = found[check.id]
        of_rows = "unexpected_count" in one.result
        positions = one.result["unexpected_index_list"] or [] if of_rows else []
        failed[check.id] = [int(position) for position in positions]
        count = len(positions) if of_rows else int(not one.success)
        if _raised(one.exception_info) or bool(count) == bool(one.success):
            raise TerminalError(
                f"check {check.id} could not be run",
                where=contract.dataset,
                kept="the landed snapshot and the last accepted one",
                todo="correct the contract or the check, then clear the validate task",
            )
        checked = len(batch) if of_rows else 1
        results.append(
            CheckResult(check.id, check.title_zh, check.column, check.severity, checked, count, passed=not count)
        )
    return failed, results


def _raised(info: dict[str, Any]) -> bool:
    """`exception_info` is flat, or one entry per metric."""
    entries = [info] if "raised_exception" in info else list(info.values())
    return any(entry["raised_exception"] for entry in entries)


def _quarantine(contract: Contract, rows: pa.Table, reasons: pa.Array) -> pa.Table:
    """Landed columns as they are, why each row waits, and everything it says about its enterprise, parted by `;`."""
    # Not null_handling="skip": Arrow then leaves a row out altogether when all of its parts are null.
    natives = [pc.fill_null(rows[contract.columns[name].native], "") for name in contract.entity.columns]
    text = pc.utf8_trim(pc.binary_join_element_wise(*natives, ";"), ";")
    return rows.append_column("reasons", reasons).append_column("entity", text)


def _accepted(contract: Contract, rows: pa.Table, columns: dict[str, Cast], mask: pa.Array) -> pa.Table:
    """The rows that the mask keeps, typed, sorted by key; where a row stood in the reply breaks ties."""
    values = [columns[name].value for name in contract.columns]
    table = pa.Table.from_arrays([*values, rows["_page"], rows["_ordinal"]], schema=contract.accepted_schema())
    order = list(dict.fromkeys([*contract.key, "_page", "_ordinal"]))
    return table.filter(mask).sort_by([(name, "ascending") for name in order])


def _reason(results: list[CheckResult], rows: int) -> str:
    """Why the snapshot is rejected, in one line; empty if it is not."""
    rejecting = [check for check in results if not check.passed and check.severity == "reject_snapshot"]
    told = {EMPTY: f"{rows} rows"}
    return "; ".join(
        f"{check.id} ({check.detail or told.get(check.id, f'{check.failed} of {check.checked}')})"
        for check in rejecting
    )
