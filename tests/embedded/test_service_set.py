"""The service set without a container engine: what is refused before anything starts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from include.embedded.service_set import ServiceSet
from include.kernel.errors import BadInput


def test_missing_packages_are_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "include.embedded", "services"],
        env={**os.environ, "INNOPOINTS_HOME": str(tmp_path), "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.endswith("is not installed | do: apt-get install postgresql redis-server")
    assert list(tmp_path.iterdir()) == []


def test_what_another_world_has_left_is_not_taken_over(tmp_path: Path) -> None:
    (tmp_path / "world").write_text("120 4", encoding="utf-8")
    other = {"INNOPOINTS_SANDBOX_SEED": "5", "INNOPOINTS_SANDBOX_ENTERPRISES": "120"}
    with pytest.raises(BadInput, match="size and seed were '120 4', now '120 5'"):
        ServiceSet(tmp_path, other).start()
    assert [path.name for path in tmp_path.iterdir()] == ["world"]


def clean(home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "include.embedded", "clean"],
        env={**os.environ, "INNOPOINTS_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_clean_removes_what_the_set_has_left_but_not_under_a_running_database(tmp_path: Path) -> None:
    pid = tmp_path / "services" / "warehouse" / "postmaster.pid"
    pid.parent.mkdir(parents=True)
    pid.touch()
    refused = clean(tmp_path)
    assert (refused.returncode, pid.exists()) == (2, True)
    assert "the service set is running, or was killed" in refused.stderr
    pid.unlink()
    assert clean(tmp_path).returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_one_that_does_not_end_keeps_no_other_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    services = ServiceSet(tmp_path, {})
    for name in ("scheduler", "sandbox"):
        services.running[name] = subprocess.Popen(["sleep", "600"], start_new_session=True)
    monkeypatch.setattr(services.running["scheduler"], "wait", _never_ends)
    services.stop()
    assert services.running["sandbox"].returncode is not None


def _never_ends(seconds: float) -> int:
    raise subprocess.TimeoutExpired("scheduler", seconds)
