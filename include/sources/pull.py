"""Pull one dataset from its source, whatever kind of source that is."""

from __future__ import annotations

from collections.abc import Generator, Iterator

from include.contracts import Contract
from include.kernel.connections import Connection
from include.kernel.errors import TransientError
from include.sources.declaration import DatabaseSource, FileDropSource, RestSource, Source
from include.sources.reply import KEPT, Fields, Page, Patience, Request

__all__ = ["Page", "Patience", "Pull", "Request", "pull"]


class Pull:
    """The pages of one pull, read once, in order.

    The iteration ends only when the copy is proved complete by the source's own totals; otherwise it raises, a
    `TransientError` when asking again may help. Afterwards `declared` is the source's total and `unregistered` the
    names of fields that nobody has put into the contract yet.
    """

    def __init__(self, pages: Generator[Page, None, int], fields: Fields, where: str) -> None:
        self._pages, self._fields, self._where = pages, fields, where
        self._declared: int | None = None

    def __iter__(self) -> Iterator[Page]:
        received = 0
        while True:
            try:
                page = next(self._pages)
            except StopIteration as finished:
                declared = finished.value
                break
            received += len(page.rows)
            yield page
        self._fields.finish(self._where)
        if received != declared:
            raise TransientError(
                f"incomplete: {received} rows came, {declared} are declared", where=self._where, kept=KEPT
            )
        self._declared = declared

    @property
    def declared(self) -> int:
        """The source's own total; there is none before the last page."""
        if self._declared is None:
            raise RuntimeError("the pull has not been read to its end")
        return self._declared

    @property
    def order(self) -> list[str]:
        """The header as it came, of a delivery that has one."""
        return list(self._fields.order)

    @property
    def unregistered(self) -> list[str]:
        """Fields that came and that the contract neither registers nor ignores."""
        return sorted(self._fields.unregistered)


def pull(
    source: Source, contract: Contract, request: Request, connection: Connection, patience: Patience = Patience()
) -> Pull:
    """Ask `source` for what `request` describes. Nothing is asked before the first page is taken.

    A driver is a generator of pages that returns the total its source declares. Drivers are imported here, when they
    are needed, because DAG parsing reads the declarations and must not pay for pandas.
    """
    where = f"{source.source} {request}"
    fields = Fields(contract)
    if isinstance(source, RestSource):
        from include.sources import rest

        pages = rest.pages(source, request, connection, fields, patience, where)
    elif isinstance(source, DatabaseSource):
        from include.sources import database

        pages = database.pages(source, contract, request, connection, fields, patience, where)
    elif isinstance(source, FileDropSource):
        from include.sources import filedrop

        pages = filedrop.pages(source, request, connection, fields, where)
    return Pull(pages, fields, where)
