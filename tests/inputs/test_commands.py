"""Districts, dates, schemes and run configurations that cannot be: refused before anything is started."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from include.kernel.errors import BadInput
from include.store.lake import Lake
from tests.inputs.conftest import Refused, named, one_clear_line

DISTRICTS = [
    "330106' OR '1'='1",
    "330106; DROP TABLE published--",
    "../330106",
    "３３０１０６",
    "320411\n",
    " 320411",
    "*",
    "",
    "3" * 10_000,
    "330106",  # well formed, and another city's
    "3204jk",
    "{{ 7*7 }}",
    "{% raw %}",
    "320411|2026-02-30",
    "🐉",
    "\ud800",
    "city",
]
DATES = [
    "2026-02-30", "2026/2/3", "20261120", "9999-12-31", "0000-00-00", "2026-11-20T00:00:00Z", "２０２６-11-20",
    "2026-11-20\n", "|2026-01-01", "45000", "{{ ds }}", "丙午年十月十一", "-1", "2" * 10_000,
]  # fmt: skip
SCHEMES = ["../changzhou_v1", "changzhou_v1/../changzhou_v1", "changzhou_v1'--", "x" * 10_000, "{{ 7*7 }}", "", "."]


@pytest.mark.parametrize("district", DISTRICTS, ids=named)
def test_a_district_that_is_none_of_the_seven(refused: Refused, district: str) -> None:
    said = refused("refresh", "--as-of", "2026-11-20", "--district", "320411", "--district", district)
    assert "unknown district " in said
    assert "kept: nothing was started" in said
    assert "do: use one of 320402, " in said


@pytest.mark.parametrize("command", ["refresh", "publish"])
@pytest.mark.parametrize("day", DATES, ids=named)
def test_a_date_that_is_none(refused: Refused, command: str, day: str) -> None:
    said = refused(command, f"--as-of={day}")
    assert ("has not begun" if day == "9999-12-31" else "malformed date ") in said
    assert "kept: nothing was started" in said


@pytest.mark.parametrize("scheme", SCHEMES, ids=named)
def test_a_scheme_that_is_not_installed(refused: Refused, scheme: str) -> None:
    said = refused("refresh", "--as-of", "2026-11-20", f"--scheme={scheme}")
    assert "scheme" in said
    assert "changzhou_v1" in said


SETTINGS = [
    ("WAREHOUSE_URL", "canary", "is not an SQLAlchemy URL"),
    ("WAREHOUSE_URL", "postgresql://canary:canary@[::1/x", "is not an SQLAlchemy URL"),
    ("WAREHOUSE_URL", "postgresql://canary:canary@h:port/x", "is not an SQLAlchemy URL"),
    ("WAREHOUSE_URL", "mysql://canary:canary@h/x", "the warehouse cannot be 'mysql'"),
    ("WAREHOUSE_URL", "http://169.254.169.254/", "the warehouse cannot be 'http'"),
    ("WAREHOUSE_URL", "sqlite:///", "the warehouse cannot be 'sqlite'"),
    ("WAREHOUSE_URL", "sqlite:///:memory:", "the warehouse cannot be 'sqlite'"),  # it would be gone with the process
    ("WAREHOUSE_URL", "sqlite:////dev/null/x/y.sqlite", "the warehouse's folder cannot be made"),
    ("HOME", "/dev/null/x", "the warehouse's folder cannot be made"),
    ("LAKE", "canary://x", "the lake's address is of no kind that is known"),
    ("AS_OF", "2026-02-30", "setting INNOPOINTS_AS_OF is not usable"),
    ("SANDBOX_SEED", "-1", "setting INNOPOINTS_SANDBOX_SEED is not usable"),
    ("LINEAGE_URL", "http://canary:canary@h", "setting INNOPOINTS_LINEAGE_URL is not usable"),
    ("READERS", "{", "setting INNOPOINTS_READERS is not JSON"),
]


@pytest.mark.parametrize(("name", "value", "what"), SETTINGS)
def test_a_setting_that_cannot_be(
    refused: Refused, monkeypatch: pytest.MonkeyPatch, name: str, value: str, what: str
) -> None:
    monkeypatch.setenv(f"INNOPOINTS_{name}", value)
    said = refused("generations")
    assert what in said
    assert "canary" not in said


@pytest.mark.parametrize("place", ["../outside", "/etc/passwd", "accepted/../../outside", ""])
def test_no_name_leads_out_of_the_lake(tmp_path, place: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(BadInput, match="is not a place in the lake"):
        Lake(str(tmp_path)).write_text(place, "x")


# --- the configuration of a run


def _deep(levels: int = 10_000) -> list[Any]:
    nested: list[Any] = []
    for _ in range(levels):
        nested = [nested]
    return nested


CONFIGURATIONS: list[tuple[dict[Any, Any], str]] = [
    ({"url": "http://169.254.169.254/"}, "unknown key 'url'"),
    ({"conn_id": "other"}, "unknown key 'conn_id'"),
    ({"__class__": "os.system"}, "unknown key '__class__'"),
    ({"__classname__": "os.system", "__data__": "true"}, "unknown key '__classname__'"),
    ({"k" * 10_000: 1}, "unknown key 'kkk"),
    ({"a\nb": 1}, r"unknown key 'a\nb'"),
    ({"as_of": _deep()}, "malformed date (list)"),
    ({"as_of": {"__classname__": "datetime.date"}}, "malformed date (dict)"),
    ({"as_of": 45000}, "malformed date (int)"),
    ({"as_of": "{{ 7*7 }}"}, "malformed date '{{ 7*7 }}'"),
    ({"as_of": "330106|2026-11-20"}, "malformed date"),
    ({"scheme": _deep()}, "unknown nightly scheme (list)"),
    ({"scheme": "changzhou_v1' OR '1'='1"}, "unknown nightly scheme"),
    ({"scheme": None}, "unknown nightly scheme (NoneType)"),
]


@pytest.mark.airflow
@pytest.mark.parametrize(("conf", "what"), CONFIGURATIONS, ids=[str(i) for i in range(len(CONFIGURATIONS))])
def test_a_configuration_that_no_run_can_have(conf: dict[Any, Any], what: str) -> None:
    from plugins.run_plan import planned

    known = {"as_of": None, "scheme": "changzhou_v1"}
    run = SimpleNamespace(conf=conf, run_after=datetime(2026, 11, 23, 17, tzinfo=UTC), run_id="manual__1")
    context = {"params": known | conf, "dag_run": run, "logical_date": None, "dag": SimpleNamespace(params=known)}
    with pytest.raises(BadInput) as error:
        planned(context)
    assert what in one_clear_line(str(error.value))


@pytest.mark.airflow
@pytest.mark.parametrize(
    "district",
    [*DISTRICTS, _deep(), None, 320411, {"code": "320411"}],
    ids=named,
)
def test_a_back_fill_of_a_district_that_is_none(district: Any) -> None:
    from plugins.run_plan import planned_backfill

    given = {"districts": [district], "date_from": "2026-11-20", "date_to": "2026-11-20", "scheme": "changzhou_v1"}
    run = SimpleNamespace(conf=given, run_after=datetime(2026, 11, 23, 17, tzinfo=UTC), run_id="manual__1")
    with pytest.raises(BadInput, match="unknown district") as error:
        planned_backfill({"params": given, "dag_run": run, "dag": SimpleNamespace(params=given)})
    one_clear_line(str(error.value))
