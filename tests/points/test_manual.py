"""The scheme printed in docs/how-to/write-a-scheme.md is complete: copied out, it gives the result printed there."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

from include.steps.supplied import score_file

MANUAL = Path(__file__).parents[2] / "docs" / "how-to" / "write-a-scheme.md"
BLOCK = re.compile(r"```(yaml|csv)\n(.*?)```", re.DOTALL)


def test_the_scheme_of_the_manual_gives_the_result_of_the_manual(tmp_path: Path) -> None:
    blocks = BLOCK.findall(MANUAL.read_text(encoding="utf-8"))
    scheme = tmp_path / "tiny"
    files = [(text.split("\n", 1)[0][2:].strip(), text) for kind, text in blocks if kind == "yaml" and text[0] == "#"]
    for name, text in files:
        (scheme / name).parent.mkdir(parents=True, exist_ok=True)
        (scheme / name).write_text(text, encoding="utf-8")
    given, expected = [text for kind, text in blocks if kind == "csv"]
    (tmp_path / "in.csv").write_text(given, encoding="utf-8")
    score_file(str(scheme), tmp_path / "in.csv", tmp_path / "out.csv", date(2026, 11, 20))
    assert (tmp_path / "out.csv").read_text(encoding="utf-8") == expected


def test_the_manual_names_every_curve_and_every_key() -> None:
    from include.schemes.shapes import FORMS
    from include.schemes.tree import GateRule, NodeRule, RankRule, TreeIndicator, TreeRule

    text = MANUAL.read_text(encoding="utf-8")
    models = (NodeRule, TreeRule, RankRule, GateRule, TreeIndicator)
    keys = {field.alias or name for model in models for name, field in model.model_fields.items()}
    assert [
        name
        for name in [*FORMS, *sorted(keys)]
        if f"{name}(" not in text and f"`{name}" not in text and f"{name}:" not in text
    ] == []
