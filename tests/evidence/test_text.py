"""What a person reads under a measure."""

from __future__ import annotations

from include.evidence.account import MeasureUse, Record, SourceField, Use
from include.evidence.text import _measure, _said


def field(column: str, native: str, zh: str, as_sent: str | None, value: str, by: str | None = None) -> SourceField:
    return SourceField(
        column=column, native=native, zh=zh, as_sent=as_sent, value=value, withheld=False, correction=by
    )  # fmt: skip


def test_a_record_that_is_the_enterprise_s_by_a_corrected_code_says_so_although_no_sum_reads_the_code() -> None:
    place = "POL_CASH/320413/2026-11-20#rows-00001.json:7"
    fields = [
        field("uscc", "SHXYDM", "统一社会信用代码", None, "91320400YY10007409", "cash-code"),
        field("amount_yuan", "JE", "金额", "300.00", "300.00"),
    ]
    record = Record(
        record=place, dataset="POL_CASH", snapshot="POL_CASH/320413/2026-11-20", page="rows-00001.json",
        counted="record", line=7, key={"LSH": "L1"}, fields=fields,
    )  # fmt: skip
    paid = MeasureUse(
        measure="policy_funds_1y_yuan", zh="近一年兑现金额", unit="元", value=300, datasets=["POL_CASH"],
        proof="these_records_alone", is_minimal=True, held=3, decides=True,
        uses=[Use(record=place, columns=["amount_yuan"])],
    )  # fmt: skip
    lines = list(_measure(paid, {place: record}))
    assert lines[1] == "    1 of the 3 records held; measured from this alone it is the same:"
    assert lines[-1] == (
        "      金额 (JE) 300.00; 统一社会信用代码 (SHXYDM) 91320400YY10007409 (sent as nothing, corrected by cash-code)"
    )


def test_a_withheld_field_says_by_what_it_was_corrected_and_nothing_else() -> None:
    owners = field("assignees", "AssigneeStringList", "现专利权人", "甲;乙", "甲", "pat-owner")
    assert _said(owners.model_copy(update={"withheld": True})) == "withheld (corrected by pat-owner)"
    assert _said(owners.model_copy(update={"withheld": True, "correction": None})) == "withheld"
