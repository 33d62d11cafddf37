"""What the starter and the notifier hear of: events of AWS's services, as narrow as rules can say it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import aws_events as events

if TYPE_CHECKING:
    from collections.abc import Sequence

BUILD_ENDS = ("SUCCEEDED", "FAILED", "FAULT", "STOPPED", "TIMED_OUT")


def manifest_arrived(bucket: str) -> events.EventPattern:
    """The last object of a period."""
    return events.EventPattern(
        source=["aws.s3"],
        detail_type=["Object Created"],
        detail={"bucket": {"name": [bucket]}, "object": {"key": [{"suffix": "/_READY.json"}]}},
    )


def parameter_changed(names: Sequence[str]) -> events.EventPattern:
    """One of exactly these parameters was written again; one that is made says nothing.

    https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-cwe.html
    """
    return events.EventPattern(
        source=["aws.ssm"],
        detail_type=["Parameter Store Change"],
        detail={"name": list(names), "operation": ["Update"]},
    )


def build_ended(project: str) -> events.EventPattern:
    """A build of a project ended, however it did."""
    return events.EventPattern(
        source=["aws.codebuild"],
        detail_type=["CodeBuild Build State Change"],
        detail={"project-name": [project], "build-status": list(BUILD_ENDS)},
    )


def run_became(pipelines: str, *states: str) -> events.EventPattern:
    """An execution of a pipeline whose ARN begins so came to a state."""
    return events.EventPattern(
        source=["aws.sagemaker"],
        detail_type=["SageMaker Model Building Pipeline Execution Status Change"],
        detail={"currentPipelineExecutionStatus": list(states), "pipelineArn": [{"prefix": pipelines}]},
    )
