"""One small world for all tests of the stand-in departments."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.sandbox.serve import generate
from include.sandbox.world import World, world

SEED, ENTERPRISES = 7, 90


@pytest.fixture(scope="session")
def small_world() -> World:
    return world(SEED, ENTERPRISES)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which that same world is written."""
    folder = tmp_path_factory.mktemp("departments")
    generate(folder, ENTERPRISES, SEED)
    return folder
