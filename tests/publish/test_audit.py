"""Each rule of the audit stops a publication that breaks it; the reason is kept, the rows are not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from include.kernel.errors import TerminalError
from include.publish.generations import generations, publish
from include.store.ledger import Ledger
from include.store.warehouse import PUBLISHED, reading

Tables = dict[str, pa.Table]
Break = Callable[[Tables], None]


def set_cell(tables: Tables, name: str, column: str, value: Any, row: int = 0) -> None:
    table = tables[name]
    cells = table[column].to_pylist()
    cells[row] = value
    place = table.column_names.index(column)
    tables[name] = table.set_column(place, column, pa.array(cells, table[column].type))


def add(tables: Tables, name: str, column: str, difference: str, row: int = 0) -> None:
    set_cell(tables, name, column, tables[name][column][row].as_py() + Decimal(difference), row)


def cell(name: str, column: str, value: Any, row: int = 0) -> Break:
    return lambda tables: set_cell(tables, name, column, value, row)


def shifted(name: str, column: str, difference: str) -> Break:
    return lambda tables: add(tables, name, column, difference)


def without_rows(name: str, start: int, length: int | None = None) -> Break:
    return lambda tables: tables.update({name: tables[name].slice(start, length)})


def without_enterprise(name: str) -> Break:
    """The table without any row of its first enterprise."""

    def remove(tables: Tables) -> None:
        first = tables[name]["uscc"][0]
        tables[name] = tables[name].filter(pc.not_equal(tables[name]["uscc"], first))

    return remove


def swapped_ranks(tables: Tables) -> None:
    first, second = tables["enterprise_points"]["rank_all"].to_pylist()[:2]
    set_cell(tables, "enterprise_points", "rank_all", second, 0)
    set_cell(tables, "enterprise_points", "rank_all", first, 1)


def whole_enterprise_moved_up(tables: Tables) -> None:
    """A line, its category and the total agree with each other; only the total and its interval do not."""
    add(tables, "points_ledger", "points", "6")
    add(tables, "category_points", "points", "6")
    add(tables, "enterprise_points", "foundation", "6")
    add(tables, "enterprise_points", "total", "6")


def repeated_line(tables: Tables) -> None:
    tables["honours"] = pa.concat_tables([tables["honours"]] * 2)


BROKEN: dict[str, Break] = {
    "points_ledger is empty": without_rows("points_ledger", 0, 0),
    "stage_distribution is empty": without_rows("stage_distribution", 0, 0),
    "source_quality is empty": without_rows("source_quality", 0, 0),
    "tables missing: ['ladder']": lambda tables: tables.pop("ladder"),
    "tables unknown: ['extra']": lambda tables: tables.update(extra=tables["honours"]),
    "honours: enterprises without a profile (1)": cell("honours", "uscc", "X"),
    "project_recommendation: enterprises without a profile (1)": cell("project_recommendation", "uscc", "X"),
    "credit_list: enterprises without a profile (1)": cell("credit_list", "uscc", "X"),
    "ladder: enterprises without a profile (1)": cell("ladder", "uscc", "X"),
    "enterprises without enterprise_points (1)": without_rows("enterprise_points", 1),
    "enterprise_points: enterprises without a profile (1)": without_rows("enterprise_profile", 1),
    "enterprises without points_ledger (1)": without_rows("points_ledger", 10),
    "whose stage differs between profile and points (1)": cell("enterprise_points", "stage", "成熟期"),
    "enterprises that lack the ledger line of an indicator (1)": without_rows("points_ledger", 1),
    "ledger lines of an unknown category (1)": cell("points_ledger", "category", "other"),
    "ledger lines do not sum to their categories (1)": shifted("points_ledger", "points", "0.001"),
    "categories do not sum to their total (1)": shifted("enterprise_points", "total", "0.001"),
    "column input is not their category's points (1)": shifted("enterprise_points", "input", "0.001"),
    "column output is not their category's points (1)": cell("enterprise_points", "output", None),
    "enterprises without category_points (1)": without_enterprise("category_points"),
    "category_points: enterprises without a profile (1)": cell("category_points", "uscc", "X"),
    "total is outside its interval": whole_enterprise_moved_up,
    "whose coverage is no fraction (1)": cell("enterprise_points", "coverage", Decimal("1.1")),
    "whose rank is not 1 + the number of higher totals (2)": swapped_ranks,
    "gaps of pairs that the ledger does not have, or that do not apply (1)": cell("once_only_gap", "indicator", "X"),
    "pairs without a value that are no gap (1)": without_rows("once_only_gap", 1),
    "once_only: counts that differ from the ledger's pairs less the gaps (1)": cell("once_only", "applicable_pairs", 1),
    "once_only_indicator: counts that differ from the ledger's": cell("once_only_indicator", "from_records_pairs", 1),
    "once_only_reason: counts that differ from the gaps (1)": cell("once_only_reason", "pairs", 99),
    "number of enterprises differs from the profiles (1)": cell("stage_distribution", "enterprises", 99),
    "in the stage distribution that no profile holds (1)": cell("stage_distribution", "stage", "未知期"),
    "1 rows repeat a key (uscc, honour)": repeated_line,
    "does not fit": cell("enterprise_profile", "stage", None),
    "columns": lambda tables: tables.update(honours=tables["honours"].drop_columns(["robust"])),
}


@pytest.mark.parametrize("rule", BROKEN)
def test_a_broken_rule_blocks_the_publication(rule: str, warehouse: Engine, tables_of: Callable[..., Tables]) -> None:
    ledger, tables = Ledger(warehouse), tables_of(12)
    members = ledger.snapshot_set([["TAX_CIT", "320411", "2026-11-23", "a1"]])

    def put(tables: Tables, as_of: date, content: str) -> None:
        with ledger.acquire("publish", "test", 60) as lease:
            publish(
                warehouse,
                lease=lease,
                as_of=as_of,
                scheme_id="changzhou_v1",
                scheme_version="1",
                snapshot_set=members,
                content_sha=content,
                points={},
                tables=tables,
                reason="nightly",
            )

    put(tables, date(2026, 11, 22), "good")
    broken = dict(tables)
    BROKEN[rule](broken)
    for _ in range(2):  # a retry finds the same and adds no second entry
        with pytest.raises(TerminalError) as error:
            put(broken, date(2026, 11, 23), "broken")
        assert rule in str(error.value)
        assert "91320400MA" not in str(error.value)
    blocked, good = generations(warehouse)
    assert (good.status, blocked.status, blocked.published_at) == ("current", "blocked", None)
    assert blocked.reason is not None
    assert blocked.reason.startswith("nightly; the audit before publication failed: ")
    assert rule in blocked.reason
    with reading(warehouse) as connection:
        for table in PUBLISHED.values():
            assert set(connection.scalars(sa.select(table.c.generation_id))) == {good.id}
    assert ledger.due(districts=["320411"], today=date(2026, 11, 23), sweep=True) == []
