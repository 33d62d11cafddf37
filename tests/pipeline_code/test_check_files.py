"""`slipway data check`: what a run would find, on files that were not uploaded; never a traceback."""

import subprocess
from pathlib import Path

import pytest

from pipeline_code.check_files import main
from stacks.config import ROOT


def run(capsys: pytest.CaptureFixture[str], *files: Path, period: str = "2013-02") -> tuple[int, str]:
    code = main(["--model", "flight_delay", "--period", period, "--", *map(str, files)])
    printed = capsys.readouterr()
    return code, printed.out + printed.err


def test_good_files_pass(small_periods: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [f for f in sorted((small_periods / "2013-02").iterdir()) if f.suffix == ".csv"]

    code, said = run(capsys, *files)

    assert code == 0
    assert "a run would take these files" in said
    assert "flights: " in said


def test_what_is_not_given_is_said_not_to_be_checked(small_periods: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = run(capsys, small_periods / "2013-02/flights.csv")

    assert code == 0
    assert "not checked: flights.carrier against airlines; give its file too" in said


def test_bad_rows_are_shown_with_their_place_and_reason(
    small_periods: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flights = small_periods / "2013-02/flights.csv"
    header, first, *rest = flights.read_text().splitlines()
    flights.write_text("\n".join([header, first.replace(",EWR,", ",XXX,").replace(",JFK,", ",XXX,"), *rest]) + "\n")

    code, said = run(capsys, flights)

    assert code == 0
    assert "2013-02/flights.csv row 1: origin: not one of EWR, JFK, LGA" in said
    assert "new category 'XXX' in origin: 1 rows" in said


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("flights.csv", b"", "no column year, month"),
        ("flights.csv", b"\x00\xff\xfe\x00", "stops the run: "),
        ("flights.parquet", b"PAR1", "cannot be read"),
        ("flights.csv", None, "no such file"),
        ("letters.csv", b"a,b\n1,2\n", "of no source; name it as one of airlines.csv"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)

    code, said = run(capsys, tmp_path / name)

    assert code == 1
    assert message in said
    assert "a run would stop" in said


def test_a_wrong_month_is_answered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = run(capsys, tmp_path / "flights.csv", period="April")

    assert (code, said) == (2, "period 'April' is not a month; give it as YYYY-MM, such as 2013-04\n")


def test_the_command_runs_the_job_s_own_packages(small_periods: Path) -> None:
    command = [str(ROOT / ".venv/bin/slipway"), "data", "check", str(small_periods / "2013-02"), "--period", "2013-02"]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "flights: " in done.stdout
    assert "_READY.json" not in done.stdout  # what completes an uploaded period is no data
