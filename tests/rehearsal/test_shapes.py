"""An answer in no form of AWS's is found, member by member, before it leaves the embedded AWS."""

from datetime import UTC, datetime
from typing import Any

import pytest

from rehearsal.shapes import output_shape, problems

NOW = datetime.now(UTC)
ARN = "arn:aws:sagemaker:eu-west-1:111111111111:pipeline/p"


def found(operation: str, answer: Any) -> list[str]:
    return list(problems(answer, output_shape("sagemaker", operation), operation))


def test_an_answer_of_the_right_form_passes() -> None:
    step = {"StepName": "Make", "StartTime": NOW, "StepStatus": "Succeeded", "AttemptCount": 1}

    assert found("ListPipelineExecutionSteps", {"PipelineExecutionSteps": [step], "NextToken": None}) == []


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"Steps": []}, "ListPipelineExecutionSteps.Steps: ListPipelineExecutionStepsResponse has no such member"),
        ({"PipelineExecutionSteps": {}}, "ListPipelineExecutionSteps.PipelineExecutionSteps: {} is no list"),
        ({"PipelineExecutionSteps": [{"StepStatus": "Done"}]}, "StepStatus: 'Done' is no string"),
        ({"PipelineExecutionSteps": [{"AttemptCount": "1"}]}, "AttemptCount: '1' is no integer"),
        ({"PipelineExecutionSteps": [{"AttemptCount": True}]}, "AttemptCount: True is no integer"),
        ({"PipelineExecutionSteps": [{"StartTime": "now"}]}, "StartTime: 'now' is no timestamp"),
        ({"PipelineExecutionSteps": ["Make"]}, "PipelineExecutionSteps[0]: 'Make' is no structure"),
    ],
)
def test_a_wrong_member_is_named_with_its_path(answer: Any, message: str) -> None:
    (problem,) = found("ListPipelineExecutionSteps", answer)

    assert message in problem


def test_what_a_service_always_answers_must_be_there() -> None:
    assert "ListTrainingJobs.TrainingJobSummaries: missing" in found("ListTrainingJobs", {})


def test_an_operation_without_an_answer_answers_nothing() -> None:
    assert found("StopTrainingJob", {"TrainingJobName": "t"}) == ["StopTrainingJob: nothing is answered"]
    assert found("StopTrainingJob", {}) == []
