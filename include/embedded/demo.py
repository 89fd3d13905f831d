"""`make demo`: bring everything up, refresh tonight in every district before the reader's eyes, and sum it up."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from include.embedded import environment, supervisor
from include.embedded.airflow_api import FINISHED, Airflow
from include.embedded.summary import publication, summary
from include.kernel.areas import areas
from include.kernel.errors import BadInput, TerminalError
from include.kernel.settings import Settings
from include.steps import due_publications

WAREHOUSE = ("warehouse.sqlite", "warehouse.sqlite-wal", "warehouse.sqlite-shm")
STATE = ("airflow", "airflow.env", "earlier", "lake", "run", "sandbox", *WAREHOUSE)
SCHEME = "changzhou_v1"
CITY, PUBLISH = "innopoints_city", "innopoints_publish"
REFRESH_SECONDS = 40 * 60
POLL_SECONDS, TELL_SECONDS = 2, 10


def demo(settings: Settings, *, keep: bool) -> bool:
    """True when tonight is published. Ctrl-C, a failure to start, and `keep=False` stop everything."""
    console, home = Console(highlight=False, width=None if sys.stdout.isatty() else 120), settings.home.absolute()
    finished = published = False
    try:
        started = time.monotonic()
        bring_up(settings, console)
        airflow = Airflow(
            f"http://127.0.0.1:{settings.airflow_port}", environment.USER, environment.secrets_of(home)["password"]
        )
        up = time.monotonic()
        published = refresh(settings, airflow, console)
        refreshed = time.monotonic()
        if published:
            summary(settings.warehouse, console)
        console.print(f"\nstarted in {up - started:.0f} s, refreshed in {refreshed - up:.0f} s")
        finished = True
    except KeyboardInterrupt:
        console.print("interrupted")
    finally:
        if finished and keep:
            console.print(_where(settings))
        elif supervisor.stop(home):
            console.print("stopped")
    return published


def bring_up(settings: Settings, console: Console) -> None:
    """A supervisor of this world that says it is ready: the one that runs already, or a new one."""
    home = settings.home.absolute()
    state = supervisor.read_state(home)
    wanted = [settings.airflow_port, settings.sandbox_port]
    if supervisor.is_supervised(home):
        if state.get("world") == supervisor.world(settings) and state.get("ports") == wanted:
            console.print("already up")
        else:
            console.print("stopping the one that runs with other settings")
            supervisor.stop(home)
    if not supervisor.is_supervised(home):
        supervisor.require_ports(settings)
        set_earlier_world_aside(settings, console)
        supervisor.start(settings)
    told = ""
    began = last_seen = time.monotonic()
    while (state := supervisor.read_state(home)).get("phase") != "ready":
        if state.get("phase") == "failed":
            raise TerminalError(f"start failed: {state['detail']}", kept=str(home), todo="then `make demo` again")
        now = time.monotonic()
        last_seen = now if supervisor.is_supervised(home) else last_seen
        if now - last_seen > 20:
            raise TerminalError("the supervisor is gone", todo=f"read {home / 'run' / 'supervisor.log'}")
        line = f"{state.get('phase', 'supervisor')}: {state.get('detail', 'starting')}"
        if line != told:
            console.print(f"[{now - began:4.0f} s] {line}", markup=False)
            told = line
        time.sleep(0.3)


def set_earlier_world_aside(settings: Settings, console: Console) -> None:
    """Snapshots of another seed or size must not be taken for tonight's: that state moves to `<home>/earlier/`."""
    home, mark = settings.home.absolute(), settings.home.absolute() / "run" / "world"
    now = f"{settings.sandbox_seed} {settings.sandbox_enterprises}"
    before = mark.read_text(encoding="utf-8") if mark.exists() else now
    if before != now:
        outside = [name for name in ("warehouse_url", "lake") if getattr(settings, name)]
        if outside:
            raise BadInput(
                f"seed and size were {before!r}, now {now!r}",
                where=f"INNOPOINTS_{outside[0].upper()}",
                kept="the results of the other world, which are not ours to move",
                todo="set it to an empty place",
            )
        aside = home / "earlier" / datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        aside.mkdir(parents=True)
        for name in ("airflow", "lake", "sandbox", *WAREHOUSE):
            if (home / name).exists():
                (home / name).rename(aside / name)
        console.print(f"seed and size were {before}, now {now}: the earlier state is in {aside}")
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.write_text(now, encoding="utf-8")


