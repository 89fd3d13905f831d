"""Would the tests notice? Each mutant breaks a copy of the program in one known way; the test it names must fail.

The same test must pass on the copy as it is, so that nothing is killed by a broken copy.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.long
PROJECT = Path(__file__).parents[2]
MUTANTS = yaml.safe_load((Path(__file__).parent / "mutants.yaml").read_text(encoding="utf-8"))
PASSED, FAILED = 0, 1


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mutants")
    for name in ("include", "tests", "docs"):
        shutil.copytree(PROJECT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "pyproject.toml", folder)
    return folder


def verdict(copy: Path, test: str) -> int:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", test]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(copy)}
    return subprocess.run(command, cwd=copy, env=environment, capture_output=True, check=False).returncode


@pytest.mark.parametrize("test", sorted({mutant["killed_by"] for mutant in MUTANTS}))
def test_the_unbroken_copy_passes(copy: Path, test: str) -> None:
    assert verdict(copy, test) == PASSED


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant["name"] for mutant in MUTANTS])
def test_a_mutant_is_killed(copy: Path, mutant: dict[str, Any]) -> None:
    path = copy / mutant["file"]
    whole = path.read_text(encoding="utf-8")
    assert whole.count(mutant["find"]) == 1, "the mutant no longer fits the program: write it anew"
    path.write_text(whole.replace(mutant["find"], mutant["replace"]), encoding="utf-8")
    try:
        assert verdict(copy, mutant["killed_by"]) == FAILED, f"{mutant['killed_by']} did not notice"
    finally:
        path.write_text(whole, encoding="utf-8")
