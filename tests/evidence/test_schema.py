"""The published schema of `explain --json` takes what the accounts are, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

SCHEMA = json.loads(
    (Path(__file__).parents[2] / "docs" / "reference" / "explain.schema.json").read_text(encoding="utf-8")
)


def test_the_published_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_an_account_without_its_records_or_with_a_word_too_many_is_refused() -> None:
    for wrong in ({}, {"uscc": "x", "name": "y"}, {"surprise": 1}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, SCHEMA, jsonschema.Draft202012Validator)
