"""Write docs/reference/ from the declarations themselves: `python docs/generate.py`; with `--check`, fail on drift."""

from __future__ import annotations

import json
import sys
from datetime import date
from pathlib import Path
from typing import Any

# This checkout's declarations, whatever else is installed.
sys.path[:0] = [str(Path(__file__).parents[1])]

import yaml
from catalogue import HEAD, catalogue
from fastapi import Depends
from fastapi.security import HTTPBearer
from pydantic import TypeAdapter

from include.contracts import Contract, contracts
from include.contracts.field_register import field_register
from include.evidence.account import Account, Change
from include.measures.registry import measures
from include.portal.published import Reader
from include.portal.web import make_app
from include.sandbox.dirt import KINDS
from include.schemes.model import require_scheme
from include.store.lake import Lake
from include.store.warehouse import create_engine

REFERENCE = Path(__file__).parent / "reference"
SCHEMES = ("changzhou_v1", "national_core")


def datasets_page() -> str:
    """The data dictionary: every dataset and column, native name beside ours."""
    lines = [HEAD, "# Datasets\n", "One contract each, in `include/contracts/datasets/`.\n"]
    for contract in contracts().values():
        lines += _dataset(contract)
    return "\n".join(lines)


def _dataset(contract: Contract) -> list[str]:
    lines = [
        f"\n## {contract.dataset} {contract.title_zh}\n",
        f"{contract.title_en}. Owner {contract.owner}; source `{contract.source}`; asked for per {contract.scope}; "
        f"one row = {contract.grain}; key {', '.join(contract.key)}; usable for {contract.max_age_days} days. "
        f"{_drift(contract)}\n",
        "| column | native | 中文 | type | unit | must hold | otherwise |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, column in contract.columns.items():
        rules = ["present"] if column.required else []
        rules += [f"in {' '.join(column.allowed)}"] if column.allowed else []
        rules += [f"matches `{column.pattern}`"] if column.pattern else []
        rules += [f"≥ {column.min}"] if column.min is not None else []
        rules += [f"≤ {column.max}"] if column.max is not None else []
        rules += [f"≤ {column.at_most}"] if column.at_most else []
        rules += ["credit code with its check character, or an older number"] if column.credit_code else []
        unit = f"{column.native_unit} → {column.unit}" if column.native_unit else column.unit or ""
        unit += f" (as {column.unit_in} says)" if column.unit_in else ""
        holds = "; ".join(rules).replace("|", "\\|")
        kind = f"{column.type}({column.decimals})" if column.type == "decimal" else column.type
        lines.append(
            f"| {name} | {column.native} | {column.zh} | {kind} | {unit} | {holds} "
            f"| {column.severity if holds else ''} |"
        )
    return lines


def _drift(contract: Contract) -> str:
    """What is watched from night to night, and what a delivery may do differently."""
    policy = contract.drift
    watched = [f"`{policy.period}`{f' (each {policy.cadence})' if policy.cadence else ''}"] if policy.period else []
    watched += [f"`{name}`" for name in policy.parts]
    text = f"New columns {policy.columns}, unreadable text {policy.data_type}, new codes {policy.codes}"
    return text + (f"; watched by {', '.join(watched)}." if watched else ".")


def field_register_page() -> str:
    """Every field that may be held, with its source, purpose, class, ground and retention."""
    today = date.max
    lines = [
        HEAD,
        "# Field register\n",
        "Every other field is dropped before anything is written. Purposes: `identify` ",
    ]
    lines[-1] += "finds the enterprise, `order` tells versions apart, `compute` feeds a measure, `scope` proves whose "
    lines[-1] += (
        "district it is, `check` judges the row, `show` tells an officer which record it is. Of a `person` only a "
    )
    lines[-1] += "keyed hash is held.\n"
    lists = dict.fromkeys(
        f"{one.dataset}.{name}"
        for one in contracts().values()
        for name in (one.entity.names, one.entity.filed_by)
        if name
    )
    lines += [
        f"**Individuals among owners.** {', '.join(lists)} are public lists of whoever owns or applied, and land as "
        "they were published: co-owners share a record, so nobody may be taken out of the list, and by a keyed hash no "
        "enterprise could be told from a person. Who in them may be a person (every name without a word of an "
        "organisation that nobody registered is called) is counted and never named: not in the review queue, logs, "
        "pages, accounts, differences or exports. Accounts withhold these columns; pages of quarantined rows show "
        "`＊＊＊` in place of such a name.\n"
    ]
    grounds: dict[tuple[str, str], int] = {}
    rows = []
    for field in field_register(today):
        ground = grounds.setdefault((field.basis, field.reference), len(grounds) + 1)
        rows.append(
            f"| {field.dataset} | {field.column} | {field.native} | {field.zh} | {field.source} | {field.purpose} "
            f"| {field.klass} | {ground} | {field.retention_days} |"
        )
    lines += [f"{number}. {basis}: {reference}" for (basis, reference), number in grounds.items()]
    lines += ["", "| dataset | field | native | 中文 | source | purpose | class | ground | kept, days |"]
    lines += ["|---|---|---|---|---|---|---|---|---|", *rows]
    return "\n".join(lines) + "\n"


def measures_page() -> str:
    """Every measure with its unit, decimals and the datasets it is taken from."""
    lines = [HEAD, "# Measures\n", "One exact number per enterprise; SQL in `include/measures/`.\n"]
    lines += ["| measure | 中文 | unit | decimals | datasets | subject |", "|---|---|---|---|---|---|"]
    for name, measure in sorted(measures().items()):
        lines.append(
            f"| {name} | {measure.zh} | {measure.unit} | {measure.decimals} | {' '.join(measure.datasets)} "
            f"| {measure.subject} |"
        )
    return "\n".join(lines) + "\n"


def dirt_page() -> str:
    """What a faults file may plant in the stand-in departments."""
    lines = [HEAD, "# Faults of the stand-in departments\n"]
    lines += [
        "How to plant them: [plant faults](../how-to/plant-faults.md). *No.* is the place among the 24 kinds of dirt"
    ]
    lines += [
        "of the project's domain notes; 0 is beside them. The rate is the one of life: of the records that can carry"
    ]
    lines += ["the fault, of a list's files for `sum_row`, of an answer's nights where whole answers are wrong.\n"]
    lines += [
        "| no. | kind | what is wrong | concluded | decided by | rate | datasets |",
        "|---|---|---|---|---|---|---|",
    ]
    for kind in sorted(KINDS.values(), key=lambda kind: (kind.number or 99, kind.name)):
        lines.append(
            f"| {kind.number} | `{kind.name}` | {kind.what} | {kind.conclusion} | {kind.decided_by} | {kind.rate:g} "
            f"| {' '.join(kind.datasets)} |"
        )
    return "\n".join(lines) + "\n"


def explain_schema() -> str:
    """What `innopoints explain --json` promises: an account, or with --since a change."""
    union = TypeAdapter(Account | Change).json_schema(mode="serialization")
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": "Generated by docs/generate.py from include/evidence/account.py. Do not edit.",
        "title": "innopoints explain --json",
    }
    return json.dumps({**head, **union}, ensure_ascii=False, indent=1) + "\n"


