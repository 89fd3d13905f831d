"""Reading a name: one spelling, whose it is, and its four parts."""

import time

import pyarrow as pa
import pytest

from include.conformed.names import (
    BRANCH,
    FIRM,
    FOREIGN,
    INSTITUTION,
    PERSON,
    TOO_LONG,
    UNCLEAR,
    Parts,
    head,
    kind,
    may_be_person,
    parts,
    split,
)
from include.kernel.identity import normal_name, normal_names


@pytest.mark.parametrize(
    "written",
    [
        "常州华达（江苏）电机有限公司",
        "常州华达【江苏】电机有限公司",
        "常州华达［江苏］电机有限公司",
        " 常州华达 (江苏)\u3000电机有限公司 ",
        "常州华\u200b达(江苏)电\ufeff机有限公司",
        "常州华达(江苏)电机\u00ad有限公司",
        "常州華達（江蘇）電機有限公司",
        "常州华达\ufe00(江苏)电机有限公司\u202e",
        "常州华\u034f达(江苏)\u061c电机有限\u2800公司",
    ],
)
def test_spellings_of_one_name_are_one(written: str) -> None:
    assert normal_name(written) == "常州华达(江苏)电机有限公司"


@pytest.mark.parametrize("dot", "•‧∙⋅・･")
def test_middle_dots_are_one(dot: str) -> None:
    assert normal_name(f"罗伯特{dot}博世有限公司") == "罗伯特·博世有限公司"
    assert kind(f"买买提{dot}阿不都") == PERSON


def test_width_and_case_of_letters_fold() -> None:
    assert normal_name("ａｂ１２科技有限公司") == normal_name("AB12科技有限公司")


@pytest.mark.parametrize(("one", "other"), [("乾", "干"), ("昇", "升"), ("於", "于"), ("谿", "溪"), ("華", "华")])
def test_characters_that_both_stand_in_names_of_today_are_kept_apart(one: str, other: str) -> None:
    """《通用规范汉字表》 has both of the first four; two firms may differ by them. 華 stands in no simplified text."""
    assert (normal_name(f"常州{one}辉有限公司") == normal_name(f"常州{other}辉有限公司")) is (one == "華")


def test_a_cell_of_several_names_is_parted_at_either_semicolon() -> None:
    assert split("常州甲有限公司；常州大学; 张三;;") == ["常州甲有限公司", "常州大学", "张三"]
    assert split(" ； ") == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("常州甲科技有限公司", FIRM),
        ("常州甲科技有限公司（常州）", FIRM),
        ("常州甲投资合伙企业（有限合伙）", FIRM),
        ("常州甲研究院有限公司", FIRM),
        ("常州市武进甲机械厂", FIRM),
        ("恒创液压", FIRM),
        ("常州市恒创", FIRM),
        ("天合光能", UNCLEAR),
        ("西门子公司", FIRM),  # it ends like 子公司, and is none
        ("罗伯特・博世有限公司", FOREIGN),  # no name registered here has a dot, but a shop may bear its keeper's
        ("艾力・买买提餐饮店", FIRM),
        ("常州甲科技有限公司南京分公司", BRANCH),
        ("常州甲科技股份有限公司技术研究院", BRANCH),
        ("江苏甲有限责任公司（常州）第一分厂", BRANCH),
        ("甲合伙企业（有限合伙）研发部", BRANCH),
        ("常州大学", INSTITUTION),
        ("江苏省产业技术研究院", INSTITUTION),
        ("常州市第一人民医院", INSTITUTION),
        ("常州高新区管委会", INSTITUTION),
        ("常州市天宁区茶山街道办事处", INSTITUTION),
        ("江苏省特种设备监督检验研究院常州分院", INSTITUTION),
        ("中国甲集团公司第十四研究所", INSTITUTION),
        ("中国甲集团有限公司第七〇二研究所", INSTITUTION),
        ("河海大学常州校区", INSTITUTION),
        ("常州市公安局交通警察支队", INSTITUTION),
        ("常州甲股份有限公司第一研究所", BRANCH),
        ("常州甲科技股份有限公司北京办事处", BRANCH),
        ("王伟", PERSON),
        ("张三丰", PERSON),
        ("欧阳明远", PERSON),
        ("买买提·阿不都", PERSON),
        ("兰建国", PERSON),
        ("隋红梅", PERSON),
        ("麦家", PERSON),
        ("完颜明远", PERSON),
        ("李大学", PERSON),
        ("扎西多吉", UNCLEAR),
        ("阿不都热合曼", UNCLEAR),
        ("陈李美玲", UNCLEAR),
        ("陈李文化", UNCLEAR),
        ("山田太郎", UNCLEAR),
        ("迈克尔·J·李", UNCLEAR),
        ("李明 李红", UNCLEAR),
        ("JOHN HARRIS", UNCLEAR),
        ("さくら", UNCLEAR),
        ("陈李建设", UNCLEAR),
        ("王伟建设发展", UNCLEAR),
        ("恒创农业发展", FIRM),
        ("常州新华商贸", FIRM),  # 新华 is a place and 商 a surname, but nobody is called so
        ("常州市党校", INSTITUTION),
        ("常州市图书馆", INSTITUTION),
        ("SIEMENS AG", FOREIGN),
        ("Novo Nordisk AB", FOREIGN),
        ("Nokia Oy", FOREIGN),
        ("Robert Bosch GmbH & Co. KG", FOREIGN),
        ("Robert Bosch G.m.b.H.", FOREIGN),
        ("Foo Pharma Co.Ltd.", FOREIGN),
        ("Google LLC", FOREIGN),
        ("Hitachi, Ltd.", FOREIGN),
        ("The University of Tokyo", FOREIGN),
        ("株式会社东芝", FOREIGN),
        ("トヨタ自動車", FOREIGN),
    ],
)
def test_whose_name_it_is(name: str, expected: str) -> None:
    assert kind(name) == expected


