"""From a task to our own pages about what it made: buttons on the task's page, whether it succeeded or was refused.

The worker asks each link when an attempt ends and leaves the answer as an XCom, and Airflow's API server reads only
that: a plugin has nothing to register. So a link knows what the task was given by name, which a refused snapshot needs
most, and a task that never began has none.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.standard.decorators.python import _PythonDecoratedOperator
from airflow.sdk import BaseOperatorLink
from airflow.sdk.bases.decorator import TaskDecorator, task_decorator_factory

PAGES = "points"
"""Below Airflow's own address: where `plugins/pages.py` mounts them."""


class QuarantineLink(BaseOperatorLink):
    """The rows of this snapshot that were held back."""

    name = "隔离区 Quarantine"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        return f"{_snapshot(operator, ti_key)}/quarantine"


class ValidationReportLink(BaseOperatorLink):
    """Verdict, counts and checks of this snapshot."""

    name = "校验报告 Validation report"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        return _snapshot(operator, ti_key)


class SnapshotManifestLink(BaseOperatorLink):
    """What of this snapshot is kept, with digests."""

    name = "清单 Manifest"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        return f"{_snapshot(operator, ti_key)}/manifest"


class ResultManifestLink(BaseOperatorLink):
    """What is kept of this district's, or the city's, result of the day, with digests."""

    name = "清单 Manifest"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        given = operator.op_kwargs
        run = given.get("publication") or given["run"]
        scheme = f"?scheme={run['scheme']}" if "scheme" in run else ""
        return f"{_pages(ti_key)}/results/{given.get('district', 'city')}/{run['as_of']}/manifest{scheme}"


def task_with(*links: BaseOperatorLink, **options: Any) -> TaskDecorator:
    """`@task` for one whose page has these links."""

    class LinkedTask(_PythonDecoratedOperator):
        operator_extra_links = links

    return task_decorator_factory(decorated_operator_class=LinkedTask, **options)


def _snapshot(operator: Any, ti_key: Any) -> str:
    given = operator.op_kwargs
    return f"{_pages(ti_key)}/snapshots/{given['dataset']}/{given['scope']}/{given['run']['as_of']}"


def _pages(ti_key: Any) -> str:
    return f"{ti_key.log_url.partition('/dags/')[0]}/{PAGES}"
