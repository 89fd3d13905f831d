"""The enterprises of a district that take part, and the dated rules of who does (`participation.yaml`)."""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import yaml

from include.kernel.errors import TerminalError

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


@cache
def _participation() -> dict[str, list[dict[str, Any]]]:
    return yaml.safe_load(Path(__file__).with_name("participation.yaml").read_text(encoding="utf-8"))


def rule(name: str, as_of: date) -> Any:
    """The value in force; before the first date the rule is undefined, which is an error and never a default."""
    held = [entry["value"] for entry in _participation()[name] if entry["from"] <= as_of]
    if not held:
        raise TerminalError(f"participation rule {name} is undefined as of {as_of}", todo="add a dated entry")
    return held[-1]


def participants(registry: pa.Table, district: str, as_of: date) -> pa.Table:
    """The registered enterprises of `district` that take part as of `as_of` (schema `ENTERPRISES`, sorted by uscc).

    A firm takes part when it is in business and was founded the required number of full years ago.
    """
    years, states = rule("registered_years", as_of), rule("states", as_of)
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
