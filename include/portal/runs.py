"""What one run of a DAG made, for the tab on its page in Airflow: read off the ledger, in which every entry names the
task that made it. Counts and links, of the reader's districts.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import Response

from include.portal.asked import AskedFor
from include.portal.desk import Desk
from include.portal.honours import stands
from include.store.honours import rolls
from include.store.ledger import Ledger

Id = Annotated[str, Path(max_length=250, pattern=r"^[^\x00]*$")]
"""As long as Airflow's own; no database can look for a NUL."""


def run_routes(desk: Desk) -> APIRouter:
    """The page of a run. One that made nothing, one that is not known, and one of other districts are told alike."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/runs/{dag}/{run:path}")
    def run(asked: AskedFor, dag: Id, run: Id) -> Response:
        made, may_see, show = Ledger(desk.engine).made_by(dag, run), asked.reader.may_see, asked.show(None)
        proposed = [one for one in rolls(desk.engine) if one.proposed_by == f"{dag}/{run}"]
        return show.page(
            "run",
            dag=dag,
            run=run,
            snapshots=[one for one in made.snapshots if may_see(one.scope)],
            repulls=[one for one in made.repulls if may_see(one.scope)],
            releases=[one for one in made.releases if may_see(one.scope)],
            results=[one for one in made.results if may_see(one.result.district)],
            publications=made.publications,
            rolls=[(one, stands(show, one)) for one in proposed],
        )

    return routes
