"""The search of the pages, from a shell: `innopoints search`."""

from __future__ import annotations

from include.kernel.errors import BadInput, TerminalError
from include.kernel.settings import settings
from include.portal.city import LONGEST_QUERY, City, Enterprise, former_names
from include.portal.published import Reader, read
from include.store.lake import Lake
from include.store.ledger import Ledger
from include.store.warehouse import create_engine


def search(text: str) -> list[Enterprise]:
    """What the pages find for somebody who may see the whole city."""
    if len(text) > LONGEST_QUERY or not text.strip():
        raise BadInput(f"a text of 1 to {LONGEST_QUERY} characters is searched for", todo="type a name or a code")
    engine, lake = create_engine(settings().warehouse), Lake(settings().lake_root)
    with read(engine) as reading:
        if reading is None:
            raise TerminalError("nothing has been published yet", todo="innopoints refresh")
        former = former_names(lake, Ledger(reading.connection), reading.generation.as_of)
        return City.of(reading, former).find(text, Reader("shell"))
