"""Which department drops which lists, in which habits."""

from __future__ import annotations

from include.sandbox.dropfolder import DropFolder, FileKind
from include.sandbox.industry import FIRST_SETS, SMART_GREEN, SPECIALISED, WITHDRAWN
from include.sandbox.lists import HIGH_TECH, LADDER, TECH_SME
from include.sandbox.platforms import CARRIERS, PLATFORM_LISTS, TENANTS
from include.sandbox.science import APPROVED, CONTESTS, COOPERATION, EXAMINED, PATENT_AWARDS, SCIENCE_AWARDS
from include.sandbox.talent import CHECKED, SELECTED

_QUALIFIED = (("企业名称", "统一社会信用代码", "企业信息"), ("资质类型", "状态", "资质信息"))
_PLATFORM = (
    ("企业名称", "统一社会信用代码", "依托企业"),
    ("平台名称", "有效期至", "平台"),
    ("考评年度", "考评结果", "考评"),
)
_RECOGNISED = (("企业名称", "统一社会信用代码", "企业信息"), ("认定类型", "状态", "认定信息"))
_TALENT = (("姓名", "联系电话", "人才"), ("人才类别", "状态", "入选信息"))
_UNIT = (("承担单位", "承担角色", "承担单位"), ("立项日期", "验收结论", "进度"))

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
            "ST_PLAT": tuple(FileKind(name, "xlsx", title, _PLATFORM) for name, title in PLATFORM_LISTS.items()),
            "ST_INCUB": (
                FileKind(TENANTS, "csv"),
                FileKind(CARRIERS, "xlsx", "常州市备案创新载体运营单位名单"),
            ),
            "ST_PROJ": (
                FileKind(APPROVED, "xlsx", "常州市科技计划项目立项名单", _UNIT),
                FileKind(EXAMINED, "xlsx", "常州市科技计划项目验收名单", _UNIT),
            ),
            "ST_AWARD": (
                FileKind(SCIENCE_AWARDS, "csv"),
                FileKind(PATENT_AWARDS, "csv"),
                FileKind(CONTESTS, "csv"),
            ),
            "ST_COOP": (FileKind(COOPERATION, "xlsx", "常州市产学研合作备案表", numbers=frozenset({"金额"})),),
        },
    ),
    "innopoints_industry_bureau": DropFolder(
        "industry_bureau",
        "工信局",
        {
            "MIIT_QUAL": (
                FileKind(SPECIALISED, "xlsx", "常州市优质中小企业梯度名单", _RECOGNISED),
                FileKind(SMART_GREEN, "csv"),
                FileKind(FIRST_SETS, "xlsx", "首台套首批次首版次及新技术新产品认定名单"),
                FileKind(WITHDRAWN, "xlsx", "撤销认定名单"),
            ),
        },
    ),
    "innopoints_talent_office": DropFolder(
        "talent_office",
        "人才办",
        {"HR_TALENT": (FileKind(SELECTED, "xlsx", "常州市人才名单", _TALENT), FileKind(CHECKED, "csv"))},
    ),
}
