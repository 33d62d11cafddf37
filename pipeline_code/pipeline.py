"""Steps -> order -> SageMaker pipeline definition: a pure function.

The format: https://aws-sagemaker-mlops.github.io/sagemaker-model-building-pipeline-definition-JSON-schema/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline_code import parameters
from pipeline_code.graph import Graph, Json, join
from pipeline_code.job_request import JobStep
from pipeline_code.registration import register

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline_code.contract import Step
    from pipeline_code.model import Model
    from pipeline_code.surroundings import Surroundings


def render(model: Model, steps: Sequence[Step], around: Surroundings) -> Json:
    """The definition of one model's training pipeline, ready for CreatePipeline.

    Ungated steps come first; a condition on the gates of evaluation.json then leads to the gated steps and the
    registration, or to a Fail step that says which gate refused and by how much.
    """
    graph = Graph(steps)
    given = model.hyperparameters
    jobs = {step.name: JobStep(step, graph, model.name, given, around).render() for step in graph.ordered}
    gated = [jobs[step.name] for step in graph.ordered if step.gated]
    return {
        "Version": "2020-12-01",
        "Metadata": {},
        "Parameters": parameters.declared(given),
        "Steps": [
            *(jobs[step.name] for step in graph.ordered if not step.gated),
            {
                "Name": "Gate",
                "Type": "Condition",
                "Arguments": {
                    "Conditions": [
                        {"Type": "Equals", "LeftValue": graph.value("evaluation", "gates.passed"), "RightValue": True}
                    ],
                    "IfSteps": [*gated, register(graph, model, around)],
                    "ElseSteps": [
                        {
                            "Name": "Refused",
                            "Type": "Fail",
                            "Arguments": {"ErrorMessage": join("", graph.value("evaluation", "gates.message"))},
                        }
                    ],
                },
            },
        ],
    }
