"""The enterprises of a district that take part, and the codes and names by which other departments know them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import yaml

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
    return yaml.safe_load(Path(__file__).with_name("participation.yaml").read_text(encoding="utf-8"))


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
    """Who is who: every registered enterprise of a district by code, by present name and by former names.

    Built from the whole registry, participants or not, so that a record of a closed firm is known as such and never
    drifts to a namesake. A name that two enterprises have carried links to neither.
    """

    codes: frozenset[str]
    names: dict[str, frozenset[str]]

    @classmethod
    def of(cls, registry: pa.Table) -> Directory:
        """Read codes, names and former names (`name@YYYY-MM-DD;…`) of accepted REG_ENT rows."""
        names: dict[str, set[str]] = defaultdict(set)
        rows = registry.select(["uscc", "name", "former_names"]).to_pylist()
        for row in rows:
            names[normal_name(row["name"])].add(row["uscc"])
            for former in (row["former_names"] or "").split(";"):
                if former.strip():
                    names[normal_name(former.split("@")[0])].add(row["uscc"])
        return cls(frozenset(row["uscc"] for row in rows), {name: frozenset(held) for name, held in names.items()})

    @cached_property
    def registered(self) -> pa.Array:
        """The codes, for whole columns."""
        return pa.array(list(self.codes), pa.string())

    @cached_property
    def _named(self) -> tuple[pa.Array, pa.Array]:
        """The names and the one enterprise of each (null for several), for whole columns."""
        only = [next(iter(held)) if len(held) == 1 else None for held in self.names.values()]
        return pa.array(list(self.names), pa.string()), pa.array(only, pa.string())

    def by_name(self, text: str) -> tuple[str | None, str]:
        """(uscc, tier): `exact` when exactly one enterprise carries or carried the name, else `ambiguous` or `none`."""
        held = self.names.get(normal_name(text), frozenset())
        if len(held) == 1:
            return next(iter(held)), "exact"
        return None, "ambiguous" if held else "none"

    def by_names(self, texts: pa.Array) -> tuple[pa.Array, pa.Array]:
        """`by_name` for many: the enterprise (null for none) and the tier of each.

        Names in plain letters and Chinese characters are compared whole columns at a time, others one by one.
        """
        plain = pc.match_substring_regex(texts, _PLAINLY_SPELT)
        spelt = pc.ascii_upper(texts)
        for there, here in zip("（）[]{}", "()()()", strict=True):
            spelt = pc.replace_substring(spelt, there, here)
        known, only = self._named
        at = pc.index_in(spelt, value_set=known)
        uscc = only.take(at)
        tier = pc.if_else(uscc.is_valid(), "exact", pc.if_else(at.is_valid(), "ambiguous", "none"))
        others = pc.invert(plain)
        found = [self.by_name(text) for text in texts.filter(others).to_pylist()]
        return (
            pc.replace_with_mask(uscc, others, pa.array([code for code, _ in found], pa.string())),
            pc.replace_with_mask(tier, others, pa.array([kind for _, kind in found], pa.string())),
        )

    def resolve(self, codes: tuple[str | None, ...], name: str | None) -> tuple[str | None, str]:
        """(uscc, tier) of a record. A well-formed code decides alone: a name never overrules a code that is unknown."""
        for text in codes:
            code = normal_code(text) if text else ""
            if code in self.codes:
                return code, "code"
            if is_code_shape(code):
                return None, NOT_REGISTERED_HERE
        return self.by_name(name) if name else (None, "no_identifier")
