"""The enterprises of a district that take part, and the codes and names by which other departments know them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from include.kernel.documents import read_yaml
from include.kernel.errors import TerminalError
from include.kernel.identity import is_code_shape, normal_code, normal_name

ENTERPRISES = pa.schema(
    [
        pa.field("uscc", pa.string()),
        pa.field("name", pa.string()),
        pa.field("district", pa.string()),
        pa.field("industry_section", pa.string()),
        pa.field("industry_code", pa.string()),
        pa.field("established_on", pa.date32()),
        pa.field("registered_capital_yuan", pa.decimal128(24, 2)),
        pa.field("paid_in_capital_yuan", pa.decimal128(24, 2)),
        pa.field("employee_platform_holder", pa.int64()),
        pa.field("former_names", pa.string()),
    ]
)

NOT_REGISTERED_HERE = "code_not_registered_here"
_PLAINLY_SPELT = r"^[!-~\x{4E00}-\x{9FFF}（）]*$"


@cache
def _participation() -> dict[str, list[dict[str, Any]]]:
    return read_yaml(Path(__file__).with_name("participation.yaml"))


def _rule(name: str, as_of: date) -> Any:
    """The value in force; before the first date the rule is undefined, which is an error and never a default."""
    held = [entry["value"] for entry in _participation()[name] if entry["from"] <= as_of]
    if not held:
        raise TerminalError(f"participation rule {name} is undefined as of {as_of}", todo="add a dated entry")
    return held[-1]


def participants(registry: pa.Table, district: str, as_of: date) -> pa.Table:
    """The registered enterprises of `district` that take part as of `as_of` (schema `ENTERPRISES`, sorted by uscc).

    A firm takes part when it is in business and was founded the required number of full years ago.
    """
    years, states = _rule("registered_years", as_of), _rule("states", as_of)
    # 29 February has no anniversary in most years: the day before then counts.
    day = 28 if (as_of.month, as_of.day) == (2, 29) else as_of.day
    founded_by = date(as_of.year - years, as_of.month, day)
    keep = pc.and_(
        pc.is_in(registry["state"], value_set=pa.array(states)),
        pc.less_equal(registry["established_on"], pa.scalar(founded_by)),
    )
    chosen = registry.filter(keep)
    chosen = chosen.append_column("district", pa.array([district] * chosen.num_rows, pa.string()))
    return chosen.select(ENTERPRISES.names).cast(ENTERPRISES).sort_by("uscc")


@dataclass(frozen=True)
class Directory:
    """Who is who: every registered enterprise of the city by code, by present name and by former names.

    Built from the registries of all districts, participants or not, so that a record of a closed firm is known as such
    and never drifts to a namesake. A name that two enterprises have carried links to neither.

    `codes`: who may be linked. `names`: every name once, in its one spelling; `whose`: its one enterprise, null for
    several or for one that may not be linked, and then `tiers` says which.
    """

    codes: pa.Array
    names: pa.Array
    whose: pa.Array
    tiers: pa.Array

    @classmethod
    def of(cls, registry: pa.Table) -> Directory:
        """Read codes, names and former names (`name@YYYY-MM-DD;…`) of accepted REG_ENT rows."""
        codes = registry["uscc"].combine_chunks()
        former = pc.split_pattern(pc.fill_null(registry["former_names"].combine_chunks(), ""), ";")
        carried = pa.table(
            {
                "name": pa.concat_arrays(
                    [
                        _spelt(registry["name"].combine_chunks()),
                        _spelt(pc.list_element(pc.split_pattern(pc.list_flatten(former), "@", max_splits=1), 0)),
                    ]
                ),
                "uscc": pa.concat_arrays([codes, codes.take(pc.list_parent_indices(former))]),
            }
        )
        of_name = carried.filter(pc.not_equal(carried["name"], "")).group_by("name", use_threads=False)
        held = of_name.aggregate([("uscc", "min"), ("uscc", "max")])
        only = pc.equal(held["uscc_min"], held["uscc_max"])
        nobody = pa.scalar(None, pa.string())
        return cls(
            codes.unique(),
            held["name"].combine_chunks(),
            pc.if_else(only, held["uscc_min"], nobody).combine_chunks(),
            pc.if_else(only, "exact", "ambiguous").combine_chunks(),
        )

    def within(self, codes: pa.Array) -> Directory:
        """The same city seen by one district: only these `codes` may be linked, the others are registered elsewhere."""
        elsewhere = pc.and_(self.whose.is_valid(), pc.invert(pc.is_in(self.whose, value_set=codes)))
        return replace(
            self,
            codes=codes,
            whose=pc.if_else(elsewhere, pa.scalar(None, pa.string()), self.whose),
            tiers=pc.if_else(elsewhere, NOT_REGISTERED_HERE, self.tiers),
        )

    def by_names(self, texts: pa.Array) -> tuple[pa.Array, pa.Array]:
        """(uscc, tier) of each: `exact` when exactly one enterprise carries or carried the name, else why none."""
        at = pc.index_in(_spelt(texts), value_set=self.names)
        return self.whose.take(at), pc.fill_null(self.tiers.take(at), "none")

    def resolve(self, codes: tuple[str | None, ...], name: str | None) -> tuple[str | None, str]:
        """(uscc, tier) of a record. A well-formed code decides alone: a name never overrules a code that is unknown."""
        for text in codes:
            code = normal_code(text) if text else ""
            if code in self._codes:
                return code, "code"
            if is_code_shape(code):
                return None, NOT_REGISTERED_HERE
        return self._by_name.get(normal_name(name), (None, "none")) if name else (None, "no_identifier")

    @cached_property
    def _codes(self) -> frozenset[str]:
        return frozenset(self.codes.to_pylist())

    @cached_property
    def _by_name(self) -> dict[str, tuple[str | None, str]]:
        answers = zip(self.whose.to_pylist(), self.tiers.to_pylist(), strict=True)
        return dict(zip(self.names.to_pylist(), answers, strict=True))


def _spelt(names: pa.Array) -> pa.Array:
    """`normal_name` of each. Names in plain letters and Chinese characters are read whole columns at a time."""
    spelt = pc.ascii_upper(names)
    for there, here in zip("（）[]{}", "()()()", strict=True):
        spelt = pc.replace_substring(spelt, there, here)
    others = pc.fill_null(pc.invert(pc.match_substring_regex(names, _PLAINLY_SPELT)), False)
    careful = [normal_name(text) for text in names.filter(others).to_pylist()]
    return pc.replace_with_mask(spelt, others, pa.array(careful, pa.string()))
