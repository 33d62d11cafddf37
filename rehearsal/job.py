"""A processing or training job as SageMaker keeps it: its request, its states, how it is described and announced."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from rehearsal import events
from rehearsal.clock import clock

if TYPE_CHECKING:
    from rehearsal.resources import Place

Json = dict[str, Any]

ML_ROOT = PurePosixPath("/opt/ml")
SUMMARIES = {
    "Processing": ("ProcessingEndTime", "LastModifiedTime", "FailureReason", "ExitMessage"),
    "Training": ("TrainingEndTime", "LastModifiedTime", "SecondaryStatus"),
}
"""What a listed job says beside its name, ARN, status and time of creation."""


class JobError(Exception):
    """Why a job failed, in SageMaker's words."""


@dataclass
class Job:
    """One job: the request with its pipeline variables resolved, and how it went."""

    kind: str
    name: str
    request: Json
    place: Place
    folder: Path
    status: str = "InProgress"
    failure: str | None = None
    exit_message: str | None = None
    created: datetime = field(default_factory=clock.now)
    ended: datetime | None = None
    seconds: float = 0
    transitions: list[Json] = field(default_factory=list)

    @property
    def arn(self) -> str:
        return self.place.arn("sagemaker", f"{self.kind.lower()}-job/{self.name}")

    @property
    def root(self) -> Path:
        return self.folder / "opt-ml"

    @property
    def role(self) -> str:
        """The ARN of the role the job runs with."""
        return str(self.request["RoleArn"])

    def local(self, path: str) -> Path:
        """The folder that stands for a path below /opt/ml."""
        if not PurePosixPath(path).is_relative_to(ML_ROOT):
            raise JobError(f"ClientError: LocalPath {path} must be below {ML_ROOT}")
        return self.root / PurePosixPath(path).relative_to(ML_ROOT)

    def turn(self, secondary: str) -> None:
        """A training job's secondary status changes; processing jobs have none."""
        now = clock.now()
        if self.transitions:
            self.transitions[-1]["EndTime"] = now
        self.transitions.append({"Status": secondary, "StartTime": now})

    def end(self, status: str, failure: str | None = None) -> None:
        self.status, self.failure, self.ended = status, failure, clock.now()
        self.turn(status)
        self.announce()

    def announce(self) -> None:
        """https://docs.aws.amazon.com/sagemaker/latest/dg/automating-sagemaker-with-eventbridge.html."""
        told = {key: _told(value) for key, value in self.describe().items() if key != "SecondaryStatusTransitions"}
        events.send(self.place, "aws.sagemaker", f"SageMaker {self.kind} Job State Change", told, [self.arn])

    @property
    def output_uri(self) -> str:
        return f"{self.request['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{self.name}/output"

    def describe(self) -> Json:
        """DescribeProcessingJob or DescribeTrainingJob."""
        described = {
            **self.request,
            f"{self.kind}JobName": self.name,
            f"{self.kind}JobArn": self.arn,
            f"{self.kind}JobStatus": self.status,
            "FailureReason": self.failure,
            "CreationTime": self.created,
            "LastModifiedTime": self.ended or self.created,
            f"{self.kind}StartTime": self.created,
            f"{self.kind}EndTime": self.ended,
            **(self._processed() if self.kind == "Processing" else self._trained()),
        }
        # Tags are a request's and ListTags' alone: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ListTags.html
        return {key: value for key, value in described.items() if value is not None and key != "Tags"}

    def _processed(self) -> Json:
        return {"ExitMessage": self.exit_message}

    def _trained(self) -> Json:
        return {
            "SecondaryStatus": self.transitions[-1]["Status"] if self.transitions else "Starting",
            "SecondaryStatusTransitions": list(self.transitions),
            "ModelArtifacts": {"S3ModelArtifacts": f"{self.output_uri}/model.tar.gz"},
            "TrainingTimeInSeconds": round(self.seconds) or None,
            "BillableTimeInSeconds": round(self.seconds) or None,
        }

    def summary(self) -> Json:
        described = self.describe()
        always = ("JobName", "JobArn", "JobStatus")
        keys = [*(f"{self.kind}{key}" for key in always), "CreationTime", *SUMMARIES[self.kind]]
        return {key: described[key] for key in keys if key in described}


def _told(value: Any) -> Any:
    """As events spell it: times in milliseconds."""
    return int(value.timestamp() * 1000) if isinstance(value, datetime) else value
