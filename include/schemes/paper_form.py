"""What a paper form would ask: the frozen list against which the fields that nobody has to fill in are counted."""

from __future__ import annotations

import datetime
from typing import Annotated

from pydantic import AfterValidator, Field

from include.kernel.errors import BadInput
from include.schemes.model import Scheme
from include.schemes.reading import KEPT, Dated, Strict, in_force, ordered, parse, read_yaml

FILE = "paper_form.yaml"


class PaperForm(Dated):
    """Indicator → the fields that an enterprise would have to fill in for it. A field is filled in once."""

    indicators: dict[str, Annotated[list[str], Field(min_length=1)]]


class _File(Strict):
    forms: Annotated[list[PaperForm], AfterValidator(ordered)] = Field(min_length=1)


def paper_form(scheme: Scheme, as_of: datetime.date) -> PaperForm | None:
    """The form in force, or None where the scheme has none. It must speak of exactly the scheme's indicators."""
    path, where = scheme.directory / FILE, scheme.where(FILE)
    if not path.exists():
        return None
    form = in_force(parse(_File, {"forms": read_yaml(path)}, where).forms, as_of, where)
    if odd := sorted(set(form.indicators) ^ set(scheme.indicators)):
        raise BadInput(
            f"key {form.since}: {odd[0]} is not in both the form and the scheme",
            where=where,
            kept=KEPT,
            todo="name every indicator of the scheme once",
        )
    return form
