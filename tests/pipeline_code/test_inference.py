"""What a request may look like, what its answer looks like, and that nothing a client sends breaks the handler."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from real_jobs import Real

from pipeline_code.inference import Handler, media_type
from pipeline_code.predictor import Predictor, unpack_archive
from pipeline_code.request_problems import RequestError
from pipeline_code.served import Served

ROWS = 3_000


@pytest.fixture(scope="module")
def folder(real: Real, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("served") / "model"
    unpack_archive(real.package / "model.tar.gz", made)
    return made


@pytest.fixture(scope="module")
def handler(folder: Path) -> Handler:
    return Handler(Served(folder))


@pytest.fixture(scope="module")
def rows(real: Real, folder: Path) -> pl.DataFrame:
    features = Predictor.load(folder).encoding.features
    return pl.read_parquet(real.dataset / "test.parquet").select(features).head(ROWS)


@pytest.fixture(scope="module")
def expected(rows: pl.DataFrame, real: Real) -> Any:
    return Predictor.load(real.model).predict(rows.to_dict(as_series=False))


def asked(handler: Handler, body: str | bytes, content_type: str = "text/csv", accept: str = "") -> tuple[int, Any]:
    answer = handler.answer(body if isinstance(body, bytes) else body.encode(), content_type, accept)
    return answer.status, json.loads(answer.body) if answer.type == "application/json" else answer.body.decode()


def lines(rows: pl.DataFrame, *, header: bool = False) -> str:
    return rows.write_csv(include_header=header)


def spelt(rows: pl.DataFrame) -> dict[str, tuple[str, str]]:
    """The same rows in every form a request may have: media type and body."""
    records = rows.to_dicts()
    values = [list(record.values()) for record in records]
    shuffled = rows.select(sorted(rows.columns)).with_columns(pl.lit("more").alias("another column"))
    return {
        "csv": ("text/csv", lines(rows)),
        "csv with header": ("text/csv; charset=utf-8", lines(rows, header=True)),
        "csv in another order": ("text/csv", lines(shuffled, header=True)),
        "quoted csv": ("text/csv", rows.write_csv(include_header=False, quote_style="always")),
        "csv from Windows": ("text/csv", lines(rows).replace("\n", "\r\n")),
        "rows": ("application/json", json.dumps(values)),
        "records": ("application/json", json.dumps(records)),
        "instances": ("application/json", json.dumps({"instances": records})),
        "json lines of rows": ("application/jsonlines", "\n".join(json.dumps(value) for value in values)),
        "json lines of records": ("application/jsonl", "\n".join(json.dumps(record) for record in records) + "\n"),
    }


FORMS = (
    "csv",
    "csv with header",
    "csv in another order",
    "quoted csv",
    "csv from Windows",
    "rows",
    "records",
    "instances",
    "json lines of rows",
    "json lines of records",
)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_real_rows_is_predicted_as_the_trainer_does(
    handler: Handler, rows: pl.DataFrame, expected: Any, form: str
) -> None:
    media, body = spelt(rows)[form]

    status, answer = asked(handler, body, media, "application/json")

    assert status == 200
    found = np.array([one["probability"] for one in answer["predictions"]])
    assert np.max(np.abs(found - expected)) <= 1e-6


def test_few_rows_and_many_are_the_same(handler: Handler, rows: pl.DataFrame, expected: Any) -> None:
    """Few are answered by the compiled trees, many by XGBoost."""
    for size in (1, 2, 17, 200):
        for start in (0, 500, 1_000):
            _, answer = asked(handler, lines(rows.slice(start, size)), accept="application/json")
            found = [one["probability"] for one in answer["predictions"]]
            assert np.max(np.abs(np.array(found) - expected[start : start + size])) <= 1e-6


def test_a_probability_comes_with_its_class(handler: Handler, rows: pl.DataFrame, expected: Any) -> None:
    _, answer = asked(handler, lines(rows), accept="application/json")

    classes = [one["class"] for one in answer["predictions"]]
    assert classes == ["late" if probability >= 0.5 else "on time" for probability in expected]
    assert len(set(classes)) == 2


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("", "text/csv"),
        ("*/*", "text/csv"),
        ("application/json", "application/json"),
        ("text/html, application/jsonlines;q=0.5", "application/jsonlines"),
        ("application/*", "application/json"),
        ("text/csv", "text/csv"),
        ("text/csv;q=0, application/json", "application/json"),
        ("text/csv;q=0, */*", "application/json"),
        ("*/*, text/*;q=0", "application/json"),
        ("text/csv;q=0.1, application/jsonlines;q=0.9, application/json ; Q=0.8", "application/jsonlines"),
        ("application/json;q=0.5, */*;q=0.1", "application/json"),
        ("application/json;q=0.5, text/*", "text/csv"),
        ("application/jsonl;charset=utf-8;q=1.000, text/csv;q=0.999", "application/jsonlines"),
        ("application/jsonlines, application/json", "application/jsonlines"),
        ("application/json;q=much", "application/json"),
    ],
)
def test_accept_is_honoured(handler: Handler, rows: pl.DataFrame, accept: str, media: str) -> None:
    answer = handler.answer(lines(rows.head(2)).encode(), "text/csv", accept)

    assert (answer.status, answer.type) == (200, media)
    if media == "text/csv":
        assert [cells[1] for cells in csv.reader(io.StringIO(answer.body.decode()))] == ["on time", "on time"]
    elif media == "application/jsonlines":
        assert [set(json.loads(line)) for line in answer.body.splitlines()] == [{"probability", "class"}] * 2


def test_missing_and_unknown_values_are_missing(handler: Handler, rows: pl.DataFrame) -> None:
    record = rows.row(0, named=True)
    nowhere = {**record, "seats": None, "dest": "nowhere"}
    as_csv = ",".join("NA" if v is None else str(v) for v in nowhere.values())
    without = ",".join("" if v is None else str(v) for v in {**nowhere, "dest": None}.values())

    answers = [
        asked(handler, json.dumps(nowhere), "application/json")[1]["predictions"],
        asked(handler, as_csv, accept="application/json")[1]["predictions"],
        asked(handler, without, accept="application/json")[1]["predictions"],
    ]

    assert answers[0] == answers[1] == answers[2]


def changed(rows: pl.DataFrame, **values: Any) -> str:
    return json.dumps([{**rows.row(0, named=True)}, {**rows.row(1, named=True), **values}])


@pytest.mark.parametrize(
    ("value", "shown"),
    [("abc", "abc"), ("x" * 51, "x" * 47 + "..."), (True, "True"), ([1], "a list of 1"), ({"a": 1}, "a record of 1")],
)
def test_a_wrong_value_is_told_with_its_place(handler: Handler, rows: pl.DataFrame, value: Any, shown: str) -> None:
    status, answer = asked(handler, changed(rows, temp=value), "application/json")

    assert status == 400
    (problem,) = answer["problems"]
    assert (problem["row"], problem["column"], problem["allowed"]) == (2, "temp", "a finite number or null")
    assert problem["value"] == shown


@pytest.mark.parametrize("cell", ["abc", "nan", "NaN", "inf", "-Infinity", "1e999", "1_000", "0x10", "1,5"])
def test_a_wrong_cell_is_told_with_its_place(handler: Handler, rows: pl.DataFrame, cell: str) -> None:
    good, bad = lines(rows.head(2)).splitlines()
    bad = ",".join([cell, *bad.split(",")[1:]])

    status, answer = asked(handler, f"{good}\n{bad}\n")

    assert status == 400
    assert answer["problems"][0]["row"] == 2
    assert answer["problems"][0].get("value") in {cell, 20}  # one comma more is one column more


def test_a_category_that_is_no_text_is_refused(handler: Handler, rows: pl.DataFrame) -> None:
    status, answer = asked(handler, changed(rows, carrier=5), "application/json")

    assert status == 400
    assert answer["problems"] == [{"row": 2, "column": "carrier", "value": "5", "allowed": "a string or null"}]


def test_all_problems_are_counted_and_the_first_are_listed(handler: Handler) -> None:
    status, answer = asked(handler, json.dumps([[1]] * 30), "application/json")

    assert status == 400
    assert answer["error"] == "30 values cannot be used, the first 20 are listed"
    assert len(answer["problems"]) == 20


def test_what_follows_a_wrong_row_is_looked_at_and_not_kept(handler: Handler, rows: pl.DataFrame) -> None:
    line = lines(rows.head(1))

    _, answer = asked(handler, line + "1,2\n" + line * 3_000 + "1,2\n")

    assert [problem["row"] for problem in answer["problems"]] == [2, 3_003]


@pytest.mark.parametrize("shape", ["value", "row", "rows", "record"])
@pytest.mark.parametrize("mark", ["[]", "{}"])
def test_json_may_be_nested_as_deep_as_it_likes(handler: Handler, rows: pl.DataFrame, shape: str, mark: str) -> None:
    """What JSON's reader still takes is deeper than Python shows."""
    for depth in range(900, 1_031):
        inner = "[" * depth + "]" * depth if mark == "[]" else '{"a":' * depth + "1" + "}" * depth
        body = {
            "value": inner,
            "row": f"[{inner}, 1]",
            "rows": f"[[1], {inner}]",
            "record": changed(rows, temp="HERE").replace('"HERE"', inner),
        }[shape]
        for media in ("application/json", "application/jsonlines"):
            assert handler.answer(body.encode(), media).status == 400


