"""What a source system is: one folder with one `source.yaml`, read strictly. Adding a department adds a folder.

Where it is and how we prove who we are is not declared here: that comes from the Airflow Connection it names.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from include.contracts import Contract, contracts
from include.kernel.areas import CITY, areas
from include.kernel.documents import read_yaml
from include.kernel.errors import BadInput

FOLDER = Path(__file__).parent
REGISTRY = "REG_ENT"
SHARED_POOL = "innopoints_shared"

Identifier = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, raw: Any) -> Any:
        if isinstance(raw, dict) and (unknown := [key for key in raw if key not in cls.model_fields]):
            raise ValueError(
                f"found {', '.join(repr(key)[:40] for key in unknown[:5])}, allowed {', '.join(cls.model_fields)}"
            )
        return raw


class Ok(_Strict):
    """The envelope says success when the value at `path`, as text, equals `equals`."""

    path: str
    equals: str


class Envelope(_Strict):
    """Where a department puts its verdict, its total, its rows and its message; paths are keys parted by dots."""

    ok: Ok
    total: str
    rows: str
    message: str


class Resource(_Strict):
    """A dataset on the gateway: `/api/<resource>`."""

    resource: str = Field(pattern=r"^[a-z0-9-]+/[a-z0-9-]+$")


class View(_Strict):
    """A dataset in the front-end database. The only place from which identifiers enter a statement."""

    view: Identifier
    area_column: Identifier
    arrival_column: Identifier
    period_column: Identifier | None = None


class Files(_Strict):
    """One kind of file in the drop folder. Its name carries the date it was handed over, as eight digits.

    `header_rows` of 2 means groups above columns: a column is called by its lowest filled cell. `total_row` says that
    the last row is a 合计, which is checked and left out. A file in somebody's own words names in `columns` each of its
    columns and the contract's field that it is; `constants` are fields that the file leaves unsaid, the same in every
    row (null = never said).
    """

    glob: str = Field(pattern=r"^[^/\\]+$")
    format: Literal["csv", "xlsx"]
    encoding: str = "utf-8"
    title_rows: int = Field(default=0, ge=0, le=20)
    header_rows: int = Field(default=1, ge=1, le=4)
    total_row: bool = False
    columns: dict[str, str] = Field(default_factory=dict)
    constants: dict[str, str | None] = Field(default_factory=dict)


class Drop(_Strict):
    """A dataset in the drop folder: all its files together."""

    files: list[Files] = Field(min_length=1)

    def kind_of(self, name: str) -> Files | None:
        """What a file of this name is."""
        return next((kind for kind in self.files if fnmatchcase(name, kind.glob)), None)


class _Source(_Strict):
    source: str
    title_zh: str
    title_en: str
    owner: str
    connection: Identifier
    pool: Identifier
    pool_slots: int = Field(ge=1, le=64)


class RestSource(_Source):
    """A department behind the signed gateway."""

    kind: Literal["rest"]
    page_size: int = Field(ge=1, le=1000)
    requests_per_second: float = Field(gt=0, le=1000)
    encoding: str = "utf-8"
    envelope: Envelope
    datasets: dict[str, Resource] = Field(min_length=1)


class DatabaseSource(_Source):
    """A department that opens read-only views of its front-end database."""

    kind: Literal["database"]
    datasets: dict[str, View] = Field(min_length=1)


class FileDropSource(_Source):
    """A department that hands over files, each with an `.ok` marker."""

    kind: Literal["filedrop"]
    datasets: dict[str, Drop] = Field(min_length=1)


Source = RestSource | DatabaseSource | FileDropSource


_KINDS: dict[str, type[RestSource] | type[DatabaseSource] | type[FileDropSource]] = {
    "rest": RestSource,
    "database": DatabaseSource,
    "filedrop": FileDropSource,
}


def load_source(path: Path) -> Source:
    """Read one `source.yaml`; errors name the file, the key, what was found and what is allowed."""
    try:
        raw = read_yaml(path)
        kind = raw.get("kind") if isinstance(raw, dict) else raw
        if not isinstance(raw, dict) or not isinstance(kind, str) or kind not in _KINDS:
            raise BadInput(f"key kind: found {kind!r:.40}, allowed {', '.join(_KINDS)}", where=str(path))
        source = _KINDS[kind].model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "(file)"
        found = "" if first["type"] == "value_error" else f"; found {first['input']!r:.80}"
        raise BadInput(
            f"key {key}: {first['msg'].removeprefix('Value error, ')}{found}", where=str(path), todo="correct the file"
        ) from None
    if source.source != path.parent.name:
        raise BadInput(
            f"key source: found {source.source!r}, allowed {path.parent.name!r}, its folder", where=str(path)
        )
    for dataset in source.datasets:
        contract = contracts().get(dataset)
        if contract is None or contract.source != source.source:
            theirs = [name for name, one in contracts().items() if one.source == source.source]
            raise BadInput(
                f"key datasets: found {dataset!r}, allowed {', '.join(theirs)}, the contracts of this source",
                where=str(path),
            )
        if isinstance(source, FileDropSource):
            _require_mapped(source.datasets[dataset], contract, str(path))
    return source


def _require_mapped(drop: Drop, contract: Contract, where: str) -> None:
    """A file kind with columns of its own accounts for every field of the contract, each once."""
    fields = {column.native for column in contract.columns.values()}
    for kind in drop.files:
        said = [*kind.columns.values(), *kind.constants]
        unknown = [name for name in said if name not in fields]
        twice = [name for name in said if said.count(name) > 1]
        unsaid = sorted(fields - set(said)) if kind.columns else []
        for what, which in (("unknown", unknown), ("named twice", twice), ("missing", unsaid)):
            if which:
                raise BadInput(
                    f"key datasets.{contract.dataset}.files, {kind.glob}: {what} {which[0]!r:.40}",
                    where=where,
                    todo=f"let columns and constants name each field of contract {contract.dataset} once",
                )


@cache
def sources() -> dict[str, Source]:
    """Every source by its name, in the order of the folders."""
    return {path.parent.name: load_source(path) for path in sorted(FOLDER.glob("*/source.yaml"))}


def shared() -> list[tuple[str, str]]:
    """(dataset, scope) of all that every district needs: the registry of each district, and the city's datasets."""
    city = [(dataset, CITY) for dataset, contract in contracts().items() if contract.scope == CITY]
    return [*((REGISTRY, area) for area in areas()), *city]