@pytest.mark.parametrize(
    "name",
    [
        "Müller, A.G.", "Petrov N.V.", "Petrov, N. V.", "Smith, A.B.", "SMITH, AB", "Smith A.B", "A.B. Smith",
        "AB Smith", "Ito K.K.", "Brown, S.A.S.", "Ｓｍｉｔｈ，Ａ．Ｂ．", "Asa Harris", "AG", "A AG",
    ],
)  # fmt: skip
def test_initials_are_no_legal_form(name: str) -> None:
    assert kind(name) == UNCLEAR


@pytest.mark.parametrize(
    "name",
    [
        "王伟、李建设",
        "王伟 张建设",
        "王 伟 张 建 设",
        "王伟,常州大学",
        "王伟，常州大学",
        "王伟 常州大学",
        "王　伟 常州大学",
        "常州大学、王伟",
        "王伟/常州甲有限公司",
        "常州甲有限公司 王伟",
        "王伟,株式会社东芝",
        "王伟、SIEMENS AG",
        "SMITH J、常州大学",
        "扎西多吉、常州大学",
        "买买提·阿不都 常州大学",
        "王伟和李建设",
        "李国际、张发展",
        "王伟建设",
        "王伟\n李国际",
    ],
)
def test_several_names_in_one_of_which_one_may_be_a_persons(name: str) -> None:
    assert kind(name) == UNCLEAR


@pytest.mark.parametrize(
    "name",
    ["常州甲有限公司、常州大学", "常州甲有限公司，常州乙有限公司", "常州 恒创 液压有限公司", "常州大学 机械学院"],
)
def test_several_of_organisations_and_one_with_blanks_in_it_are_shown(name: str) -> None:
    assert not may_be_person(name)


@pytest.mark.parametrize(
    "name",
    [
        "常州市张伟",
        "江苏省常州市武进区欧阳明远",
        "常州市李大学",
        "常州市王会",
        "常州张建设",
        "常州市高新区张建设",
        "常州市武进区湖塘镇张伟",
    ],
)
def test_a_person_behind_a_place_is_a_person_still(name: str) -> None:
    assert may_be_person(name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("常州恒创液压机械有限公司", Parts("常州", "恒创", "液压机械", "有限公司")),
        ("恒创液压（江苏）有限公司", Parts("江苏", "恒创", "液压", "有限公司")),
        ("恒创（常州）液压股份有限公司", Parts("常州", "恒创", "液压", "股份有限公司")),
        ("江苏省常州市武进区恒创智能装备有限责任公司", Parts("江苏常州武进", "恒创", "智能装备", "有限责任公司")),
        ("常州新华科技有限公司", Parts("常州", "新华", "科技", "有限公司")),  # 新华区 is a place, but the core is left
        ("恒创投资合伙企业（有限合伙）", Parts("", "恒创", "投资", "合伙企业有限合伙")),
        ("恒创", Parts("", "恒创", "", "")),
    ],
)
def test_a_name_has_four_parts(name: str, expected: Parts) -> None:
    assert parts(name) == expected


def test_the_head_of_a_branch_is_its_firm() -> None:
    assert head("常州甲科技有限公司（常州）第一分公司") == "常州甲科技有限公司(常州)"
    assert head("常州甲科技有限公司") == "常州甲科技有限公司"


@pytest.mark.parametrize(
    "name", ["", " ", "\x00", "()", "（）（）", "公司", "有限公司", "常州", "A" * 300, "𠮷田", "1"]
)
def test_any_text_can_be_read(name: str) -> None:
    assert kind(name) in (FIRM, INSTITUTION, PERSON, FOREIGN, BRANCH, UNCLEAR, TOO_LONG)
    assert isinstance(parts(name), Parts)


@pytest.mark.parametrize("name", ["有限公司" * 51, "公司()" * 7500 + "甲(", "中国" * 15000, "张" * 201])
def test_a_text_too_long_for_a_name_is_not_read(name: str) -> None:
    """What reads a name takes the square of its length."""
    started = time.perf_counter()
    assert kind(name) == TOO_LONG
    assert may_be_person(name)
    assert head(name) == name
    parts(name)
    assert time.perf_counter() - started < 1


def test_names_by_the_column_are_spelt_as_they_are_one_by_one() -> None:
    names = [
        "常州甲[江苏]有限公司",
        "常州華（江苏）Ab",
        "ｘ",
        "Straße",
        " a b",
        "",
        "昇",
        "𠮷",
        "常州\u200b",
        "常州【甲】",
    ]
    assert normal_names(pa.array([*names, None])).to_pylist() == [*map(normal_name, names), None]
