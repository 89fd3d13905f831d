"""The benchmark of the search at a small size: both ways find the same, and whoever is meant is found."""

from __future__ import annotations

import pytest

from include.bench import search
from include.bench.search import bench_search
from include.kernel.errors import TerminalError


def test_search_and_statement_find_the_same_and_whoever_is_meant_is_among_the_first() -> None:
    found = bench_search(400, 20, seed=7)
    assert found["typed"] > 150
    assert found["meant_among_first_10"] >= 0.98
    assert found["ours_cpu_ms"]["p50"] <= found["ours_cpu_ms"]["p99"] <= found["ours_cpu_ms"]["max"]


def test_a_search_that_misses_somebody_is_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "_BY_HAND", search._BY_HAND.replace("WHERE", "WHERE place > 200 AND"))
    with pytest.raises(TerminalError, match="search and statement differ"):
        bench_search(400, 20, seed=7)


def test_the_99th_percentile_of_a_hundred_is_the_99th() -> None:
    assert search._p99([float(number) for number in range(100, 0, -1)]) == 99.0
    assert search._p99([5.0]) == 5.0
