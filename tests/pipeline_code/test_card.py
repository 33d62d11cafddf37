"""The model card is valid JSON once the pipeline has filled it in, and says what the model declares."""

import json
from typing import Any

import pytest

from pipeline_code.card import METRICS, Number, json_text
from pipeline_code.models import load_model
from rehearsal.expressions import Scope


def filled(text: Any, **parameters: Any) -> Any:
    properties = {"properties": {"auc": "0.7742", "day": "2013-04-30"}}
    return json.loads(Scope(parameters, {}, lambda *_: properties).resolve(text))


def value(path: str) -> dict[str, Any]:
    return {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.Evaluate.PropertyFiles.evaluation"}, "Path": path}}


@pytest.mark.parametrize("plain", [{"a": 'quoted "text"\n', "b": [1, None, {"c": "é\\"}]}, {}, []])
def test_a_tree_without_variables_stays_itself(plain: Any) -> None:
    assert filled(json_text(plain)) == plain


def test_variables_become_text_and_numbers_stay_numbers() -> None:
    tree = {
        "text": value("properties.day"),
        "number": Number(value("properties.auc")),
        "list": [{"Get": "Parameters.Period"}, "x"],
        "joined": {"Std:Join": {"On": "/", "Values": ["s3:", "", {"Get": "Parameters.Period"}, "f.json"]}},
    }

    assert filled(json_text(tree), Period="2013-04") == {
        "text": "2013-04-30",
        "number": 0.7742,
        "list": ["2013-04", "x"],
        "joined": "s3://2013-04/f.json",
    }


def test_no_join_stands_inside_another() -> None:
    text = json_text({"a": {"Std:Join": {"On": "-", "Values": [{"Get": "Parameters.Period"}, "b"]}}})

    assert not [piece for piece in text["Std:Join"]["Values"] if isinstance(piece, dict) and "Std:Join" in piece]


@pytest.mark.parametrize("name", ["flight_delay"])
def test_the_model_says_what_it_is_for(name: str) -> None:
    model = load_model(name)

    assert model.owner != "unknown"
    assert model.intended_use
    assert model.risk != "Unknown"
    assert model.risk_reason
    assert "auc" in METRICS
