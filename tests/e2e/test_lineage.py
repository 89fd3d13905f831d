"""The lineage of a real night of one district: complete from every department to every published table, true in its
counts, and nothing in it but names and counts.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

from include.kernel.references import SnapshotKey
from include.sources.declaration import of_district, shared, sources
from include.store.warehouse import PUBLISHED
from tests.e2e.conftest import AS_OF, City
from tests.steps.lineage_server import lineage_server, proper

pytestmark = [pytest.mark.services, pytest.mark.long]

DISTRICT = "320411"
PAIRS = [*shared(), *((dataset, DISTRICT) for dataset in of_district())]


@pytest.fixture(scope="module")
def told(departments: City, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[City, list[dict[str, Any]]]]:
    """A home in which a night was refreshed before a lineage server that listened, and all that it heard."""
    with pytest.MonkeyPatch.context() as patch, lineage_server() as server:
        home = tmp_path_factory.mktemp("lineage")
        patch.setenv("INNOPOINTS_HOME", str(home))
        patch.setenv("INNOPOINTS_LINEAGE_URL", server.url)
        there = departments.moved_to(home)
        there.refresh(AS_OF, [DISTRICT])
        yield there, server.events


def made(events: list[dict[str, Any]]) -> dict[str, int]:
    """Dataset → the rows that were written to it."""
    return {
        one["name"]: one["outputFacets"]["outputStatistics"]["rowCount"]
        for event in events
        if event["eventType"] == "COMPLETE"
        for one in event["outputs"]
    }


def test_every_run_begins_once_and_ends_once_as_the_specification_asks(told: Any) -> None:
    _, events = told
    for event in events:
        proper(event)
    kinds: dict[str, Counter[str]] = defaultdict(Counter)
    for event in events:
        kinds[event["run"]["runId"]][event["eventType"]] += 1
    assert {tuple(sorted(one.items())) for one in kinds.values()} <= {
        (("COMPLETE", 1), ("START", 1)),
        (("FAIL", 1), ("START", 1)),
    }
    jobs = Counter(event["job"]["name"].partition("/")[0] for event in events if event["eventType"] == "START")
    assert jobs == {"land": len(PAIRS), "validate": len(PAIRS), "score": 1, "publish": 1}


def test_the_counts_are_those_of_the_ledger_and_of_the_world(told: Any) -> None:
    night, events = told
    rows = made(events)
    for dataset, scope in PAIRS:
        held = night.stores.ledger.snapshot(SnapshotKey(dataset, scope, AS_OF))
        if held.verdict == "accepted":
            assert rows[f"dataset/{dataset}/{scope}"] == held.accepted
            assert rows[f"quarantine/{dataset}/{scope}"] == held.quarantined
            assert rows[f"landing/{dataset}/{scope}"] == held.rows_in
        else:
            assert f"dataset/{dataset}/{scope}" not in rows
    truth = night.truth("truth_enterprises").to_pylist()
    here = sum((one["as_of"], one["district"]) == (AS_OF, DISTRICT) for one in truth)
    assert rows["published/enterprise_points"] == rows[f"points/{DISTRICT}"] == here > 0


def test_every_department_leads_to_every_published_table(told: Any) -> None:
    _, events = told
    onward: dict[str, set[str]] = defaultdict(set)
    for event in events:
        for one in event["inputs"]:
            onward[one["name"]] |= {out["name"] for out in event["outputs"]}
    for source in sources():
        reached, left = set(), {f"source/{source}"}
        while left:
            reached |= left
            left = {name for one in left for name in onward[one]} - reached
        assert {f"published/{table}" for table in PUBLISHED} <= reached, source


def test_there_is_nothing_in_it_but_names_and_counts(told: Any) -> None:
    night, events = told
    text = json.dumps(events, ensure_ascii=False)
    enterprises = night.truth("truth_enterprises")
    said = [one for name in ("uscc", "name") for one in enterprises[name].to_pylist() if one in text]
    assert said == []
    values = {type(value) for event in events for value in _leaves(event)}
    assert values <= {str, int}


def _leaves(held: Any) -> Iterator[Any]:
    if isinstance(held, dict):
        for value in held.values():
            yield from _leaves(value)
    elif isinstance(held, list):
        for value in held:
            yield from _leaves(value)
    else:
        yield held