def faults_page() -> str:
    """The fault table: each fault, its target, the tests that hold it, and what they measured."""
    table = yaml.safe_load((Path(__file__).parent / "faults.yaml").read_text(encoding="utf-8"))
    lines = [
        HEAD,
        "# Faults\n",
        f"What may break, what must hold then, and what `make test-faults` measured on {table['measured_on']}. "
        "How to run it and replay a seed: [test the faults](../how-to/test-the-faults.md).\n",
        "| row | fault | target | tests | measured |",
        "|---|---|---|---|---|",
    ]
    for row in table["rows"]:
        tests = "<br>".join(f"`{test.split('::')[1]}`" for test in row.get("tests", []))
        measured = [row["measured"]] if "measured" in row else []
        measured += [f"*open:* {row['open']}"] if "open" in row else []
        lines.append(f"| {row['row']} | {row['fault']} | {row['target']} | {tests} | {'; '.join(measured)} |")
    return "\n".join(lines) + "\n"


def openapi() -> str:
    """The read API, as it describes itself; a token of Airflow opens it."""

    def admit(token: Any = Depends(HTTPBearer())) -> Reader:
        raise NotImplementedError

    def ask_release(person: str, conf: dict[str, str]) -> str:
        raise NotImplementedError

    app = make_app(create_engine("sqlite:///never-opened.sqlite"), Lake("."), admit, ask_release)
    head = {"x-generated": "by docs/generate.py from include/portal/api.py; do not edit"}
    where = {"servers": [{"url": "/points", "description": "On Airflow's own address."}]}
    return json.dumps(head | app.openapi() | where, ensure_ascii=False, indent=1) + "\n"


def main() -> int:
    """Write the pages, or with --check compare them."""
    pages = {
        "datasets.md": datasets_page(),
        "field-register.md": field_register_page(),
        "measures.md": measures_page(),
        "dirt.md": dirt_page(),
        "explain.schema.json": explain_schema(),
        "faults.md": faults_page(),
        "openapi.json": openapi(),
    }
    for scheme in SCHEMES:
        pages |= catalogue(require_scheme(scheme))
    kept = {str(path.relative_to(REFERENCE)): path for path in REFERENCE.rglob("*") if path.is_file()}
    if "--check" in sys.argv:
        stale = [name for name in pages if name not in kept or kept[name].read_text(encoding="utf-8") != pages[name]]
        stale += sorted(kept.keys() - pages.keys())
        if stale:
            more = f" and {len(stale) - 5} more" if len(stale) > 5 else ""
            sys.stderr.write(f"docs/reference is stale: {', '.join(stale[:5])}{more}; run `make docs`\n")
        return 1 if stale else 0
    for name in kept.keys() - pages.keys():
        kept[name].unlink()
    for name, text in pages.items():
        path = REFERENCE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
