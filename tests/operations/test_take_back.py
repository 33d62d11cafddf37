"""What is done about a stage that failed: back to what worked, by whichever way CodePipeline has."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from operations.take_back import AGAIN, BACK, NOBODY, TakeBack

Json = dict[str, Any]
SOURCE = {"actionName": "Source", "revisionId": "Xb3.versionOfTheObject"}


class Pipelines:
    """CodePipeline as far as it is asked; `refuses` is the error that a rollback meets."""

    def __init__(self, *executions: Json, failed: Json | None = None, refuses: str = "") -> None:
        self.listed, self.failed, self.refuses = list(executions), failed or {}, refuses
        self.asked: list[tuple[str, Json]] = []

    def get_pipeline_execution(self, **_: str) -> Json:
        return {"pipelineExecution": self.failed}

    def get_paginator(self, operation: str) -> "Pipelines":
        assert operation == "list_pipeline_executions"
        return self

    def paginate(self, **asked: Any) -> list[Json]:
        self.asked.append(("list", asked))
        return [{"pipelineExecutionSummaries": [each]} for each in self.listed]

    def rollback_stage(self, **asked: str) -> Json:
        if self.refuses:
            raise ClientError({"Error": {"Code": self.refuses, "Message": "no"}}, "RollbackStage")
        self.asked.append(("rollback", asked))
        return {"pipelineExecutionId": "back"}

    def start_pipeline_execution(self, **asked: Any) -> Json:
        self.asked.append(("start", asked))
        return {"pipelineExecutionId": "again"}


class Topic:
    def __init__(self) -> None:
        self.told: list[Json] = []

    def publish(self, **told: str) -> None:
        self.told.append(told)


def good(execution: str, **more: Any) -> Json:
    return {"pipelineExecutionId": execution, "sourceRevisions": [SOURCE], **more}


def taken_back(pipelines: Pipelines) -> tuple[Any, Topic]:
    topic = Topic()
    return TakeBack(pipelines, topic, "delivery", "arn:topic").failed("slipway-prod", "bad"), topic


def test_a_stage_goes_back_to_the_newest_execution_that_worked_in_it() -> None:
    pipelines = Pipelines(good("bad"), good("way-back", executionType="ROLLBACK"), good("newest"), good("older"))

    done, topic = taken_back(pipelines)

    assert (done.outcome, done.execution) == (BACK, "back")
    asked = {"pipelineName": "delivery", "stageName": "slipway-prod", "targetPipelineExecutionId": "newest"}
    assert pipelines.asked[-1] == ("rollback", asked)
    listed = {"pipelineName": "delivery", "filter": {"succeededInStage": {"stageName": "slipway-prod"}}}
    assert pipelines.asked[0] == ("list", listed)
    assert topic.told[0]["Subject"] == "slipway-prod: rolled back"


@pytest.mark.parametrize("refuses", ["PipelineExecutionOutdatedException", "UnableToRollbackStageException"])
def test_where_the_pipeline_has_changed_its_last_good_source_is_delivered_again(refuses: str) -> None:
    pipelines = Pipelines(good("newest"), refuses=refuses)

    done, _ = taken_back(pipelines)

    assert (done.outcome, done.execution) == (AGAIN, "again")
    revision = {"actionName": "Source", "revisionType": "S3_OBJECT_VERSION_ID", "revisionValue": SOURCE["revisionId"]}
    asked = {"name": "delivery", "sourceRevisions": [revision], "clientRequestToken": "again-newest"}
    assert pipelines.asked[-1] == ("start", asked)


def test_a_commit_is_asked_for_as_a_commit() -> None:
    commit = {"actionName": "Source", "revisionId": "0123456789abcdef0123456789abcdef01234567"}
    pipelines = Pipelines(good("newest", sourceRevisions=[commit]), refuses="UnableToRollbackStageException")

    taken_back(pipelines)

    assert pipelines.asked[-1][1]["sourceRevisions"][0]["revisionType"] == "COMMIT_ID"


def test_what_fails_on_the_way_back_is_for_a_person() -> None:
    for failed in (
        {"executionType": "ROLLBACK"},
        {"trigger": {"triggerType": "StartPipelineExecution", "triggerDetail": "arn:...:slipway-delivery-take-back"}},
    ):
        pipelines = Pipelines(good("newest"), failed=failed)

        done, topic = taken_back(pipelines)

        assert done.outcome == NOBODY
        assert pipelines.asked == []
        assert "a person has to look" in topic.told[0]["Message"]


def test_the_first_of_all_has_nothing_to_go_back_to() -> None:
    done, topic = taken_back(Pipelines(good("bad")))

    assert done.outcome == NOBODY
    assert "mend it, and push" in topic.told[0]["Message"]


def test_an_error_that_is_no_refusal_is_not_swallowed() -> None:
    with pytest.raises(ClientError, match="ThrottlingException"):
        taken_back(Pipelines(good("newest"), refuses="ThrottlingException"))
