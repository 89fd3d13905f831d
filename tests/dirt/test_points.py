"""Faults that can be recovered from leave no trace: the points of a dirty world are those of the clean one.

Both worlds answer as the departments do, and go through the steps of a night, one district. On nights after that the
dirty departments also give whole answers that are wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
import yaml

from include import steps
from include.kernel.errors import TerminalError
from include.kernel.references import ResultKey
from include.sandbox.dirt import KINDS, Fault, Faults
from include.sources.declaration import of_district, shared
from include.store import lake as places
from tests.e2e.conftest import City, served

pytestmark = [pytest.mark.services, pytest.mark.dirt]

AS_OF = date(2026, 12, 31)  # the corrections of the closed year have arrived
DISTRICT, SCHEME, ENTERPRISES, SEED = "320411", "changzhou_v1", 90, 21
WRONG_SEED = 2
Tables = dict[str, pa.Table]
RECOVERED = ("resolved", "shared", "duplicate", "void", "superseded")


def recoverable(rate: float) -> Faults:
    """All kinds that leave the facts as they are. How often returns and annexes were corrected is one."""
    chosen = [kind for kind in KINDS.values() if kind.conclusion in RECOVERED]
    facts = {"restated_year": ("TAX_HNTE", "TAX_VAT", "TAX_FIN")}
    rates = {"duplicated_page": rate / 10}  # each case is a page of ten
    planted = [(kind.name, rates.get(kind.name, rate), facts.get(kind.name, kind.datasets)) for kind in chosen]
    return Faults(tuple(Fault(*one) for one in planted))


# About every second night of 2024 to 2027, and by this seed not the night of AS_OF.
WRONG = tuple(
    Fault(kind, 0.5, (dataset,), WRONG_SEED)
    for kind, dataset in (("empty_success", "TAX_HNTE"), ("renamed_column", "HR_STAFF"), ("unit_of_answer", "TAX_RDD"))
)


def written(faults: tuple[Fault, ...], path: Path) -> Path:
    """As a faults file."""
    entries = [
        {"kind": one.kind, "rate": one.rate, "datasets": list(one.datasets)} | ({"seed": one.seed} if one.seed else {})
        for one in faults
    ]
    path.write_text(yaml.safe_dump({"faults": entries}), encoding="utf-8")
    return path


def bring_in(city: City, dataset: str, scope: str, as_of: date) -> dict[str, Any]:
    """Land and validate; the counts of the judgement."""
    steps.land(dataset, scope, as_of, holder="dirt", lookup=city.lookup)
    return steps.validate(dataset, scope, as_of, holder="dirt")


@contextmanager
def night(home: Path, *options: str) -> Iterator[tuple[City, dict[str, pa.Table]]]:
    """One district as of AS_OF: its ledger, its profile, and how many rows waited or came twice."""
    with served(home, ENTERPRISES, SEED, *options) as city, pytest.MonkeyPatch.context() as patch:
        patch.setenv("INNOPOINTS_HOME", str(home))
        counts = []
        for dataset, scope in [*shared(), *((own, DISTRICT) for own in of_district())]:
            judged = bring_in(city, dataset, scope, AS_OF)
            counts.append({name: judged[name] for name in ("quarantined", "duplicates")})
        for step in (steps.conform, steps.measure):
            step(DISTRICT, AS_OF, holder="dirt")
        for step in (steps.compute, steps.score):
            step(DISTRICT, AS_OF, SCHEME, holder="dirt")
        place = places.points(ResultKey(AS_OF, DISTRICT, SCHEME))
        tables = {name: city.stores.lake.read(place, name) for name in ("ledger", "profile")}
        yield city, tables | {"counts": pa.Table.from_pylist(counts)}


@pytest.fixture(scope="module")
def two_nights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Tables, Tables, City]]:
    """What came of the clean departments, of the dirty ones, and these, which still answer."""
    with night(tmp_path_factory.mktemp("clean"), "--dirt", "0") as (_, clean):
        pass
    home = tmp_path_factory.mktemp("dirty")
    faults = written((*recoverable(0.08).planted, *WRONG), home / "faults.yaml")
    with night(home, "--faults", str(faults)) as (city, dirty):
        yield clean, dirty, city


def test_no_row_of_the_clean_night_waits_or_comes_twice(two_nights) -> None:
    counts = two_nights[0]["counts"]
    assert (pc.sum(counts["quarantined"]).as_py(), pc.sum(counts["duplicates"]).as_py()) == (0, 0)


def test_the_points_are_those_of_the_clean_world_line_by_line(two_nights, record_property: Callable) -> None:
    clean, dirty, city = two_nights
    truth = city.truth("truth")
    kinds = truth.filter(pc.less(truth["arrived_at"], str(AS_OF)))["kind"]
    counted = sorted(
        (row["values"], row["counts"]) for row in kinds.value_counts().to_pylist() if row["values"] in KINDS
    )
    assert {kind for kind, _ in counted} >= {k.name for k in KINDS.values() if k.conclusion in RECOVERED}
    lines = [f"{kind:<18}{count:>8}" for kind, count in counted]
    record_property("shown", ("recovered from, points equal to those of the clean world", lines))
    assert clean["profile"].num_rows > 20
    for name in ("profile", "ledger"):
        different = [
            pair for pair in zip(clean[name].to_pylist(), dirty[name].to_pylist(), strict=True) if pair[0] != pair[1]
        ]
        assert different == []


def test_what_came_twice_was_counted_and_nothing_waits(two_nights) -> None:
    counts = two_nights[1]["counts"]
    assert pc.sum(counts["quarantined"]).as_py() == 0
    assert pc.sum(counts["duplicates"]).as_py() > 100


@pytest.mark.parametrize(
    ("kind", "dataset", "said"),
    [
        ("empty_success", "TAX_HNTE", "snapshot rejected: snapshot.min_rows"),
        ("renamed_column", "HR_STAFF", "fields are missing: AAB004; unregistered fields came: AAB004_NEW"),
        ("unit_of_answer", "TAX_RDD", "snapshot rejected"),
    ],
)
def test_a_wrong_answer_is_blocked_and_the_last_good_one_stays(two_nights, kind: str, dataset: str, said: str) -> None:
    *_, city = two_nights
    planted = [row for row in city.truth("truth").to_pylist() if row["kind"] == kind and row["scope"] == DISTRICT]
    bad = date.fromisoformat(min(row["key"] for row in planted if row["key"] > AS_OF.isoformat()))
    with pytest.raises(TerminalError, match=said):
        bring_in(city, dataset, DISTRICT, bad)
    last = city.stores.ledger.last_accepted(dataset, DISTRICT, bad)
    assert last is not None
    assert last.as_of == AS_OF
