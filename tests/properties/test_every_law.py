"""The page that lists the laws and the tests that hold them speak of the same seventeen."""

import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "how-to" / "the-laws.md"


def test_every_law_of_the_page_has_a_test_that_is_named_after_it() -> None:
    stated = [int(number) for number in re.findall(r"^\| (\d+) ", PAGE.read_text(encoding="utf-8"), re.MULTILINE)]
    tests = "".join(path.read_text(encoding="utf-8") for path in HERE.glob("test_law*.py"))
    held = {int(number) for number in re.findall(r"^def test_law_(\d+)_", tests, re.MULTILINE)}
    assert stated == list(range(1, 18))
    assert held == set(stated)
