"""The fault table in the docs names every row, and tests that exist."""

from __future__ import annotations

import ast
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
ROWS = yaml.safe_load((ROOT / "docs" / "faults.yaml").read_text("utf-8"))["rows"]


def test_every_row_is_there_once_and_has_a_test_or_says_what_is_open() -> None:
    assert [row["row"] for row in ROWS] == list(range(1, 34))
    for row in ROWS:
        assert row.get("tests") or row.get("open"), row["row"]
        assert set(row) <= {"row", "fault", "target", "tests", "measured", "open"}


def test_every_test_that_is_named_exists() -> None:
    for path, name in {tuple(test.split("::")) for row in ROWS for test in row.get("tests", [])}:
        tree = ast.parse((ROOT / path).read_text("utf-8"))
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, f"{path}::{name}"
