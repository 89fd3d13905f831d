"""What the measures are: the typed headers of the SQL files, read strictly. No database is needed to know them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from include.contracts import contracts
from include.contracts.code_lists import CODES
from include.kernel.documents import parse_yaml
from include.kernel.errors import BadInput

SQL = Path(__file__).parent
ENTERPRISES = "enterprises"
# One row, one yes/no per dataset: was it delivered? A register that came and names nobody is a true zero.
DELIVERED = "delivered"

_HEADER = re.compile(r"\A/\*\n(.*?)\n\*/\n(.*)\Z", re.DOTALL)
_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Measure:
    """One exact number per enterprise. `datasets`: whose records it is made of, beside code lists."""

    name: str
    unit: str
    decimals: int
    datasets: tuple[str, ...]
    zh: str
    subject: str


@dataclass(frozen=True)
class Subject:
    """One SQL file: what it reads, what it gives, and its single SELECT."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[Measure, ...]
    sql: str


class _Output(BaseModel):
    model_config = ConfigDict(extra="forbid")
    unit: str = Field(min_length=1)
    decimals: int = Field(ge=0, le=6)
    datasets: list[str]
    zh: str = Field(min_length=1)


class _Header(BaseModel):
    model_config = ConfigDict(extra="forbid")
    subject: str
    grain: str = Field(pattern="^one row per enterprise$")
    inputs: list[str] = Field(min_length=1)
    outputs: dict[str, _Output] = Field(min_length=1)


@cache
def subjects() -> dict[str, Subject]:
    """Every subject by name, in the order of the file names."""
    found = {path.stem: read_subject(path) for path in sorted(SQL.glob("*.sql"))}
    names = [measure.name for subject in found.values() for measure in subject.outputs]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise BadInput(f"measure {twice[0]!r} is given by two subjects", where="measures", todo="rename one")
    return found


@cache
def measures() -> dict[str, Measure]:
    """Every measure by name, in the order of subjects and of their headers: the columns of the wide table."""
    return {measure.name: measure for subject in subjects().values() for measure in subject.outputs}


@cache
def columns_read(dataset: str) -> list[str]:
    """The conformed columns of a dataset that measures may read: those that any of the SQL names anywhere."""
    words = {word for subject in subjects().values() for word in _NAME.findall(subject.sql)}
    return [name for name in contracts()[dataset].conformed_schema().names if name in words]


def read_subject(path: Path) -> Subject:
    """Read one file; a header that is not as declared here is refused with file, key and what was found."""
    where = f"measures/{path.name}"
    parts = _HEADER.match(path.read_text(encoding="utf-8"))
    if parts is None:
        raise BadInput("no header: the file must begin with a YAML block comment", where=where)
    try:
        header = _Header.model_validate(parse_yaml(parts[1], where))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "(header)"
        raise BadInput(f"key {key}: {first['msg']}", where=where, todo="correct the header") from None
    if header.subject != path.stem:
        raise BadInput(f"subject {header.subject!r} does not match the file name", where=where)
    known = {ENTERPRISES, DELIVERED, *map(str.lower, contracts()), *(code.stem for code in CODES.glob("*.yaml"))}
    if unknown := [name for name in header.inputs if name not in known]:
        raise BadInput(f"unknown input {unknown[0]!r}", where=where, todo=f"use one of {', '.join(sorted(known))}")
    for name, output in header.outputs.items():
        if not _NAME.fullmatch(name):
            raise BadInput(f"output {name!r} is not a name in lower case", where=where)
        if strange := [dataset for dataset in output.datasets if not _reads(dataset, header.inputs)]:
            raise BadInput(f"output {name}: {strange[0]!r} is not among the inputs", where=where)
    outputs = tuple(
        Measure(name, output.unit, output.decimals, tuple(output.datasets), output.zh, header.subject)
        for name, output in header.outputs.items()
    )
    return Subject(header.subject, tuple(header.inputs), outputs, parts[2].strip())


def _reads(dataset: str, inputs: list[str]) -> bool:
    """The registry's records reach the measures as `enterprises`."""
    return dataset in contracts() and (ENTERPRISES if dataset == "REG_ENT" else dataset.lower()) in inputs
