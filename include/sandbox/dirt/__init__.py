"""The departments' faults, planted at seeded rates, each case with a line in the truth table.

`kinds.py` is the catalogue, `faults.py` says which are planted, `ground.py` is where; the other files plant, a family
each. Same faults and seeds, same bytes; what one kind takes is drawn from the records' own keys, so that planting one
never moves another: it can only lose the records that an earlier kind has taken.
"""

from __future__ import annotations

import numpy as np

from include.sandbox.dirt import answers, natural
from include.sandbox.dirt.answers import Answer
from include.sandbox.dirt.faults import Fault, Faults, as_in_life, read_faults
from include.sandbox.dirt.fields import FIELDS
from include.sandbox.dirt.ground import TRUTH, Ground
from include.sandbox.dirt.kinds import KINDS, Kind

__all__ = ["FIELDS", "KINDS", "TRUTH", "Answer", "Fault", "Faults", "Ground", "as_in_life", "plant", "read_faults"]


def plant(ground: Ground, faults: Faults, seed: int) -> list[Answer]:
    """Plant the facts and queue the spellings (`Ground.settle` writes them). Returns the answers that will be wrong.

    Every kind chooses among the clean records before the first is planted.
    """
    natural.note(ground)
    order = {name: place for place, name in enumerate(KINDS)}
    planned = []
    wrong: list[Answer] = []
    for fault in sorted(faults.planted, key=lambda fault: order[fault.kind]):
        kind, own_seed = KINDS[fault.kind], seed if fault.seed is None else fault.seed
        for dataset in fault.datasets:
            if kind.plant is None:
                wrong += answers.draw(kind.name, dataset, fault.rate, own_seed)
            else:
                heads = _chosen(ground, kind, dataset, fault.rate, own_seed)
                planned.append((kind, dataset, heads, ground.lots(dataset, own_seed, f"{kind.name} how")))
    for kind, dataset, heads, lots in planned:
        free = ground.claim(dataset, heads, kind.spoils)
        if len(free) and kind.plant:
            kind.plant(ground, kind.name, dataset, free, lots)
    return wrong


def _chosen(ground: Ground, kind: Kind, dataset: str, rate: float, seed: int) -> np.ndarray:
    """The records that this kind would take, were it alone."""
    can = ground.heads(dataset) & ~ground.taken[dataset]
    if kind.where:
        can &= kind.where(ground, dataset)
    if kind.spoils:
        can &= ground.roomy(dataset)
    return np.flatnonzero(can & (ground.lots(dataset, seed, kind.name) < rate))
