"""Code lists: small tables of meanings (form rows, industry tiers, concordances), one YAML each in `codes/`."""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from include.kernel.documents import read_yaml
from include.kernel.errors import BadInput, TerminalError

if TYPE_CHECKING:
    import pyarrow as pa

CODES = Path(__file__).parent / "codes"


def code_list(name: str, as_of: date) -> pa.Table:
    """The rows of `codes/<name>.yaml` that hold on `as_of`.

    A list that officers change carries `editions` (`from`, `reference`, `rows`): the last edition begun by then holds
    whole, and before the first one the list is undefined, an error. Plain `rows` hold always.
    """
    import pyarrow as pa

    document = _read(name)
    if "editions" not in document:
        return pa.Table.from_pylist(document["rows"])
    begun = [edition for edition in document["editions"] if edition["from"] <= as_of]
    if not begun:
        raise TerminalError(f"undefined as of {as_of}", where=f"codes/{name}.yaml", todo="add a dated edition")
    return pa.Table.from_pylist(max(begun, key=lambda edition: edition["from"])["rows"])


@cache
def _read(name: str) -> dict[str, Any]:
    path = CODES / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(found.stem for found in CODES.glob("*.yaml")))
        raise BadInput(f"no code list {name!r}", todo=f"use one of {known}")
    document = read_yaml(path)
    allowed = {"rows"}, {"editions"}
    if set(document) not in allowed:
        raise BadInput(f"found the keys {sorted(document)}", where=path.name, todo="give either `rows` or `editions`")
    return document
