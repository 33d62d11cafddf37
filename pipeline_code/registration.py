"""The registration of a version: what the run proved, where it came from, where its record lies, its model card."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline_code import parameters
from pipeline_code.card import card
from pipeline_code.contract import PROVENANCE
from pipeline_code.graph import Graph, Json, join
from pipeline_code.job_request import call_retries

if TYPE_CHECKING:
    from pipeline_code.model import Model
    from pipeline_code.surroundings import Surroundings

CONTENT_TYPES = ["text/csv", "application/json", "application/jsonlines"]
ARCHIVE = "model.tar.gz"


def register(graph: Graph, model: Model, around: Surroundings) -> Json:
    """CreateModelPackage as a step."""
    evaluation = graph.uri("evaluation")
    return {
        "Name": "Register",
        "Type": "RegisterModel",
        "Arguments": {
            "ModelPackageGroupName": around.model_package_group,
            "ModelPackageDescription": join("", f"{model.name}, trained for ", parameters.PERIOD),
            "ModelApprovalStatus": "PendingManualApproval",
            "ModelLifeCycle": {"Stage": "Development", "StageStatus": "Passed"},
            "InferenceSpecification": {
                "Containers": [
                    {"Image": around.serve_image_uri, "ModelDataUrl": join("/", graph.uri("package"), ARCHIVE)}
                ],
                "SupportedContentTypes": CONTENT_TYPES,
                "SupportedResponseMIMETypes": CONTENT_TYPES,
            },
            "ModelMetrics": {
                "ModelQuality": {
                    "Statistics": {
                        "ContentType": "application/json",
                        "S3Uri": join("/", evaluation, "evaluation.json"),
                    }
                }
            },
            "ModelCard": {"ModelCardStatus": "Draft", "ModelCardContent": card(graph, model, around)},
            # The one thing about a version's origin that UpdateModelPackage cannot change: it binds the record to it.
            "MetadataProperties": {"GeneratedBy": {"Get": "Execution.PipelineExecutionArn"}},
            "CustomerMetadataProperties": {
                "model": model.name,
                "period": parameters.PERIOD,
                "listing": parameters.LISTING,
                "reason": parameters.REASON,
                "started_by": parameters.STARTED_BY,
                "author": parameters.AUTHOR,
                "commit": around.commit,
                "image_uri": around.image_uri,
                "execution": {"Get": "Execution.PipelineExecutionArn"},
                "report": join("/", graph.uri("report"), "report.html"),
                "provenance": join("/", graph.uri(PROVENANCE), "provenance.json"),
                **_registered(graph),
            },
        },
        "RetryPolicies": [call_retries(around.patience)],
    }


def _registered(graph: Graph) -> Json:
    """The single values that steps declare a version to carry."""
    return {
        name: graph.value(step.property_file.split("/")[0], f"properties.{name}")
        for step in graph.ordered
        if step.property_file
        for name in step.registers
    }
