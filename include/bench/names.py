"""`innopoints bench-names`: `innopoints resolve` on real-like names with known answers, judged, timed, weighed.

It runs as a process of its own on two CSV files, so that time and memory are those an officer has.
"""

from __future__ import annotations

import csv
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from include.bench.town import Asked, Town
from include.kernel.cells import write_csv
from include.kernel.errors import TerminalError

SEED = 20210430


def bench_names(enterprises: int, asked: int, *, seed: int = SEED) -> dict[str, Any]:
    """Draw a town, resolve its list, judge the answers; what came out, as JSON."""
    town = Town.drawn(enterprises, asked, seed)
    with tempfile.TemporaryDirectory(prefix="innopoints-names-") as folder:
        cost, answers = _resolved(town, Path(folder))
    return {"enterprises": enterprises, "names": asked, "seed": seed, **cost, **judged(town.asked, answers)}


def _resolved(town: Town, folder: Path) -> tuple[dict[str, Any], list[dict[str, str]]]:
    names, registry, out = (folder / f"{name}.csv" for name in ("names", "registry", "resolved"))
    write_csv(names, ["name"], ([one.text] for one in town.asked))
    write_csv(registry, ["uscc", "name", "former_names"], _registered(town))
    started = time.perf_counter()
    command = [sys.executable, "-m", "include", "resolve"]
    command += ["--names", str(names), "--registry", str(registry), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True)
    seconds = time.perf_counter() - started
    if done.returncode:
        raise TerminalError(f"resolve ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    with out.open(encoding="utf-8", newline="") as lines:
        answers = list(csv.DictReader(lines))
    cost = {
        "wall_seconds": round(seconds, 1),
        "cpu_seconds": round(spent.ru_utime + spent.ru_stime, 1),
        "peak_bytes": spent.ru_maxrss * 1024,
    }
    return cost, answers


def judged(asked: list[Asked], answers: list[dict[str, str]]) -> dict[str, Any]:
    """Precision, links of names that are nobody's, and how many true ones are linked or among the first three."""
    if [one.text for one in asked] != [answer["name"] for answer in answers]:
        raise TerminalError("the answers are not those of the names asked, in their order")
    right = wrong = of_nobody = found = 0
    tiers: dict[str, Counter[str]] = defaultdict(Counter)
    reached: Counter[str] = Counter()
    for one, answer in zip(asked, answers, strict=True):
        tiers[one.kind][answer["tier"]] += 1
        if answer["uscc"]:
            right += answer["uscc"] == one.uscc
            wrong += answer["uscc"] != one.uscc
            of_nobody += not one.uscc
        if one.uscc and one.uscc in (answer["uscc"], *answer["candidates"].split(";")):
            found += 1
            reached[one.kind] += 1
    meant = Counter(one.kind for one in asked if one.uscc)
    return {
        "links": right + wrong,
        "links_right": right,
        "precision": _share(right, right + wrong),
        "links_of_names_that_are_nobodys": of_nobody,
        "names_of_registered_firms": meant.total(),
        "automatic_or_top_3": _share(found, meant.total()),
        "automatic_or_top_3_by_kind": {kind: _share(reached[kind], number) for kind, number in sorted(meant.items())},
        "tiers_by_kind": {kind: dict(sorted(counts.items())) for kind, counts in sorted(tiers.items())},
    }


def _share(part: int, whole: int) -> float:
    return round(part / whole, 5) if whole else 1.0


def _registered(town: Town) -> Iterator[list[str]]:
    for uscc, name in town.names.items():
        former = town.former.get(uscc, [])
        years = range(2023 - len(former), 2023)
        yield [uscc, str(name), ";".join(f"{old}@{year}-06-30" for old, year in zip(former, years, strict=True))]
