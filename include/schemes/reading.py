"""Scheme files are read strictly: numbers stay text until parsed exactly, a key may stand once, nothing is guessed."""

from __future__ import annotations

import datetime
import re
from decimal import Decimal
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from include.kernel import documents
from include.kernel.documents import Loader
from include.kernel.errors import BadInput
from include.kernel.exact import parse_decimal

KEPT = "the schemes already in use; nothing was scored"


class _Loader(Loader):
    """YAML without numbers: `0.1` stays the text "0.1", so that no float ever decides a threshold or a weight."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":int", ":float"))]
    for first, resolvers in Loader.yaml_implicit_resolvers.items()
}


def _exact(raw: object) -> object:
    return parse_decimal(raw) if isinstance(raw, str) else raw


def _day(raw: object) -> object:
    """`2024-01-01`, quoted or not; a number is no date, whatever it might be the seconds of."""
    if isinstance(raw, str):
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", raw, re.ASCII):
            raise ValueError("write a date as 2024-01-01")
        return datetime.date.fromisoformat(raw)
    return raw


def _whole(raw: object) -> object:
    if isinstance(raw, str):
        value = parse_decimal(raw)
        if value != value.to_integral_value():
            raise ValueError(f"not a whole number: {raw!r:.40}")
        return int(value)
    return raw


Exact = Annotated[Decimal, BeforeValidator(_exact)]
Whole = Annotated[int, BeforeValidator(_whole)]
Day = Annotated[datetime.date, BeforeValidator(_day)]


class Strict(BaseModel):
    """A declared shape: unknown keys are refused, values do not change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Dated(Strict):
    """A rule that holds from its day until the next one, with the text that says so (`ours` = our own choice)."""

    since: Day = Field(alias="from")
    reference: str = Field(min_length=1)


DatedRule = TypeVar("DatedRule", bound=Dated)
Model = TypeVar("Model", bound=Strict)


def in_force(rules: list[DatedRule], as_of: datetime.date, where: str) -> DatedRule:
    """The rule of the day. Before the first date nothing is defined, and that is an error, never a zero."""
    holding = [rule for rule in rules if rule.since <= as_of]
    if not holding:
        first = f"the first rule holds from {rules[0].since}" if rules else "there is none"
        raise BadInput(f"no rule is in force on {as_of}; {first}", where=where, kept=KEPT, todo="choose a later date")
    return holding[-1]


def ordered(rules: list[DatedRule]) -> list[DatedRule]:
    """Validator of a dated list: dates ascend and none stands twice, so that exactly one rule holds on a day."""
    for earlier, later in pairwise(rules):
        if later.since <= earlier.since:
            raise ValueError(f"dates overlap: {later.since} is not after {earlier.since}")
    return rules


def read_yaml(path: Path) -> Any:
    """The file as text, lists and mappings; a broken file gives one line with its name."""
    return documents.read_yaml(path, kept=KEPT, loader=_Loader)


def parse(model: type[Model], raw: object, where: str) -> Model:
    """`raw` as `model`; the refusal names file, key, what was found and what is allowed."""
    if raw is None:
        raise BadInput("nothing is written in it", where=where, kept=KEPT, todo="write the file, or remove it")
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        first = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
        key = ".".join(str(part) for part in first["loc"]) or "(file)"
        is_one_value = first["type"] != "missing" and not isinstance(first["input"], dict | list)
        given = str(first["input"]) if isinstance(first["input"], Decimal) else first["input"]
        found = f", found {given!r:.60}" if is_one_value else ""
        message = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            allowed = _allowed_keys(model, first["loc"][:-1])
            message, found = f"unknown key; allowed are {', '.join(allowed)}", ""
            if near := nearest(str(first["loc"][-1]), allowed):
                message += f" (did you mean {near}?)"
        raise BadInput(f"key {key}: {message}{found}", where=where, kept=KEPT, todo="correct the file") from None


def nearest(word: str, known: list[str]) -> str | None:
    """The known name that a misspelt one most likely means."""
    by_folded = {name.casefold(): name for name in reversed(known)}
    matches = get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.5)
    return by_folded[matches[0]] if matches else None


def _allowed_keys(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    for step in path:
        if not isinstance(step, str) or step not in (names := _keys(model)):
            continue
        inner = _model_of(model.model_fields[names[step]].annotation)
        if inner is not None:
            model = inner
    return list(_keys(model))


def _keys(model: type[BaseModel]) -> dict[str, str]:
    return {field.alias or name: name for name, field in model.model_fields.items()}


def _model_of(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = [_model_of(part) for part in getattr(annotation, "__args__", ())]
    return next((part for part in found if part is not None), None)
