"""Rows held back are shown with the cell at fault to those who may see the scope, and to nobody else."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient

from include.contracts import require_contract
from include.kernel.references import SnapshotKey
from include.portal.published import Reader
from include.portal.quarantine import held_back
from include.store.lake import Lake, quarantine
from include.store.ledger import Ledger

HELD = "/points/quarantine/TAX_CIT/320411"


def test_each_reason_stands_with_the_cell_as_it_was_written(browser: TestClient) -> None:
    rows = list(csv.DictReader(io.StringIO(browser.get(HELD + ".csv").content.decode("utf-8-sig"))))
    assert [(row["page"], row["ordinal"], row["entity"], row["reason"], row["found"]) for row in rows] == [
        ("1", "7", "'=1+1", "amount_yuan.cast", "五百万"),
        ("2", "0", "91320400MA00000001;常州恒创精密有限公司", "amount_yuan.min", "-1"),
        ("2", "0", "91320400MA00000001;常州恒创精密有限公司", "snapshot.other", ""),
    ]
    page = browser.get(HELD).text
    assert "五百万" in page
    assert "amount_yuan.min" in page


def test_among_owners_those_who_may_be_persons_are_not_shown(tmp_path: Path, published: Engine) -> None:
    held, contract, day = Lake(str(tmp_path)), require_contract("IP_PAT"), date(2026, 11, 23)
    owners = contract.columns["assignees"].native
    text = "常州恒创精密有限公司;扎西多吉；兰建国;常州大学"
    rows = pa.Table.from_pylist([{owners: text, "_page": 1, "_ordinal": 7}], contract.landing_schema())
    reasons, entity = pa.array([["assignees.legible", "snapshot.other"]]), pa.array([text])
    rows = rows.append_column("reasons", reasons).append_column("entity", entity)
    held.commit(quarantine(SnapshotKey("IP_PAT", "city", day)), {"data": rows}, {})
    source: Any = SimpleNamespace(dataset="IP_PAT", scope="city", as_of=day)
    shown = "常州恒创精密有限公司;＊＊＊;＊＊＊;常州大学"
    stores = held, Ledger(published)
    assert [(one.entity, one.found) for one in held_back(*stores, source)] == [(shown, shown), (shown, "")]
    assert held_back(*stores, source, text="扎西多吉") == []


def test_the_overview_leads_to_what_was_held_back(browser: TestClient) -> None:
    text = browser.get("/points/quarantine").text
    assert f'href="{HELD}"' in text


@pytest.mark.parametrize("source", ["TAX_CIT/320402", "NOPE/320411", "a/b.csv"])
def test_what_the_generation_does_not_stand_on_is_not_shown(browser: TestClient, source: str) -> None:
    assert browser.get(f"/points/quarantine/{source}").status_code == 404


def test_the_rows_of_another_district_and_of_the_city_are_not_shown(
    published: Engine, desk: Callable[..., TestClient]
) -> None:
    browser = desk(published, Reader("li", frozenset({"320412"})))
    assert browser.get(HELD).status_code == 404
    assert browser.get(HELD + ".csv").status_code == 404
    assert browser.get("/points/quarantine/IP_PAT/city").status_code == 404
    assert "IP_PAT" not in browser.get("/points/quarantine").text


def test_a_snapshot_that_is_not_in_the_lake_is_a_plain_page(browser: TestClient) -> None:
    answer = browser.get("/points/quarantine/TAX_CIT/320412")
    assert (answer.status_code, "所依据的文件或数据无法读取" in answer.text) == (503, True)