@pytest.mark.parametrize(
    ("body", "media", "message"),
    [
        ("", "text/csv", "the request holds no rows"),
        ("[]", "application/json", "the request holds no rows"),
        ("\n\n", "application/jsonlines", "the request holds no rows"),
        ("5", "application/json", "5 holds no rows"),
        ('{"instances": 5}', "application/json", "5 holds no rows"),
        ("{", "application/json", "the body is not JSON"),
        ("[NaN]", "application/json", "the body is not JSON"),
        ("{}\nx", "application/jsonlines", "line 2: the body is not JSON"),
        ("[" * 100_000, "application/json", "the body is not JSON"),
        ("dow,dest\n1,IAH", "text/csv", "columns missing: minute_of_day"),
        ('1,"2', "text/csv", "the body is not CSV"),
        (b"\xff\xfe1", "text/csv", "the body is not UTF-8 (byte 0)"),
        (b"\xff\xfe1", "application/json", "the body is not JSON"),
    ],
)
def test_what_is_no_request_is_told_why(handler: Handler, body: str | bytes, media: str, message: str) -> None:
    status, answer = asked(handler, body, media)

    assert status == 400
    assert message in answer["error"]


@pytest.mark.parametrize(
    ("content_type", "accept", "status"),
    [
        ("image/png", "", 415),
        ("", "", 415),
        ("text/csv; charset=utf-16", "", 415),
        ("text/csv", "image/png", 406),
        ("application/json", "text/html;q=1", 406),
        ("text/csv", "text/csv;q=0", 406),
        ("text/csv", "application/json;q=0.0, text/html, */*;q=0", 406),
    ],
)
def test_other_media_types_are_refused(
    handler: Handler, rows: pl.DataFrame, content_type: str, accept: str, status: int
) -> None:
    assert asked(handler, lines(rows.head(1)), content_type, accept)[0] == status


