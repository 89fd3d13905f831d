"""Bad input at the command line: one clear line on stderr, exit status 2, nothing written, no traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


def innopoints(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW_CONN_", "INNOPOINTS_"))}
    return subprocess.run(
        [sys.executable, "-m", "include", *arguments],
        env={**kept, "INNOPOINTS_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["refresh", "--district", "330106' OR '1'='1"], 2, "unknown district"),
        (["refresh", "--as-of", "2026-02-30"], 2, "malformed date '2026-02-30'"),
        (["refresh", "--as-of", "2026/2/3"], 2, "write it as YYYY-MM-DD"),
        (["refresh", "--as-of", "2099-01-01"], 2, "as_of 2099-01-01 has not begun"),
        (["digest", "--as-of", "2099-01-01"], 2, "as_of 2099-01-01 has not begun"),
        (["publish", "--as-of", "2099-01-01"], 2, "as_of 2099-01-01 has not begun"),
        (["refresh", "--as-of", "2026-11-20", "--scheme", "changzhou_v2"], 2, "did you mean changzhou_v1"),
        (["refresh", "--as-of", "2026-11-20"], 1, "is not configured"),
        (["explain", "91320411YY99999999", "--scheme", "nope"], 2, "unknown scheme 'nope'"),
        (
            ["scheme", "diff", "changzhou_v1", "tech_sme_2017"],
            2,
            "only one of changzhou_v1 and tech_sme_2017 has a tree",
        ),
        (["scheme", "diff", "changzhou_v1", "national_cor"], 2, "did you mean national_core"),
        (["scheme", "diff", "changzhou_v1", "national_core", "--as-of", "2026-11-20"], 2, "no measures are stored"),
        (
            ["release", "TAX_VAT", "320411", "--as-of", "2026-11-20", "--by", " ", "--reason", "so"],
            2,
            "the person has 0",
        ),
        (["release", "IP_PAT", "320411", "--as-of", "2026-11-20", "--by", "陈", "--reason", "迁库"], 2, "characters"),
        (
            ["release", "IP_PAT", "320411", "--as-of", "2026-11-20", "--by", "陈", "--reason", "已核实"],
            2,
            "use scope city",
        ),
        (
            ["release", "NOPE", "city", "--as-of", "2026-11-20", "--by", "陈", "--reason", "已核实"],
            2,
            "unknown dataset",
        ),
        (["difference", "1", "2"], 2, "generation 1 is not kept"),
        (["rollback", "--to", "7"], 2, "generation 7 does not exist"),
        (["rollback", "--to", "9" * 30], 2, "999 does not exist"),
        (["sandbox", "generate", "--enterprises", "0"], 2, "at least 1 enterprise"),
        (["sandbox", "generate", "--enterprises", "85185"], 2, "there are names for 85184 enterprises"),
        (["sandbox", "generate", "--enterprises", "9" * 30], 2, "there are names for 85184 enterprises"),
    ],
)
def test_bad_input_is_one_clear_line(tmp_path: Path, arguments: list[str], status: int, said: str) -> None:
    done = innopoints(tmp_path, *arguments)
    assert done.returncode == status, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "lake").exists()


def test_the_digest_is_printed_and_without_a_connection_sent_nowhere(tmp_path: Path) -> None:
    done = innopoints(tmp_path, "digest", "--as-of", "2026-11-20", "--send")
    assert done.returncode == 0, done.stderr
    first, *_, last = done.stdout.splitlines()
    assert first == "创新积分 2026-11-20 · NOT PUBLISHED 未发布"
    assert last == "not sent: no channel took it, or it was sent before"
