"""A version's model card: what the model is for, what it was trained on, how good it is, what to beware of.

https://docs.aws.amazon.com/sagemaker/latest/dg/model-registry-details.html#model-card-schema
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline_code import parameters
from pipeline_code.graph import Graph, Json, join

if TYPE_CHECKING:
    from pipeline_code.model import Model
    from pipeline_code.surroundings import Surroundings

METRICS = {
    "auc": "area under the ROC curve",
    "pr_auc": "area under the precision-recall curve",
    "log_loss": "log loss",
    "log_loss_constant": "log loss of always answering the training months' share",
    "brier": "Brier score",
    "calibration_error": "expected calibration error",
}
"""Metrics of evaluation.json -> what they are."""

VARIABLES = ("Get", "Std:Join", "Std:JsonGet")
MARK = re.compile(r'"\\u0000(\d+)\\u0000"')
"""Stands in the text for a variable until the text is cut there; no text of ours holds the character."""


@dataclass(frozen=True)
class Number:
    """A pipeline variable whose text stands in the card as a number, without quotes."""

    variable: Json


def card(graph: Graph, model: Model, around: Surroundings) -> Json:
    """The card's content, a JSON text whose values are filled in when the pipeline runs."""
    rows = {part: graph.value("snapshot", f"properties.rows_{part}") for part in ("train", "validation", "test")}
    trained = [graph.value("snapshot", f"properties.train_{end}") for end in ("from", "to")]
    content = {
        "model_overview": {"model_creator": model.owner, "model_artifact": [graph.uri("model")]},
        "intended_uses": {
            "purpose_of_model": model.description,
            "intended_uses": model.intended_use,
            "factors_affecting_model_efficiency": " ".join(model.limits),
            "risk_rating": model.risk,
            "explanations_for_risk_rating": model.risk_reason,
        },
        "training_details": {
            "objective_function": {"function": {"function": "Minimize", "facet": "Loss"}},
            "training_observations": join("", "Days ", trained[0], " to ", trained[1], "; rows: ", rows["train"]),
            "training_job_details": {
                "training_environment": {"container_image": [around.image_uri]},
                "hyper_parameters": [{"name": name, "value": parameters.get(name)} for name in model.hyperparameters],
            },
        },
        "evaluation_details": [
            {
                "name": "test period",
                "evaluation_observation": join("", "Rows of ", parameters.PERIOD, ": ", rows["test"]),
                "datasets": [join("/", graph.uri("snapshot"), "snapshot.json")],
                "metric_groups": [{"name": "quality", "metric_data": [_metric(graph, name) for name in METRICS]}],
            }
        ],
        "additional_information": {
            "caveats_and_recommendations": " ".join(model.limits),
            "custom_details": {"report": join("/", graph.uri("report"), "report.html")},
        },
    }
    return json_text(content)


def _metric(graph: Graph, name: str) -> Json:
    value = Number(graph.value("evaluation", f"properties.{name}"))
    return {"name": name, "notes": METRICS[name], "type": "number", "value": value}


def json_text(content: Any) -> Json:
    """A tree with pipeline variables as a Std:Join that yields its JSON text.

    Variables stand between quotes, so their values must be plain text; a Number's stands without.
    """
    found: list[Any] = []
    text = json.dumps(_marked(content, found), ensure_ascii=True)
    pieces: list[Any] = []
    for position, piece in enumerate(MARK.split(text)):
        if position % 2 == 0:
            pieces.append(piece)
        elif isinstance(found[int(piece)], Number):
            pieces.append(found[int(piece)].variable)
        else:
            pieces += ['"', *_flat(found[int(piece)]), '"']
    return {"Std:Join": {"On": "", "Values": _merged(pieces)}}


def _marked(value: Any, found: list[Any]) -> Any:
    if isinstance(value, Number) or (isinstance(value, dict) and len(value) == 1 and next(iter(value)) in VARIABLES):
        found.append(value)
        return f"\x00{len(found) - 1}\x00"
    if isinstance(value, dict):
        return {key: _marked(inner, found) for key, inner in value.items()}
    return [_marked(inner, found) for inner in value] if isinstance(value, list) else value


def _flat(variable: Json) -> list[Any]:
    """A join's parts and what stands between them, so that no join stands inside another."""
    if "Std:Join" not in variable:
        return [variable]
    on, values = variable["Std:Join"]["On"], variable["Std:Join"]["Values"]
    return [piece for value in values for piece in (on, value)][1:]


def _merged(pieces: list[Any]) -> list[Any]:
    """Neighbouring texts as one."""
    merged: list[Any] = []
    for piece in pieces:
        if merged and isinstance(piece, str) and isinstance(merged[-1], str):
            merged[-1] += piece
        else:
            merged.append(piece)
    return merged