def test_media_types_are_read_as_http_spells_them() -> None:
    assert media_type('Text/CSV ; Charset="UTF-8"; header=present') == "text/csv"
    with pytest.raises(RequestError):
        media_type("text")


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=30,
)
FUZZ = settings(max_examples=300, deadline=None)


@FUZZ
@given(value=JSON_VALUES, media=st.sampled_from(["application/json", "application/jsonlines", "text/csv"]))
def test_any_json_is_answered_or_refused(handler: Handler, value: Any, media: str) -> None:
    answer = handler.answer(json.dumps(value).encode(), media)

    assert answer.status in {200, 400}


@FUZZ
@given(body=st.binary(max_size=200), media=st.text(max_size=20), accept=st.text(max_size=20))
def test_any_bytes_are_answered_or_refused(handler: Handler, body: bytes, media: str, accept: str) -> None:
    assert handler.answer(body, media, accept).status in {200, 400, 406, 415}


@FUZZ
@given(cells=st.lists(st.text(alphabet='0123456789.eE+-_ninfax" ,\t', max_size=8), min_size=19, max_size=19))
def test_any_cells_are_finite_numbers_or_refused(handler: Handler, cells: list[str]) -> None:
    answer = handler.answer(",".join(cells).encode(), "text/csv", "application/json")

    assert answer.status in {200, 400}
    if answer.status == 200:
        assert all(math.isfinite(one["probability"]) for one in json.loads(answer.body)["predictions"])


def test_huge_numbers_are_refused_and_never_become_infinite(handler: Handler, rows: pl.DataFrame) -> None:
    for number in ("1e400", "-1e400", "9" * 400, "1" + "0" * 50):
        text = json.dumps(rows.row(0, named=True)).replace('"temp": ', f'"temp": {number}, "x": ', 1)
        assert handler.answer(text.encode(), "application/json").status in {200, 400}
    status, answer = asked(handler, lines(rows.head(1)).replace("1.0,", "1e39,", 1))
    assert status == 400, answer
