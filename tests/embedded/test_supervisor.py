"""Starting and stopping on one machine: clear refusals, no stranger killed, no world mixed with another."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from include.embedded import supervisor
from include.embedded.demo import set_earlier_world_aside
from include.kernel.errors import BadInput, TransientError
from include.kernel.settings import Settings

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


def test_a_port_in_use_is_one_clear_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(BadInput) as refused:
            supervisor.require_free(port, "INNOPOINTS_AIRFLOW_PORT")
    assert str(refused.value) == (
        f"port {port} is in use | kept: nothing was started | do: set INNOPOINTS_AIRFLOW_PORT to another, or free it"
    )


def test_stopping_takes_the_children_along() -> None:
    parent = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); "
    process = subprocess.Popen([sys.executable, "-c", parent + "print(flush=True); time.sleep(60)"], stdout=-1)
    assert process.stdout is not None
    process.stdout.readline()
    children = psutil.Process(process.pid).children()
    assert len(children) == 1
    assert supervisor.stop_processes([(process.pid, psutil.Process(process.pid).create_time())], patience=1)
    process.wait(5)
    assert not any(child.is_running() for child in children)


def test_a_pid_that_is_another_process_by_now_is_spared() -> None:
    stranger = subprocess.Popen(SLEEP)
    try:
        born = psutil.Process(stranger.pid).create_time()
        assert not supervisor.stop_processes([(stranger.pid, born - 100)])
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_one_supervisor_per_home(tmp_path: Path) -> None:
    assert not supervisor.is_supervised(tmp_path)
    with supervisor.sole_supervisor(tmp_path):
        assert supervisor.is_supervised(tmp_path)
        with pytest.raises(TransientError, match="already supervised"), supervisor.sole_supervisor(tmp_path, 0):
            pass
    assert not supervisor.is_supervised(tmp_path)


def test_stopping_where_nothing_runs_says_so(tmp_path: Path) -> None:
    assert not supervisor.stop(tmp_path)


@pytest.fixture
def console() -> Console:
    return Console(quiet=True)


def a_home_with_results(tmp_path: Path, console: Console) -> Settings:
    settings = Settings(home=tmp_path, sandbox_seed=1, sandbox_enterprises=100)
    set_earlier_world_aside(settings, console)
    (tmp_path / "lake").mkdir()
    (tmp_path / "warehouse.sqlite").write_text("published", encoding="utf-8")
    return settings


def test_the_same_world_keeps_its_state(tmp_path: Path, console: Console) -> None:
    settings = a_home_with_results(tmp_path, console)
    set_earlier_world_aside(settings, console)
    assert (tmp_path / "lake").is_dir()
    assert not (tmp_path / "earlier").exists()


def test_another_seed_moves_the_earlier_state_aside_and_deletes_nothing(tmp_path: Path, console: Console) -> None:
    settings = a_home_with_results(tmp_path, console)
    set_earlier_world_aside(settings.model_copy(update={"sandbox_seed": 2}), console)
    assert not (tmp_path / "lake").exists()
    (aside,) = (tmp_path / "earlier").iterdir()
    assert (aside / "warehouse.sqlite").read_text(encoding="utf-8") == "published"


def test_another_seed_is_refused_when_the_warehouse_is_elsewhere(tmp_path: Path, console: Console) -> None:
    settings = a_home_with_results(tmp_path, console)
    elsewhere = {"sandbox_seed": 2, "warehouse_url": "postgresql+psycopg://somewhere/else"}
    with pytest.raises(BadInput, match="INNOPOINTS_WAREHOUSE_URL"):
        set_earlier_world_aside(settings.model_copy(update=elsewhere), console)
    assert (tmp_path / "lake").is_dir()


def test_a_database_that_does_not_start_again_is_tried_again_and_ends_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Postgres:
        tried, up = 0, False

        def get_postmaster_info(self) -> Postgres:
            return self

        def is_running(self) -> bool:
            return self.up

        def ensure_postgres_running(self) -> None:
            self.tried += 1
            if self.tried < 3:
                raise subprocess.CalledProcessError(1, ["pg_ctl"])
            self.up = True

    guard = supervisor.Supervisor(Settings(home=tmp_path))
    guard.postgres = postgres = Postgres()
    now = iter(range(0, 100, 4))
    monkeypatch.setattr(supervisor.time, "monotonic", lambda: float(next(now)))
    for _ in range(12):
        guard._guard()
    assert (postgres.tried, postgres.up) == (3, True)
    assert capsys.readouterr().err.count("PostgreSQL does not start (CalledProcessError); tried again in 10 s") == 2


@pytest.mark.long
def test_what_a_killed_process_has_left_behind_ends_before_it_is_started_again(tmp_path: Path) -> None:
    guard = supervisor.Supervisor(Settings(home=tmp_path))
    guard.run_folder.mkdir(exist_ok=True)
    guard.variables = {}
    child = f"import subprocess, sys, time; print(subprocess.Popen({SLEEP!r}).pid, flush=True); time.sleep(60)"
    guard._spawn("scheduler", ["-c", child])
    log, first = guard.run_folder / "scheduler.log", guard.processes["scheduler"]
    deadline = time.monotonic() + 10
    while not log.read_text().strip() and time.monotonic() < deadline:
        time.sleep(0.05)
    orphan = psutil.Process(int(log.read_text()))
    first.popen.kill()
    first.popen.wait()
    first.created -= 10
    guard._guard()
    try:
        assert guard.processes["scheduler"].popen.pid != first.popen.pid
        psutil.wait_procs([orphan], timeout=5)
        assert not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE
    finally:
        guard._stop_all()
