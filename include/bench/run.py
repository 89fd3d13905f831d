"""`innopoints bench`: both sides on the same files, each in a process of its own, in turn; the figures as one JSON."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import psutil
import pyarrow as pa

from include.bench import best_effort, pipeline
from include.bench.compare import compare
from include.bench.meter import Meter
from include.bench.world import World, write
from include.kernel.errors import TerminalError
from include.steps.district import compiled

SIZES = (2_791, 100_000, 1_000_000)
SIDES = {"innopoints": pipeline.run, "best_effort": best_effort.run}
PHASES = ("read", "conform", "measure", "evaluate", "score", "rank", "write")
SEED = 20210430
_ONCE_FROM = 500_000


def bench(
    sizes: Sequence[int], *, scheme: str, as_of: date, repeats: int, work: Path | None, say: Callable[[str], None]
) -> dict[str, Any]:
    """The report over all sizes. Sizes from half a million on run once; the others `repeats` times, side by side."""
    results = []
    if work is not None:
        work.mkdir(parents=True, exist_ok=True)
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="innopoints-bench-", dir=work) as folder:
            say(f"{size:,} enterprises: drawing the accepted files")
            _child("world", Path(folder), str(size), as_of.isoformat())
            results.append(_of_size(Path(folder), scheme, 1 if size >= _ONCE_FROM else repeats, say))
    return {
        "scheme": scheme,
        "as_of": as_of.isoformat(),
        "seed": SEED,
        "indicators": len(compiled(scheme, as_of).indicators),
        "machine": _machine(),
        "method": "each side in its own process, in turn, on the same files; wall and CPU seconds of all threads are "
        "the median over the repeats; peak_bytes is the highest resident set seen every 10 ms, the highest repeat",
        "sizes": results,
        "growth": _growth(results),
    }


def _of_size(folder: Path, scheme: str, repeats: int, say: Callable[[str], None]) -> dict[str, Any]:
    world = World.at(folder)
    runs: dict[str, list[dict[str, dict[str, float]]]] = {side: [] for side in SIDES}
    for repeat in range(repeats):
        for side in SIDES:
            out = folder / f"{side}-{repeat}"
            runs[side].append(json.loads(_child("side", folder, side, scheme, str(out))))
            total = sum(phase["wall_seconds"] for phase in runs[side][-1].values())
            say(f"{world.enterprises:,} enterprises: {side} took {total:.1f} s")
    found = compare(world, compiled(scheme, world.as_of), *(folder / f"{side}-0" for side in SIDES))
    if found.differences:
        raise TerminalError(
            f"the two sides differ in {len(found.differences)} columns, first: {found.differences[0]}",
            where=f"bench of {world.enterprises} enterprises",
            kept="nothing was reported",
            todo="find which side is wrong before any figure is believed",
        )
    sides = {side: _summary(of_side) for side, of_side in runs.items()}
    ratio = {phase: _ratio(sides, phase) for phase in (*PHASES, "total")}
    return {
        "enterprises": world.enterprises,
        "cells": found.cells,
        "equal": True,
        "repeats": repeats,
        **sides,
        "ratio": ratio,
    }


def _summary(runs: list[dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    phases = {
        phase: {
            "wall_seconds": round(statistics.median(run[phase]["wall_seconds"] for run in runs), 3),
            "cpu_seconds": round(statistics.median(run[phase]["cpu_seconds"] for run in runs), 3),
            "peak_bytes": int(max(run[phase]["peak_bytes"] for run in runs)),
        }
        for phase in PHASES
    }
    total = {
        key: round(statistics.median(sum(phase[key] for phase in run.values()) for run in runs), 3)
        for key in ("wall_seconds", "cpu_seconds")
    }
    return {**phases, "total": {**total, "peak_bytes": max(phase["peak_bytes"] for phase in phases.values())}}


def _ratio(sides: dict[str, dict[str, dict[str, float]]], phase: str) -> dict[str, float | None]:
    ours, best = sides["innopoints"][phase], sides["best_effort"][phase]
    return {key: round(ours[key] / best[key], 2) if best[key] else None for key in ("wall_seconds", "cpu_seconds")}


def _growth(results: list[dict[str, Any]]) -> list[dict[str, float]]:
    """Seconds grow how many times for how many times the enterprises, from each size to the next."""
    return [
        {
            "from": smaller["enterprises"],
            "to": larger["enterprises"],
            "enterprises": round(larger["enterprises"] / smaller["enterprises"], 2),
            "wall_seconds": round(
                larger["innopoints"]["total"]["wall_seconds"] / smaller["innopoints"]["total"]["wall_seconds"], 2
            ),
        }
        for smaller, larger in pairwise(results)
    ]


def _machine() -> dict[str, Any]:
    return {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "system": platform.platform(),
        "python": platform.python_version(),
        "duckdb": duckdb.__version__,
        "numpy": np.__version__,
        "pyarrow": pa.__version__,
    }


def _child(*arguments: str | Path) -> str:
    """A part in a process of its own, so that its memory is its own."""
    command = [sys.executable, "-m", "include.bench.run", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise TerminalError(f"{arguments[0]} ended with {done.returncode}: {last[0]:.300}", where="bench")
    return done.stdout


def _main(part: str, folder: str, *rest: str) -> None:
    if part == "world":
        write(Path(folder), date.fromisoformat(rest[1]), int(rest[0]), SEED)
        return
    side, scheme, out = rest
    with Meter() as meter:
        SIDES[side](World.at(Path(folder)), scheme, Path(out), meter)
    sys.stdout.write(json.dumps(meter.phases))


if __name__ == "__main__":
    _main(*sys.argv[1:])
