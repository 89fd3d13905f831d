"""The few questions the demo asks a running Airflow, over its REST API."""

from __future__ import annotations

import json
from typing import Any

import requests

from include.kernel.errors import InnopointsError, TerminalError, TransientError

FINISHED = ("success", "failed")
SETTLED = ("success", "failed", "skipped", "upstream_failed", "removed")


class Airflow:
    """A signed-in client of one Airflow."""

    def __init__(self, base_url: str, user: str, password: str) -> None:
        self.base_url = base_url
        self._login = {"username": user, "password": password}
        self._session = requests.Session()
        self._sign_in()

    def dag_ids(self, tag: str) -> set[str]:
        """The DAGs with a tag that the scheduler knows."""
        return {dag["dag_id"] for dag in self._get("/dags", tags=tag, limit=100)["dags"]}

    def pools(self) -> set[str]:
        """The pools that exist; a task of another one would wait for ever."""
        return {pool["name"] for pool in self._get("/pools", limit=100)["pools"]}

    def trigger(self, dag_id: str, run_id: str, conf: dict[str, Any], note: str) -> None:
        """Start a run by hand."""
        body = {"dag_run_id": run_id, "logical_date": None, "conf": conf, "note": note}
        self._ask("POST", f"/dags/{dag_id}/dagRuns", json=body)

    def states(self, run_id: str) -> dict[str, str]:
        """DAG → state of its run with this id."""
        runs = self._get("/dags/~/dagRuns", run_id_pattern=run_id, limit=100)["dag_runs"]
        return {run["dag_id"]: run["state"] for run in runs}

    def progress(self, dag_id: str, run_id: str) -> tuple[int, int]:
        """How many task instances of a run are settled, of how many."""
        tasks = self._tasks(dag_id, run_id)
        return sum(task["state"] in SETTLED for task in tasks), len(tasks)

    def unfinished_runs(self, dag_id: str) -> int:
        """How many runs of a DAG wait or work."""
        return sum(
            self._get(f"/dags/{dag_id}/dagRuns", state=state, limit=1)["total_entries"]
            for state in ("queued", "running")
        )

    def failures(self, dag_id: str, run_id: str) -> list[str]:
        """One line per failed task: its label and the last error of its log."""
        lines = []
        for task in self._tasks(dag_id, run_id):
            if task["state"] == "failed":
                label = task.get("rendered_map_index") or ""
                lines.append(" ".join(filter(None, (dag_id, task["task_id"], label))) + f": {self._last_error(task)}")
        return lines

    def latest_run_id(self, dag_id: str) -> str | None:
        """The youngest run of a DAG."""
        runs = self._get(f"/dags/{dag_id}/dagRuns", order_by="-run_after", limit=1)["dag_runs"]
        return runs[0]["dag_run_id"] if runs else None

    def _tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        return self._get(f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances", limit=100)["task_instances"]

    def _last_error(self, task: dict[str, Any]) -> str:
        path = f"/dags/{task['dag_id']}/dagRuns/{task['dag_run_id']}/taskInstances/{task['task_id']}/logs"
        reply = self._get(f"{path}/{task['try_number']}", map_index=task["map_index"])
        said = [line["event"] for line in reply["content"] if line.get("level") == "error"]
        return said[0] if said else "its log has no error line"

    def _sign_in(self) -> None:
        reply = self._session.post(f"{self.base_url}/auth/token", json=self._login, timeout=30)
        if not reply.ok:
            raise _failure(reply)(f"Airflow refuses the login ({reply.status_code})", where=self.base_url)
        self._session.headers["Authorization"] = f"Bearer {reply.json()['access_token']}"

    def _get(self, path: str, **query: Any) -> dict[str, Any]:
        return self._ask("GET", path, params=query, headers={"Accept": "application/json"})

    def _ask(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        try:
            reply = self._session.request(method, f"{self.base_url}/api/v2{path}", timeout=60, **options)
            if reply.status_code == 401:
                self._sign_in()
                reply = self._session.request(method, f"{self.base_url}/api/v2{path}", timeout=60, **options)
        except requests.RequestException as error:
            raise TransientError(f"Airflow does not answer ({type(error).__name__})", where=path) from None
        if not reply.ok:
            raise _failure(reply)(f"Airflow answers {reply.status_code}: {_detail(reply)}", where=path)
        return reply.json()


def _failure(reply: requests.Response) -> type[InnopointsError]:
    """A server in trouble may answer later; what it refuses it refuses again."""
    return TransientError if reply.status_code >= 500 else TerminalError


def _detail(reply: requests.Response) -> str:
    try:
        return json.dumps(reply.json()["detail"], ensure_ascii=False)[:300]
    except (ValueError, KeyError):
        return reply.text[:300]
