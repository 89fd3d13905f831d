"""The signed protocol, spoken by a client written here from the protocol's text and by nothing of the pipeline."""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient
from httpx import Response

from include.kernel.areas import areas
from include.kernel.periods import SHANGHAI
from include.sandbox.gateway import create_app, load_shelves
from include.sandbox.records import RESOURCES
from include.sandbox.serve import DEPARTMENTS

NOW = 1_780_000_000.0  # the gateway's clock, in May 2026
BEFORE = "2026-06-15 00:00:00"
KEYS = {f"key-{department}": (department, f"secret-{department}") for department in DEPARTMENTS}


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


class Department:
    """A caller of one department."""

    def __init__(self, client: TestClient, clock: Clock, name: str) -> None:
        self.client, self.clock, self.name = client, clock, name
        self.key, self.secret = f"key-{name}", f"secret-{name}"
        self.token = ""

    def sign(self, text: str) -> str:
        return hmac.new(self.secret.encode(), text.encode(), hashlib.sha256).hexdigest()

    def timestamp(self) -> str:
        return datetime.fromtimestamp(self.clock.now, SHANGHAI).isoformat(timespec="seconds")

    def log_in(self, **changed: str) -> Response:
        timestamp, nonce = changed.get("timestamp", self.timestamp()), uuid.uuid4().hex
        proof = {
            "appKey": self.key,
            "timestamp": timestamp,
            "nonce": nonce,
            "sign": self.sign(f"{self.key}\n{timestamp}\n{nonce}"),
        }
        reply = self.client.post("/auth/token", json=proof | changed)
        self.token = reply.json().get("token", "")
        return reply

    def ask(self, resource: str, body: dict[str, Any] | None = None, **changed: str) -> Response:
        path, message, timestamp = f"/api/{resource}", str(uuid.uuid4()), self.timestamp()
        raw = json.dumps({"pageNo": 1, "pageSize": 500, "arrivedBefore": BEFORE} | (body or {})).encode()
        text = f"POST\n{path}\n{timestamp}\n{message}\n{hashlib.sha256(raw).hexdigest()}"
        headers = {
            "Authorization": f"Bearer {self.token}",
            "appKey": self.key,
            "messageId": message,
            "timestamp": timestamp,
            "sign": self.sign(text),
        }
        return self.client.post(path, content=raw, headers=headers | changed)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def shelves(home: Path):
    return load_shelves(home / "sandbox" / "world" / "gateway")


@pytest.fixture
def departments(shelves, clock: Clock) -> dict[str, Department]:
    client = TestClient(create_app(shelves, KEYS, requests_per_second=50, clock=clock))
    found = {name: Department(client, clock, name) for name in DEPARTMENTS}
    for department in found.values():
        assert department.log_in().status_code == 200
    return found


def unpack(department: str, reply: dict[str, Any]) -> tuple[int, list[dict[str, Any]]]:
    """(total, rows) out of each department's own envelope, which must say success."""
    if department == "registry":
        assert reply["IsSuccess"] is True
        assert isinstance(reply["TotalCount"], str)
        return int(reply["TotalCount"]), reply["DataList"]
    if department == "tax":
        assert reply["resultCode"] == "00"
        return reply["resultTotal"], reply["resultData"]
    if department == "ip":
        assert (reply["status"], reply["code"]) == (200, "0")
        return reply["result"]["total"], reply["result"]["data"]
    assert (reply["code"], reply["msg"]) == (0, "success")
    return reply["data"]["total"], reply["data"]["list"]


def every_page(department: Department, resource: str, clock: Clock, **body: Any) -> tuple[int, list[dict[str, Any]]]:
    rows: list[dict[str, Any]] = []
    number = 1
    while True:
        clock.now += 0.1
        total, page = unpack(department.name, department.ask(resource, body | {"pageNo": number}).json())
        rows += page
        if len(rows) >= total or not page:
            return total, rows
        number += 1


@pytest.mark.parametrize("dataset", RESOURCES)
def test_the_total_equals_the_rows_of_all_pages_in_every_envelope(dataset, departments, clock):
    resource = RESOURCES[dataset]
    path = f"{resource.department}/{resource.path}"
    total, rows = every_page(departments[resource.department], path, clock, pageSize=170)
    assert total == len(rows) > 0


@pytest.mark.parametrize("dataset", RESOURCES)
def test_the_districts_together_hold_what_the_city_holds(dataset, departments, clock):
    resource = RESOURCES[dataset]
    department, path = departments[resource.department], f"{resource.department}/{resource.path}"
    city, _ = every_page(department, path, clock)
    assert sum(every_page(department, path, clock, area=area)[0] for area in areas()) == city


def test_a_wrong_sign_is_refused_at_the_token_and_at_the_resource(departments):
    registry = departments["registry"]
    assert registry.log_in(sign="0" * 64).status_code == 401
    registry.log_in()
    refused = registry.ask("registry/enterprises", sign="0" * 64)
    assert (refused.status_code, refused.json()["code"]) == (401, "SIGN_INVALID")


def test_a_sign_does_not_fit_another_body(departments):
    registry = departments["registry"]
    first = registry.ask("registry/enterprises")
    headers = {
        name: first.request.headers[name] for name in ("Authorization", "appKey", "messageId", "timestamp", "sign")
    }
    other = registry.client.post("/api/registry/enterprises", content=b"{}", headers=headers)
    assert (first.status_code, other.status_code) == (200, 401)


