"""The account of one enterprise's points, as a shape: what `innopoints explain --json` promises.

`docs/reference/explain.schema.json` is generated from these classes. Decimals travel as text, dates as YYYY-MM-DD.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceField(_Shape):
    """One field of a record. `as_sent` is the text that landed, `value` what validation read from it. Fields about a
    person, and lists of owners and applicants, are withheld. A field that conforming derived (from other records, or by
    counting) has no `native` name.
    `correction` names the declared correction that put the value right."""

    column: str
    native: str | None
    zh: str
    as_sent: str | None
    value: str | None
    withheld: bool
    correction: str | None = None


class Record(_Shape):
    """A source record: where it stood in the department's reply, and what it says. `waiver`: by whose decision it
    passed although a check speaks against it; `decision`: by whose decision it is this enterprise's."""

    record: str = Field(description="dataset/scope/date#page:line, unique in this account")
    dataset: str
    snapshot: str
    page: str = Field(description="the file, or the page of the reply")
    counted: str = Field(
        pattern="^(row|record)$",
        description="what `line` counts: a `row` of the file or sheet, headings included, or a `record` of the page",
    )
    line: int = Field(description="from 1")
    key: dict[str, str]
    fields: list[SourceField]
    waiver: int | None = None
    decision: int | None = None


class Use(_Shape):
    """A record that a measure stands on, and the columns of it that matter."""

    record: str
    columns: list[str]


class MeasureAccount(_Shape):
    """A measure with its records: measured again from these alone it gives exactly `value`. Without records it is
    `unknown` (nothing delivered says it), `nobody_named` (a register was delivered and does not name the enterprise in
    this respect: zero) or `constant` (a published figure, the same for all)."""

    measure: str
    zh: str
    unit: str
    value: Decimal | int | None
    datasets: list[str]
    proof: str = Field(pattern="^(these_records_alone|unknown|nobody_named|constant)$")
    is_minimal: bool
    held: int = Field(description="how many records of the enterprise these datasets hold; `uses` are enough of them")
    uses: list[Use]


class MeasureUse(MeasureAccount):
    """A measure as an indicator reads it. `decides`: without it the value would be another (or, of a line without a
    value: it is what is missing). A source that stands ready behind another one does not decide."""

    decides: bool


class FormulaAccount(_Shape):
    expression: str
    with_numbers: str
    applicable_when: str | None
    provisional_when: str | None
    since: date
    reference: str


class SegmentAccount(_Shape):
    """The piece of the curve that the value fell on: `lower` belongs to it, `upper` does not; none is without end."""

    number: int
    lower: Decimal | None
    upper: Decimal | None
    raw_at_lower: Decimal
    raw_at_upper: Decimal


class NextEdge(_Shape):
    """What it takes to reach the nearest edge that gives more, above or below, and what it gives."""

    at: Decimal
    distance: Decimal
    raw_points_gain: Decimal
    points_gain: Decimal


class CurveAccount(_Shape):
    form: str
    since: date
    reference: str
    segment: SegmentAccount | None
    next_edge: NextEdge | None


class LineAccount(_Shape):
    """One indicator. `provisional`: the value stands in for one still to come; it counts, the interval stays open.
    `points_low`, `points_high`: what the line can have in this stage once all is known; they add up to the interval."""

    indicator: str
    national: str | None
    name_zh: str
    category: str
    unit: str
    status: str
    because: str | None = Field(description="why there is no value, in words")
    missing: list[str] = Field(description="datasets that would have to hold something")
    held_back: list[str] = Field(description="datasets it reads that hold records of the enterprise in quarantine")
    formula: FormulaAccount | None
    value: Decimal | None
    provisional: bool
    curve: CurveAccount
    raw_points: Decimal | None
    weight: Decimal
    points: Decimal
    points_low: Decimal
    points_high: Decimal
    measures: list[MeasureUse]


class CategoryAccount(_Shape):
    category: str
    name_zh: str
    points: Decimal
    of: Decimal


class SnapshotAccount(_Shape):
    """An accepted snapshot that the points stand on. Its digest is the one that was scored."""

    dataset: str
    title_zh: str
    owner: str
    scope: str
    as_of: date
    age_days: int
    sha256: str


class Account(_Shape):
    """The whole account: total, categories, indicators, measures, records. `proved` says what was checked."""

    uscc: str
    name: str
    district: str
    as_of: date
    scheme: str
    scheme_version: str
    snapshot_set: str
    stage: str
    stage_reason: str
    total: Decimal
    total_low: Decimal
    total_high: Decimal
    of: Decimal
    coverage: Decimal
    categories: list[CategoryAccount]
    indicators: list[LineAccount]
    records: list[Record]
    snapshots: list[SnapshotAccount]
    proved: list[str]


class Effects(_Shape):
    """A difference, split in a fixed order: facts first, then stage, then rules. The three add up to it exactly."""

    before: Decimal
    after: Decimal
    facts: Decimal
    stage: Decimal
    rules: Decimal


class LineChange(_Shape):
    """`null` values: no value, or the scheme of that night did not know the indicator."""

    indicator: str
    name_zh: str
    category: str
    value_before: Decimal | None
    value_after: Decimal | None
    effects: Effects


class CategoryChange(_Shape):
    category: str
    effects: Effects


class FieldChange(_Shape):
    column: str
    zh: str
    before: str | None
    after: str | None
    withheld: bool


class RecordChange(_Shape):
    """A conformed record of the enterprise that came, went (withdrawn, void, superseded) or reads differently."""

    dataset: str
    change: str = Field(pattern="^(added|removed|changed)$")
    key: dict[str, str]
    fields: list[FieldChange]


class Side(_Shape):
    """One of the two nights."""

    as_of: date
    district: str
    scheme: str
    scheme_version: str
    snapshot_set: str
    stage: str
    total: Decimal


class Change(_Shape):
    """Why an enterprise's points differ between two nights (or two schemes)."""

    uscc: str
    name: str
    before: Side
    after: Side
    order: list[str]
    total: Effects
    categories: list[CategoryChange]
    indicators: list[LineChange]
    records: list[RecordChange]
    proved: list[str]
