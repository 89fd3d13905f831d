"""The shape of a dataset contract, and the loader that refuses anything it does not know."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from include.kernel.documents import read_yaml
from include.kernel.errors import BadInput

if TYPE_CHECKING:
    # At run time only where a schema is asked for: DAG files read contracts and import nothing heavy.
    import pyarrow as pa

Severity = Literal["quarantine_rows", "reject_snapshot", "warn"]
ColumnType = Literal["string", "code", "integer", "decimal", "date", "datetime", "month", "people"]

_SEVERITY_OF_POLICY: dict[str, Severity] = {
    "freeze": "reject_snapshot",
    "discard_row": "quarantine_rows",
    "discard_value": "warn",
    "evolve": "warn",
}
Purpose = Literal["identify", "order", "compute", "scope", "check", "show"]
"""What a field is held for: to find its enterprise, to tell versions apart, for a measure, to prove whose district it
is, to judge the row, or to show an officer which record it is."""

DATASETS = Path(__file__).parent / "datasets"
_OTHERS = "the project's other contracts"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Column(_Strict):
    """One field: what the department calls it, what we call it, and what must hold.

    `type` says how the native text is read: `code` is folded and upper-cased text; `month` is YYYYMM or YYYY-MM, kept
    as its first day; `datetime` is wall time in Shanghai, without a zone (DuckDB reckons with none);
    `people` is a list of person names that landing replaces by keyed hashes before anything is written.
    `purpose` is said where the field's part in the contract does not say it (`field_register.purpose`).
    `native_unit: 万元` with `unit: 元` multiplies by 10,000 when validation casts; `unit_in` names the column in which
    each row says its own unit (元 or 万元; empty = the native unit). `min`/`max` are inclusive. `at_most` names another
    column of the row: a part is no larger than its whole, a day no later than another, so that nothing is dated after
    its arrival (days are compared, not hours). `credit_code`: a unified social credit code whose check character
    fits, or one of the older numbers.
    """

    native: str
    zh: str
    type: ColumnType
    required: bool = False
    decimals: int = 0
    unit: str | None = None
    native_unit: str | None = None
    pattern: str | None = None
    allowed: list[str] | None = None
    min: str | None = None
    max: str | None = None
    at_most: str | None = None
    unit_in: str | None = None
    credit_code: bool = False
    severity: Severity = "quarantine_rows"
    purpose: Purpose | None = None
    privacy: Literal["public", "business", "person"] = "business"
    note: str | None = None

    @property
    def arrow_type(self) -> pa.DataType:
        """The type of the accepted column. Decimals are exact: 38 digits with the declared scale."""
        import pyarrow as pa

        return {
            "string": pa.string(),
            "code": pa.string(),
            "people": pa.string(),
            "integer": pa.int64(),
            "decimal": pa.decimal128(24, self.decimals),
            "date": pa.date32(),
            "month": pa.date32(),
            "datetime": pa.timestamp("us"),
        }[self.type]

    def comparable(self, other: Column) -> bool:
        """Can one be said to be at most the other?"""
        days = ("date", "month", "datetime")
        if self.type in days:
            return other.type in days
        return (self.type, self.unit, self.decimals) == (other.type, other.unit, other.decimals)


class Party(_Strict):
    """How a row names one of its parties: codes in this order, then the name."""

    codes: list[str] = Field(default_factory=list)
    name: str


class Entity(_Strict):
    """How a row names its enterprise. Codes are tried in this order, then names; a name links only on exact equality.

    `names` is a text list split on `;` and `；`: each part that is an enterprise gives one conformed row, with
    `owners` = the number of parts, so that co-owners share; `filed_by` is such a list too, and `is_filer` says whether
    the enterprise stands in it (1) or not (0). `roles` are the parties of a deal: each that is an
    enterprise gives one conformed row, with `role` = its part in the deal. `named_on` is the date on which the record
    named its enterprise, by default its arrival: a former name is believed for a while only.
    """

    codes: list[str] = Field(default_factory=list)
    name: str | None = None
    names: str | None = None
    filed_by: str | None = None
    named_on: str | None = None
    roles: dict[str, Party] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_way(self) -> Entity:
        ways = [bool(self.codes or self.name), bool(self.names), bool(self.roles)]
        if sum(ways) != 1:
            raise ValueError("an enterprise is identified by codes and name, or by names, or by roles")
        if self.filed_by and not self.names:
            raise ValueError("filed_by is told of those whom names lists")
        return self

    @property
    def naming(self) -> list[str]:
        """The columns that hold names."""
        return [name for name in (self.name, self.names, *(party.name for party in self.roles.values())) if name]

    @property
    def columns(self) -> list[str]:
        """Every column that says something about the enterprise, codes first."""
        named = [*self.codes, *(name for name in (self.name, self.names) if name)]
        return [*named, *(name for party in self.roles.values() for name in (*party.codes, party.name))]


class Versions(_Strict):
    """Which rows supersede which: of the rows that share `group`, only those of the latest filing stay.

    `group` names what is restated (the filing's subject, without its id); `latest_by` orders the filings, highest last;
    `filing` names the column whose rows stay together (all rows of the winning filing); without it, one row stays.
    Rows whose `void` column holds one of the given values are dropped first. `first` names a column whose earliest
    value over all filings of the group is kept beside as `first_<column>` (when was the return first filed?).
    """

    group: list[str]
    latest_by: list[str]
    filing: str | None = None
    void: dict[str, list[str]] = Field(default_factory=dict)
    first: str | None = None


class Editions(_Strict):
    """Deliveries that list everybody anew: of each `of` only the rows of the last edition hold, whoever they name.

    Told before enterprises are linked, so that who no longer stands in the last edition is not revived by an older one.
    """

    of: list[str] = Field(min_length=1)
    latest_by: list[str] = Field(min_length=1)


class Drift(_Strict):
    """What a delivery may do differently, in dlt's words, and how it is held against earlier ones.

    `freeze` refuses the delivery, `discard_row` lets the row wait in quarantine, `discard_value` leaves the value out,
    `evolve` takes it and tells. `columns`: a field that nobody registered (it cannot evolve: only registered fields are
    landed). `data_type`: text that cannot be read as the column's type. `codes`: a value outside `allowed`. A column's
    own severity, where it is not the default, comes first; a required value is never left out alone: its row waits. A
    registered field that is missing always freezes.

    `period` names the column of the business period (a date, a month or a year) and `cadence` how often the department
    reports one: the newest periods are held against those of the snapshot one cadence earlier. `parts` are columns each
    of whose values is watched as a population of its own (a bank, a form, a kind).
    """

    columns: Literal["freeze", "discard_value"] = "discard_value"
    data_type: Literal["freeze", "discard_row", "discard_value"] = "discard_row"
    codes: Literal["freeze", "discard_row", "discard_value", "evolve"] = "discard_row"
    period: str | None = None
    cadence: Literal["month", "quarter", "year"] | None = None
    parts: list[str] = Field(default_factory=list)

    @model_validator(mode="after")
    def _cadence_of_a_period(self) -> Drift:
        if self.cadence and not self.period:
            raise ValueError("a cadence without the period that it is of")
        return self


class Contract(_Strict):
    """One dataset. Columns are keyed by our name; `ignore` lists native fields that are known and never landed."""

    dataset: str
    version: int
    title_zh: str
    title_en: str
    owner: str
    source: str
    scope: Literal["district", "city"]
    grain: str
    key: list[str] = Field(min_length=1)
    arrival: str
    entity: Entity
    versions: Versions | None = None
    editions: Editions | None = None
    history_years: int | None = None
    max_age_days: int
    min_rows: int = Field(default=1, ge=1)
    drift: Drift = Drift()
    max_quarantined_share: float = 0.05
    ignore: list[str] = Field(default_factory=list)
    columns: dict[str, Column]

    @model_validator(mode="after")
    def _names_exist(self) -> Contract:
        named = [*self.key, self.arrival, *self.entity.columns]
        named += [name for name in (self.entity.named_on, self.entity.filed_by) if name]
        if self.versions:
            named += [*self.versions.group, *self.versions.latest_by, *self.versions.void]
            named += [n for n in (self.versions.filing, self.versions.first) if n]
        if self.editions:
            named += [*self.editions.of, *self.editions.latest_by]
        named += [*self.drift.parts, *([self.drift.period] if self.drift.period else [])]
        for name, column in self.columns.items():
            named += [other for other in (column.at_most, column.unit_in) if other]
            if column.at_most in self.columns and not column.comparable(self.columns[column.at_most]):
                raise ValueError(f"{name!r} and {column.at_most!r} cannot be compared: another type, unit or decimals")
        for name in named:
            if name not in self.columns:
                raise ValueError(f"{name!r} is not one of its columns")
        if self.history_years is not None and not self.drift.period:
            raise ValueError("history_years asks for whole years: say in drift.period which column tells the year")
        natives = [c.native for c in self.columns.values()] + self.ignore
        if twice := {n for n in natives if natives.count(n) > 1}:
            raise ValueError(f"native fields named twice: {sorted(twice)}")
        return self

    @property
    def people(self) -> list[str]:
        """Our names of the columns that tell of persons, by name or by number: landing writes keyed hashes instead."""
        return [name for name, column in self.columns.items() if column.privacy == "person"]

    def withholds(self, name: str) -> bool:
        """Does no account show the column? It tells of persons, or lists owners and applicants, who may be persons."""
        column = self.columns.get(name)
        tells_of_people = column is not None and (column.privacy == "person" or column.type == "people")
        return tells_of_people or name in (self.entity.names, self.entity.filed_by)

    def severity_of(self, column: Column, aspect: Literal["data_type", "codes"]) -> Severity:
        """What follows when a column's value is unreadable or unknown: its own severity, else the drift policy's."""
        if column.severity != "quarantine_rows":
            return column.severity
        policy: str = getattr(self.drift, aspect)
        if policy == "discard_value" and column.required:
            return "quarantine_rows"
        return _SEVERITY_OF_POLICY[policy]

    def landing_schema(self) -> pa.Schema:
        """Landing: every registered native field as the text the source wrote, with where it stood in the reply."""
        import pyarrow as pa

        fields = [pa.field(column.native, pa.string()) for column in self.columns.values()]
        return pa.schema([*fields, pa.field("_page", pa.int32()), pa.field("_ordinal", pa.int32())])

    def accepted_schema(self) -> pa.Schema:
        """Accepted: our names, cast types, canonical units; `_page`, `_ordinal` lead back to the landed row."""
        import pyarrow as pa

        fields = [pa.field(name, column.arrow_type) for name, column in self.columns.items()]
        return pa.schema([*fields, pa.field("_page", pa.int32()), pa.field("_ordinal", pa.int32())])

    def conformed_columns(self) -> dict[str, Column]:
        """Those of a conformed record: the contract's, and the counts, parts and firsts that conforming adds."""
        added = {}
        if self.entity.names:
            added["owners"] = _counting(self.columns[self.entity.names], "其中列名的权利人数")
        if self.entity.filed_by:
            added["is_filer"] = _counting(self.columns[self.entity.filed_by], "是否列为申请人")
        if self.entity.roles:
            party = next(iter(self.entity.roles.values()))
            added["role"] = self.columns[party.name].model_copy(update={"zh": "作为哪一方"})
        if self.versions and self.versions.first:
            first = self.columns[self.versions.first]
            added[f"first_{self.versions.first}"] = first.model_copy(update={"zh": f"首次{first.zh}"})
        return {**self.columns, **added}

    def conformed_schema(self) -> pa.Schema:
        """`uscc`, the accepted columns, `owners`, `is_filer` or `role` where a row names several, `first_<column>`
        if declared.
        """
        import pyarrow as pa

        accepted = self.accepted_schema()
        fields = [pa.field("uscc", pa.string())] + [field for field in accepted if field.name != "uscc"]
        if self.entity.names:
            fields.append(pa.field("owners", pa.int64()))
        if self.entity.filed_by:
            fields.append(pa.field("is_filer", pa.int64()))
        if self.entity.roles:
            fields.append(pa.field("role", pa.string()))
        if self.versions and self.versions.first:
            fields.append(accepted.field(self.versions.first).with_name(f"first_{self.versions.first}"))
        return pa.schema(fields)


def _counting(column: Column, zh: str) -> Column:
    return column.model_copy(update={"zh": zh, "type": "integer"})


def load_contract(path: Path) -> Contract:
    """Read one contract file; errors name the file, the key, what was found and what is allowed."""
    try:
        contract = Contract.model_validate(read_yaml(path, kept=_OTHERS))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "(file)"
        raise BadInput(f"key {key}: {first['msg']}", where=str(path), kept=_OTHERS, todo="correct the file") from None
    if contract.dataset != path.stem:
        raise BadInput(f"dataset {contract.dataset!r} does not match the file name", where=str(path))
    return contract


@cache
def contracts() -> dict[str, Contract]:
    """Every contract, by dataset code, in the order of the file names."""
    return {path.stem: load_contract(path) for path in sorted(DATASETS.glob("*.yaml"))}


def require_contract(dataset: str) -> Contract:
    """The contract of a dataset, or one line that lists what exists."""
    found = contracts().get(dataset)
    if found is None:
        raise BadInput(f"unknown dataset {dataset!r:.40}", todo=f"use one of {', '.join(contracts())}")
    return found
