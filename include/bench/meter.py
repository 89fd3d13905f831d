"""What a phase costs: wall time, CPU of all threads, and the highest resident memory seen while it ran."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

EVERY_SECONDS = 0.01


class Meter:
    """Sums the phases of one process. A thread samples the resident set every ten milliseconds."""

    def __init__(self) -> None:
        self.phases: dict[str, dict[str, float]] = {}
        self._process = psutil.Process()
        self._peak = self._process.memory_info().rss
        self._done = threading.Event()
        self._sampler = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Meter:
        self._sampler.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._done.set()
        self._sampler.join()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Run a phase; a phase that runs again (for the next district) is added to."""
        self._peak = self._process.memory_info().rss
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        spent = self.phases.setdefault(name, {"wall_seconds": 0.0, "cpu_seconds": 0.0, "peak_bytes": 0})
        spent["wall_seconds"] += time.perf_counter() - wall
        spent["cpu_seconds"] += time.process_time() - cpu
        spent["peak_bytes"] = max(spent["peak_bytes"], self._peak, self._process.memory_info().rss)

    def _sample(self) -> None:
        while not self._done.wait(EVERY_SECONDS):
            self._peak = max(self._peak, self._process.memory_info().rss)
