"""Drift of a file is one finding with its fix, not a quarantine full of rows; what a run bears is recorded."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from toy_source import GOOD, HEADER, SHOPS, VISITS, file

from pipeline_code import data
from pipeline_code.schema_drift import FILE_ROWS, SHOWN_CATEGORIES

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline_code.model import Model

Rows = list[str]


@pytest.fixture
def toy(flight_delay: Model) -> Model:
    return replace(flight_delay, name="toy", sources=(VISITS, SHOPS))


def rows(count: int = 60) -> Rows:
    return [GOOD.replace("10:00:00Z", f"10:{number // 60:02}:{number % 60:02}Z") for number in range(count)]


def examine(model: Model, folder: Path, *lines: str, name: str = "visits.csv", more: Rows | None = None) -> Any:
    (folder / name).write_text("\n".join(lines) + "\n")
    (folder / "shops.csv").write_text("id,size\nnorth,3\n")
    files = [file(folder / name, "visits"), file(folder / "shops.csv", "shops")]
    if more:
        (folder / "visits-2.csv").write_text("\n".join(more) + "\n")
        files.append(file(folder / "visits-2.csv", "visits"))
    return data.examine(model, files)


def test_a_renamed_column_is_named_with_both_names(toy: Model, tmp_path: Path) -> None:
    _, problems = examine(toy, tmp_path, HEADER.replace("spent", "spend"), *rows())

    assert problems == ["2020-01/visits.csv: no column spent; was it renamed to spend? name it spent again"]


def test_a_column_that_is_gone_is_named_with_what_is_there(toy: Model, tmp_path: Path) -> None:
    _, problems = examine(toy, tmp_path, HEADER.replace("spent", "zzz"), *rows())

    assert problems == ["2020-01/visits.csv: no column spent; it has at, year, month, day, shop, kind, zzz"]


def test_another_table_under_this_name_is_said_to_be_one(toy: Model, tmp_path: Path) -> None:
    _, problems = examine(toy, tmp_path, "a,b", "1,2")

    assert problems == ["2020-01/visits.csv: none of the columns of visits; is it another file?"]


def test_an_extra_column_is_recorded_and_left_out(toy: Model, tmp_path: Path) -> None:
    checked, problems = examine(toy, tmp_path, f"{HEADER},mood", *(f"{row},fine" for row in rows()))

    assert problems == []
    assert [(found["kind"], found["column"]) for found in checked["visits"].drift] == [("extra", "mood")]
    assert "mood" not in checked["visits"].good.collect_schema()


def test_a_retyped_column_is_one_finding_and_no_row_s_fault(toy: Model, tmp_path: Path) -> None:
    checked, problems = examine(
        toy, tmp_path, HEADER, *(row.replace("9.5", "9,5").replace("9,5", "EUR9") for row in rows())
    )

    assert problems == [
        "2020-01/visits.csv: spent is not a number in 100% of the rows, first 'EUR9'; was its type changed?"
    ]
    assert checked["visits"].bad.height == 0


def test_a_few_values_of_another_type_are_bad_rows(toy: Model, tmp_path: Path) -> None:
    made = [row.replace("9.5", "EUR9") if number < 5 else row for number, row in enumerate(rows())]

    checked, problems = examine(toy, tmp_path, HEADER, *made)

    assert problems == []
    assert checked["visits"].reasons == {"spent: not a number": 5}
    assert checked["visits"].drift == ()


def test_in_a_small_file_no_column_is_called_retyped(toy: Model, tmp_path: Path) -> None:
    lenient = replace(toy, sources=(replace(VISITS, max_quarantined=1.0), SHOPS))

    checked, problems = examine(lenient, tmp_path, HEADER, *(r.replace("9.5", "x") for r in rows(FILE_ROWS - 1)))

    assert problems == []
    assert checked["visits"].bad.height == FILE_ROWS - 1


def test_new_categories_are_named_once_with_their_counts(toy: Model, tmp_path: Path) -> None:
    made = [row.replace("walk", f"kind{number % 8}") for number, row in enumerate(rows(48))]

    checked, _ = examine(toy, tmp_path, HEADER, *made, *rows(60)[48:])

    drift = checked["visits"].drift
    assert len(drift) == SHOWN_CATEGORIES + 1
    assert drift[0]["kind"] == "new category"
    assert drift[0]["rows"] == 6
    assert drift[-1]["detail"] == "3 more new categories in kind"


def test_a_file_of_another_period_is_one_finding(toy: Model, tmp_path: Path) -> None:
    checked, problems = examine(toy, tmp_path, HEADER, *(row.replace("2020,1,5", "2020,2,5") for row in rows()))

    assert problems == ["2020-01/visits.csv: every row is of another period (2020-02); upload it to its own"]
    assert checked["visits"].bad.height == 0


def test_rows_that_another_file_has_too_name_both_files(toy: Model, tmp_path: Path) -> None:
    late = [HEADER, *rows()[:7], GOOD.replace("T10", "T11")]

    checked, problems = examine(toy, tmp_path, HEADER, *rows(), more=late)

    assert problems == []
    assert checked["visits"].reasons == {"at + shop: seen before": 7}
    (found,) = checked["visits"].drift
    assert (found["file"], found["detail"]) == ("2020-01/visits-2.csv", "7 rows repeat 2020-01/visits.csv")