def test_a_proof_older_than_five_minutes_is_refused(departments, clock):
    registry = departments["registry"]
    stale = datetime.fromtimestamp(clock.now - 301, SHANGHAI).isoformat(timespec="seconds")
    fresh = datetime.fromtimestamp(clock.now - 299, SHANGHAI).isoformat(timespec="seconds")
    nonce = "n"
    for timestamp, status in ((stale, 401), (fresh, 200)):
        sign = registry.sign(f"{registry.key}\n{timestamp}\n{nonce}")
        assert registry.log_in(timestamp=timestamp, nonce=nonce, sign=sign).status_code == status


def test_a_token_expires_and_says_so(departments, clock):
    registry = departments["registry"]
    clock.now += 1799
    assert registry.ask("registry/enterprises").status_code == 200
    clock.now += 2
    refused = registry.ask("registry/enterprises")
    assert (refused.status_code, refused.json()["code"]) == (401, "TOKEN_EXPIRED")


def test_a_department_does_not_answer_another_departments_key(departments):
    assert departments["registry"].ask("hr/insured").status_code == 403


def test_too_many_requests_are_asked_to_wait_and_then_welcome(departments, clock):
    hr, tax = departments["hr"], departments["tax"]
    replies = [hr.ask("hr/insured", {"pageSize": 1}) for _ in range(51)]
    assert [reply.status_code for reply in replies[:50]] == [200] * 50
    assert replies[50].status_code == 429
    wait = int(replies[50].headers["Retry-After"])
    assert wait >= 1
    assert tax.ask("tax/high-tech").status_code == 200
    clock.now += wait
    assert hr.ask("hr/insured").status_code == 200


def test_a_page_is_never_longer_than_a_thousand(departments):
    total, rows = unpack("hr", departments["hr"].ask("hr/insured", {"pageSize": 5000}).json())
    assert total > 1000
    assert len(rows) == 1000


def test_an_unknown_area_is_success_without_rows(departments):
    reply = departments["registry"].ask("registry/enterprises", {"area": "320499"}).json()
    assert reply["Result"] == "成功，已有效查询到数据！"
    assert unpack("registry", reply) == (0, [])


@pytest.mark.parametrize(
    ("resource", "failure"),
    [
        ("registry/enterprises", {"IsSuccess": False, "ErrorCode": "E500"}),
        ("tax/high-tech", {"resultCode": "99"}),
        ("ip/patents", {"code": "E500"}),
        ("hr/insured", {"code": 1}),
    ],
)
def test_a_failure_of_the_department_is_http_200_with_its_own_code(resource, failure, departments):
    reply = departments[resource.split("/")[0]].ask(resource, {"arrivedBefore": "15.06.2026"})
    assert reply.status_code == 200
    assert failure.items() <= reply.json().items()


def test_arrivals_are_before_the_cut_off_and_pages_keep_their_order(departments, clock):
    total, rows = every_page(departments["hr"], "hr/insured", clock, area="320411")
    arrivals = [row["AAE036"] for row in rows]
    assert arrivals == sorted(arrivals)
    assert arrivals[-1] < BEFORE
    middle = arrivals[total // 2]
    _, early = every_page(departments["hr"], "hr/insured", clock, area="320411", arrivedBefore=middle)
    _, late = every_page(departments["hr"], "hr/insured", clock, area="320411", arrivedFrom=middle)
    assert [row["AAE036"] for row in early + late] == arrivals


def test_the_business_period_has_a_floor(departments, clock):
    _, rows = every_page(departments["tax"], "tax/rd-deduction", clock, since="2024-01-01")
    assert {row["SSND"] for row in rows} == {"2024", "2025"}


def test_the_registry_answers_the_state_as_of_the_cut_off(departments, clock, small_world):
    them = small_world.firms
    renamed = next(i for i in range(them.count) if them.takes_part[i] and them.former_name[i])
    day = str(them.renamed_on[renamed])
    names = {}
    for before in (f"{day} 00:00:00", "2027-12-31 00:00:00"):
        _, rows = every_page(departments["registry"], "registry/enterprises", clock, arrivedBefore=before)
        mine = [row for row in rows if row["pripid"] == f"3204{renamed + 1:012d}"]
        assert len(mine) == 1
        names[before] = (mine[0]["entname"], mine[0]["formernames"])
    former, current = names.values()
    assert former == (them.former_name[renamed], None)
    assert current == (them.name[renamed], f"{them.former_name[renamed]}@{day}")


def test_a_changed_patent_comes_again_as_a_whole_with_a_later_update(departments, clock):
    _, rows = every_page(departments["ip"], "ip/patents", clock)
    versions: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        versions.setdefault(row["PublicationNumber"], []).append(row)
    changed = [found for found in versions.values() if len({row["UpdateTime"] for row in found}) > 1]
    assert changed
    for found in changed:
        assert len({row["ApplicationNumber"] for row in found}) == 1
        assert [row["UpdateTime"] for row in found] == sorted(row["UpdateTime"] for row in found)


def test_numbers_are_numbers_where_the_department_sends_numbers(departments):
    _, registered = unpack("registry", departments["registry"].ask("registry/enterprises").json())
    assert all(isinstance(row["estdate"], int) for row in registered)
    assert all(isinstance(row["regcap"], str) for row in registered)


def test_nothing_hidden_is_served(home: Path):
    for dataset in RESOURCES:
        row = json.loads(pq.read_table(home / "sandbox" / "world" / "gateway" / f"{dataset}.parquet")["row"][0].as_py())
        assert not [name for name in row if name.startswith("_")]
