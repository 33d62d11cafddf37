"""Corrected rows take the place of those they name, pass the same rules, and are never counted twice."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from toy_source import GOOD, HEADER, SHOPS, VISITS

from pipeline_code import data
from pipeline_code.contract import DataError
from pipeline_code.periods import SourceFile

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline_code.model import Model

BAD = GOOD.replace("T10", "T11").replace("walk", "swim")
WORSE = GOOD.replace("T10", "T12").replace("9.5", "-1")


@pytest.fixture
def toy(flight_delay: Model) -> Model:
    return replace(flight_delay, name="toy", sources=(VISITS, SHOPS))


def whole(path: Path, source: str) -> SourceFile:
    content = path.read_bytes()
    return SourceFile(source, "2020-01", path, hashlib.sha256(content).hexdigest(), len(content), "")


@pytest.fixture
def files(tmp_path: Path) -> list[SourceFile]:
    (tmp_path / "visits.csv").write_text(f"{HEADER}\n{GOOD}\n{BAD}\n{WORSE}\n")
    (tmp_path / "shops.csv").write_text("id,size\nnorth,3\n")
    return [whole(tmp_path / "visits.csv", "visits"), whole(tmp_path / "shops.csv", "shops")]


def quarantined(toy: Model, files: list[SourceFile]) -> pl.DataFrame:
    return data.check(toy, files)["visits"].bad


def hand_back(frame: pl.DataFrame, folder: Path) -> SourceFile:
    frame.write_csv(folder / "visits.corrections.csv")
    return whole(folder / "visits.corrections.csv", "visits")


def test_a_corrected_row_is_good_and_the_others_stay_where_they_were(
    toy: Model, files: list[SourceFile], tmp_path: Path
) -> None:
    bad = quarantined(toy, files)
    mended = bad.with_columns(kind=pl.lit("walk")).filter(pl.col("row") == 2)

    found = data.check(toy, files, [hand_back(mended, tmp_path)])["visits"]

    assert found.corrected == 1
    assert found.good.collect().height + found.bad.height == 3
    assert found.bad["row"].to_list() == [3]
    assert found.reasons == {"spent: below 0": 1}


def test_a_correction_that_is_wrong_is_quarantined_again(toy: Model, files: list[SourceFile], tmp_path: Path) -> None:
    still_wrong = quarantined(toy, files).with_columns(kind=pl.lit("fly"))

    found = data.check(toy, files, [hand_back(still_wrong, tmp_path)])["visits"]

    assert found.bad.height == 2
    assert "kind: not one of walk, ride" in found.reasons


def test_a_row_can_be_dropped(toy: Model, files: list[SourceFile], tmp_path: Path) -> None:
    dropped = quarantined(toy, files).with_columns(action=pl.lit("drop"))

    found = data.check(toy, files, [hand_back(dropped, tmp_path)])["visits"]

    assert (found.good.collect().height, found.bad.height, found.corrected) == (1, 0, 2)
    assert found.rows == {"2020-01/visits.csv": 3}


def test_the_last_correction_of_a_row_counts(toy: Model, files: list[SourceFile], tmp_path: Path) -> None:
    bad = quarantined(toy, files).filter(pl.col("row") == 2)
    twice = pl.concat([bad.with_columns(kind=pl.lit("fly")), bad.with_columns(kind=pl.lit("ride"))])

    found = data.check(toy, files, [hand_back(twice, tmp_path)])["visits"]

    assert found.corrected == 1
    assert "ride" in found.good.collect()["kind"].to_list()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"file": "2020-01/other.csv"}, "corrects 2020-01/other.csv, which this run does not read; remove the row"),
        ({"sha256": "0" * 64}, "corrects 2020-01/visits.csv as it was before; correct the newest quarantine instead"),
        ({"row": "99"}, "corrects row 99 of 2020-01/visits.csv, which has 3 rows"),
        ({"row": "two"}, "corrects row two of 2020-01/visits.csv, which has 3 rows"),
    ],
)
def test_a_correction_that_fits_no_row_stops_the_run(
    toy: Model, files: list[SourceFile], tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    wrong = quarantined(toy, files).head(1).with_columns(pl.lit(value).alias(name) for name, value in change.items())

    with pytest.raises(DataError) as caught:
        data.check(toy, files, [hand_back(wrong, tmp_path)])

    assert caught.value.problems == (f"2020-01/visits.corrections.csv: {message}",)


def test_corrections_without_their_columns_are_refused(toy: Model, files: list[SourceFile], tmp_path: Path) -> None:
    lean = quarantined(toy, files).drop("sha256", "kind")

    with pytest.raises(DataError, match=r"no column sha256, kind; keep the columns of the quarantine"):
        data.check(toy, files, [hand_back(lean, tmp_path)])
