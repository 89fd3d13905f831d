"""The small scheme, and copies of it that a test may break."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

SMALL = Path(__file__).parent / "small"


@pytest.fixture
def small() -> Path:
    return SMALL


@pytest.fixture
def broken(tmp_path: Path) -> Callable[[str, str, str], Path]:
    """A copy of the small scheme in which one piece of one file is replaced by another."""
    copy = tmp_path / "small"

    def replace(file: str, old: str, new: str) -> Path:
        if not copy.exists():
            shutil.copytree(SMALL, copy)
        path = copy / file
        text = path.read_text(encoding="utf-8")
        assert text.count(old) >= 1, f"{old!r} is not in {file}"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        return copy

    return replace
