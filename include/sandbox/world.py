"""The deterministic world: the same seed and number of enterprises give the same bytes, on any machine and any day.

The clock is never read. The time line runs to the end of 2027 and every record carries its arrival time, so that any
as_of between 2024 and 2027 finds what had arrived by then.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from include.kernel.errors import BadInput
from include.sandbox import (
    banks,
    equity,
    industry,
    lists,
    market,
    patents,
    people,
    platforms,
    policy,
    registry,
    rights,
    risk,
    science,
    standards,
    talent,
    tax,
)
from include.sandbox.dirt import Answer, Faults, Ground, as_in_life, plant
from include.sandbox.dirt.answers import truth as answers_truth
from include.sandbox.firms import Figures, Firms, figures, firms
from include.sandbox.lists import Certificates
from include.sandbox.moves import hand_over
from include.sandbox.naming import MOST_COMPANIES
from include.sandbox.patents import Patents
from include.sandbox.truth import enterprises as enterprises_truth


@dataclass(frozen=True)
class World:
    """What is true, and the tables in which the departments hold it (dataset code → native text columns)."""

    seed: int
    firms: Firms
    figures: Figures
    patents: Patents
    certificates: Certificates
    tables: dict[str, pa.Table]
    planted: pa.Table  # the truth table of the faults, schema `dirt.TRUTH`
    enterprises: pa.Table  # the truth per enterprise, see `truth.enterprises`
    answers: tuple[Answer, ...]  # the gateway's answers that are wrong


def world(seed: int, enterprises: int, faults: Faults | None = None) -> World:
    """The world as the departments hold it, with their usual faults unless others are given."""
    if enterprises > MOST_COMPANIES:
        raise BadInput(
            f"there are names for {MOST_COMPANIES} enterprises", kept="the world that is there", todo="ask for fewer"
        )
    them = firms(seed, enterprises)
    numbers = figures(seed, them)
    inventions = patents.patents(seed, them)
    held = lists.certificates(seed, them)
    deals = market.contracts(seed, them, numbers)
    funded = science.projects(seed, them, numbers)
    tables = {
        "REG_ENT": registry.registrations(seed, them),
        "TAX_CIT": tax.returns(seed, them, numbers),
        "TAX_RDD": tax.super_deductions(seed, them, numbers),
        "TAX_HNTE": tax.high_tech_relief(seed, them, numbers, lists.number_by_year(them, held)),
        "TAX_VAT": tax.vat_returns(seed, them, numbers),
        "TAX_PAY": tax.payments(seed, them, numbers),
        "TAX_FIN": tax.statements(seed, them, numbers),
        "HR_INS": people.insured(seed, them, numbers),
        "HR_STAFF": people.staff_structure(seed, them, numbers),
        "IP_PAT": patents.publications(seed, them, inventions),
        "IP_PCT": patents.international_applications(seed, them, inventions),
        "IP_OTHER": rights.other_rights(seed, them),
        "STD_CERT": standards.certificates_and_standards(seed, them),
        "REG_RISK": risk.records(seed, them),
        "FIN_EQ": equity.records(seed, them),
        "FIN_LOAN": banks.statements(seed, them),
        "ST_PLAT": platforms.platform_lists(seed, them),
        "ST_INCUB": platforms.incubator_lists(seed, them),
        "MIIT_QUAL": industry.recognition_lists(seed, them),
        "HR_TALENT": talent.talent_lists(seed, them),
        "ST_QUAL": lists.qualification_lists(seed, them, numbers, held),
        "ST_CONTRACT": deals,
        "ST_PROJ": funded,
        "ST_AWARD": science.awards(seed, them, numbers),
        "ST_COOP": science.cooperation(seed, them, numbers, deals, funded),
        "POL_CASH": policy.redemptions(seed, them, numbers),
    }
    hand_over(them, tables)
    ground = Ground(them, held, tables, sparing=(faults or as_in_life()).sparing)
    wrong = plant(ground, faults or as_in_life(), seed)
    truth = enterprises_truth(ground.firms, inventions, ground.certificates, tables)
    planted = pa.concat_tables([ground.settle(), answers_truth(wrong)])
    return World(seed, ground.firms, numbers, inventions, ground.certificates, tables, planted, truth, tuple(wrong))
