"""The end of `make demo`: what was published, read back from the warehouse's `current_*` views."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine, create_engine, inspect, text

from include.portal.published import EXPECTED_SHARES


def publication(url: str, as_of: date | None = None) -> dict[str, Any] | None:
    """The newest generation of a business date, or the current one; None when there is none yet."""
    engine = create_engine(url)
    if not _has_view(engine, "current_generation"):
        return None
    of_all = "select generation_id, as_of, scheme_id, scheme_version, status, reason from "
    if as_of is None:
        rows = _rows(engine, of_all + "{current_generation}")
    else:
        rows = _rows(
            engine, of_all + "{generation} where as_of = '" + as_of.isoformat() + "' order by generation_id desc"
        )
    return rows[0] if rows else None


def summary(url: str, console: Console) -> None:
    """Print firms per stage, the top of each honours list, and the quality of each dataset."""
    engine, current = create_engine(url), publication(url)
    assert current is not None
    console.print(
        f"\npublished: generation {current['generation_id']} as of {current['as_of']}, "
        f"scheme {current['scheme_id']} {current['scheme_version']}\n"
    )
    console.print(_stages(engine))
    console.print(_honours(engine))
    console.print(_quality(engine))


def _stages(engine: Engine) -> Table:
    rows = _rows(engine, "select stage, sum(enterprises) as n from {current_stage_distribution} group by stage")
    counted = {row["stage"]: int(row["n"]) for row in rows}
    total = sum(counted.values())
    table = _table("enterprises per stage", ("stage", "enterprises", "share", "expected"))
    for stage in [*EXPECTED_SHARES, *sorted(counted.keys() - EXPECTED_SHARES.keys())]:
        number = counted.get(stage, 0)
        expected = f"{EXPECTED_SHARES[stage]} %" if stage in EXPECTED_SHARES else ""
        table.add_row(stage, f"{number:,}", f"{Decimal(100 * number) / total:.1f} %", expected)
    table.add_row("all", f"{total:,}", "", "")
    return table


def _honours(engine: Engine) -> Table:
    rows = _rows(
        engine,
        "select h.honour, h.place, p.name, p.district, p.stage, e.total from {current_honours} h"
        " join {current_enterprise_profile} p on p.uscc = h.uscc"
        " join {current_enterprise_points} e on e.uscc = h.uscc"
        " where h.place <= 3 order by h.honour, h.place, p.stage, h.uscc",
    )
    table = _table("top of each honours list", ("honour", "place", "enterprise", "district", "stage", "points"))
    for row in rows:
        texts = (str(row[name]) for name in ("honour", "place", "name", "district", "stage"))
        table.add_row(*texts, f"{row['total']:.3f}")
    return table


def _quality(engine: Engine) -> Table:
    rows = _rows(
        engine,
        "select dataset, count(*) as snapshots, sum(rows_in) as rows_in, sum(duplicates) as duplicates,"
        " sum(accepted) as accepted, sum(quarantined) as quarantined, max(snapshot_age_days) as oldest"
        " from {current_source_quality} group by dataset order by dataset",
    )
    names = ("dataset", "snapshots", "rows_in", "duplicates", "accepted", "quarantined", "oldest")
    table = _table("quality per dataset (rows in = duplicates + accepted + quarantined)", names)
    for row in rows:
        table.add_row(*(row[name] if name == "dataset" else f"{int(row[name]):,}" for name in names))
    return table


def _table(title: str, columns: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left")
    for name in columns:
        table.add_column(name.replace("_", " "), justify="left" if name in _TEXT else "right")
    return table


_TEXT = {"dataset", "stage", "honour", "enterprise", "district"}


def _schema(engine: Engine) -> str | None:
    return "publish" if engine.dialect.name == "postgresql" else None


def _has_view(engine: Engine, name: str) -> bool:
    return name in inspect(engine).get_view_names(schema=_schema(engine))


def _rows(engine: Engine, query: str) -> list[dict[str, Any]]:
    """Rows of a query whose `{view}` names get the warehouse's schema."""
    prefix = f"{_schema(engine)}." if _schema(engine) else ""
    with engine.connect() as connection:
        found = connection.execute(text(query.replace("{", prefix).replace("}", "")))
        return [dict(row) for row in found.mappings()]
