"""What is no fault and has to be understood: noted in the truth table of every world, the clean one too."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from include.sandbox.dirt.ground import CANCELLED, RESOLVED, SHARED, Ground
from include.sandbox.firms import DEREGISTERED_ON
from include.sandbox.moves import HANDED_OVER


def note(ground: Ground) -> None:
    """Co-owners, moves, two insurance units, ended enterprises, cancelled certificates, rare characters."""
    firms = ground.firms

    def counts(dataset: str, holds: pa.ChunkedArray) -> np.ndarray:
        other = pc.invert(pc.equal(ground.tables[dataset]["_fate"], HANDED_OVER))
        return np.flatnonzero(pc.and_(holds, other).to_numpy())

    shared = counts("IP_PAT", pc.match_substring(ground.tables["IP_PAT"]["AssigneeStringList"], ";"))
    ground.note("co_owned", "IP_PAT", shared, "AssigneeStringList", SHARED)
    registered = ground.tables["REG_ENT"]
    firm, arrival = registered["_firm"].to_numpy(), registered["_arrival"].to_numpy().astype("datetime64[s]")
    day = arrival.astype("datetime64[D]")
    ground.note("moved", "REG_ENT", np.flatnonzero(firms.moved_on[firm] == day), "mgtarea", RESOLVED)
    over = (firms.ended[firm] == day) & (day == DEREGISTERED_ON)
    ground.note("ended", "REG_ENT", np.flatnonzero(over), "regstateCn", RESOLVED)
    second = counts("HR_INS", pc.ends_with(ground.tables["HR_INS"]["AAB001"], "2"))
    ground.note("two_units", "HR_INS", second, "AAB001", RESOLVED)
    cancelled = counts("ST_QUAL", pc.equal(ground.tables["ST_QUAL"]["状态"], "取消"))
    ground.note("cancelled", "ST_QUAL", cancelled, "状态", CANCELLED)
    rare = np.array([any(not _in_gbk(c) for c in name) for name in firms.name.tolist()])
    listed = rare[ground.tables["ST_QUAL"]["_firm"].to_numpy()]
    ground.note("rare_characters", "ST_QUAL", np.flatnonzero(listed), "企业名称", RESOLVED)


def _in_gbk(character: str) -> bool:
    try:
        character.encode("gbk")
    except UnicodeEncodeError:
        return False
    return True