def of_district() -> list[str]:
    """The datasets that a district brings in by itself."""
    return [name for name, contract in contracts().items() if contract.scope != CITY and name != REGISTRY]


def source_of(contract: Contract) -> Source:
    """The source that delivers a contract's dataset, or one line that says what to write where."""
    source = sources().get(contract.source)
    if source is None:
        raise BadInput(
            f"dataset {contract.dataset} names the unknown source {contract.source!r}",
            todo=f"add include/sources/{contract.source}/source.yaml or use one of {', '.join(sources())}",
        )
    if contract.dataset not in source.datasets:
        raise BadInput(
            f"dataset {contract.dataset} is not under `datasets`",
            where=f"include/sources/{contract.source}/source.yaml",
            todo="say there where the department keeps it",
        )
    return source


def place_of(contract: Contract, page: str, ordinal: int) -> tuple[str, int]:
    """Where a person who opens the reply finds a record: in a file its `row`, counted as a spreadsheet or an editor
    counts, under the titles and headers that are agreed; in a page of any other reply its `record`. Both from 1.

    `ordinal` counts the records of the page from 0. Empty rows between records are passed over when a file is read, so
    below one the row is counted short by it.
    """
    source = source_of(contract)
    if not isinstance(source, FileDropSource):
        return "record", ordinal + 1
    kind = source.datasets[contract.dataset].kind_of(page)
    if kind is None:
        return "record", ordinal + 1  # a file that was agreed when it landed and is no longer
    return "row", kind.title_rows + kind.header_rows + ordinal + 1