def refresh(settings: Settings, airflow: Airflow, console: Console) -> bool:
    """As the night does for the business date: the city, then every district, then the city's publication."""
    as_of = settings.business_date()
    districts = {f"innopoints_{code}": area.name_zh for code, area in areas().items()}
    deadline = time.monotonic() + REFRESH_SECONDS
    while missing := {*districts, CITY, PUBLISH} - airflow.dag_ids("innopoints"):
        if time.monotonic() > deadline:
            raise TerminalError(f"Airflow does not show {min(missing)}", todo="`airflow dags list-import-errors`")
        time.sleep(1)
    if unknown := environment.pools().keys() - airflow.pools():
        raise TerminalError(
            f"this Airflow was started before pool {min(unknown)} was declared",
            kept="all that is published",
            todo="`make down`, then `make demo`",
        )
    console.print(f"refresh as of {as_of}, scheme {SCHEME}: the city, then {len(districts)} districts")
    run_id = f"demo__{as_of}__{datetime.now(UTC).strftime('%H%M%S%f')}"
    day = {"as_of": as_of.isoformat()}
    for dags, conf in (({CITY: "全市数据"}, day), (districts, {**day, "scheme": SCHEME})):
        for dag_id in dags:
            airflow.trigger(dag_id, run_id, conf, note="make demo")
        states = _watch(airflow, dags, run_id, deadline, console)
        failed = [dag_id for dag_id in dags if states.get(dag_id) != "success"]
        for dag_id in dags:
            for line in airflow.failures(dag_id, run_id):
                console.print(f"failed: {line}", markup=False)
    if failed:
        console.print(f"not published: {len(failed)} districts failed; the sweep at 05:00 publishes the others")
        return False
    return _await_publication(settings, airflow, console, deadline)


def _watch(airflow: Airflow, dags: dict[str, str], run_id: str, deadline: float, console: Console) -> dict[str, str]:
    """Poll until every run is finished. A terminal sees bars; anything else a line now and then."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    finished: set[str] = set()
    counts = dict.fromkeys(dags, (0, 0))
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bars = {dag_id: progress.add_task(f"{dag_id} {name}", total=None) for dag_id, name in dags.items()}
        began = time.monotonic()
        told = 0.0
        while True:
            states, now = airflow.states(run_id), time.monotonic()
            ended = {dag_id for dag_id in dags if states.get(dag_id) in FINISHED} - finished
            due = {*dags} - finished if now - told > TELL_SECONDS else ended
            for dag_id in due:
                counts[dag_id] = settled, tasks = airflow.progress(dag_id, run_id)
                progress.update(bars[dag_id], completed=settled, total=tasks or None)
            for dag_id in sorted(ended):
                progress.stop_task(bars[dag_id])
                if not console.is_terminal:
                    console.print(f"[{now - began:4.0f} s] {dag_id} {states[dag_id]}", markup=False)
            if due > ended:
                told = now
                if not console.is_terminal:
                    settled, tasks = (sum(column) for column in zip(*counts.values(), strict=True))
                    console.print(f"[{now - began:4.0f} s] {settled} of {tasks} tasks", markup=False)
            finished |= ended
            if len(finished) == len(dags) or now > deadline:
                return states
            time.sleep(POLL_SECONDS)


def _await_publication(settings: Settings, airflow: Airflow, console: Console, deadline: float) -> bool:
    """Until no scored district of the date waits to be published; then say what became of it.

    When the bells stay unheard for a minute the publication is asked for by hand, as the 05:00 sweep would.
    """
    as_of, quiet_since, asked = settings.business_date(), time.monotonic(), False
    while time.monotonic() < deadline:
        waiting = any(due["as_of"] == as_of.isoformat() for due in due_publications(as_of, sweep=True))
        busy, now = airflow.unfinished_runs(PUBLISH), time.monotonic()
        if not busy and (not waiting or (asked and now - quiet_since > 60)):
            break
        if busy:
            quiet_since = now
        elif now - quiet_since > 60:
            airflow.trigger(PUBLISH, f"demo__{as_of}__{datetime.now(UTC).strftime('%H%M%S%f')}", {}, note="make demo")
            asked, quiet_since = True, now
        time.sleep(POLL_SECONDS)
    found = publication(settings.warehouse, as_of)
    if found is not None and found["status"] != "blocked":
        if found["status"] != "current":
            console.print(f"generation {found['generation_id']} of {as_of} is {found['status']}: {found['reason']}")
        return True
    latest = airflow.latest_run_id(PUBLISH)
    for line in airflow.failures(PUBLISH, latest) if latest else []:
        console.print(f"failed: {line}", markup=False)
    console.print(f"not published: {found['reason'] if found else f'there is no generation of {as_of}'}", markup=False)
    return False


def _where(settings: Settings) -> str:
    home = settings.home.absolute()
    password = environment.secrets_of(home)["password"]
    return "\n".join(
        [
            f"Airflow   http://127.0.0.1:{settings.airflow_port}   user {environment.USER}   password {password}",
            f"sandbox   http://127.0.0.1:{settings.sandbox_port}",
            f"shell     . {_short(home / 'airflow.env')}   then airflow … and innopoints …",
            "stop      make down",
        ]
    )


def _short(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
