"""Which department drops which lists, in which habits."""

from __future__ import annotations

from include.sandbox.dropfolder import DropFolder, FileKind
from include.sandbox.lists import HIGH_TECH, LADDER, TECH_SME

_QUALIFIED = (("企业名称", "统一社会信用代码", "企业信息"), ("资质类型", "状态", "资质信息"))

# By the Connection that leads there.
DROP_FOLDERS = {
    "innopoints_science_bureau": DropFolder(
        "science_bureau",
        "科技局",
        {
            "ST_QUAL": (
                FileKind(HIGH_TECH, "csv"),
                FileKind(TECH_SME, "xlsx", "常州市科技型中小企业入库名单", _QUALIFIED),
                FileKind(LADDER, "xlsx", "常州市高成长企业及主导产业企业名单", _QUALIFIED),
            ),
        },
    ),
}
