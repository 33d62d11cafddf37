"""Processing and training jobs under SageMaker's container contract, as processes of this machine.

https://docs.aws.amazon.com/sagemaker/latest/dg/build-your-own-processing-container.html
https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo.html
"""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

from rehearsal.processes import Processes

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping

    from rehearsal.image import Image, Images
    from rehearsal.resources import Place

Json = dict[str, Any]

ML_ROOT = PurePosixPath("/opt/ml")
HOSTS = {"current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": "eth0"}
LOG_BATCH = 500
processes = Processes()


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
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    ended: datetime | None = None

    @property
    def arn(self) -> str:
        return self.place.arn("sagemaker", f"{self.kind.lower()}-job/{self.name}")

    @property
    def root(self) -> Path:
        return self.folder / "opt-ml"

    def local(self, path: str) -> Path:
        """The folder that stands for a path below /opt/ml."""
        if not PurePosixPath(path).is_relative_to(ML_ROOT):
            raise JobError(f"ClientError: LocalPath {path} must be below {ML_ROOT}")
        return self.root / PurePosixPath(path).relative_to(ML_ROOT)

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
        }
        if self.kind == "Processing":
            return {**described, "ExitMessage": self.exit_message}
        seconds = int(((self.ended or datetime.now(UTC)) - self.created).total_seconds())
        return {
            **described,
            "SecondaryStatus": {"InProgress": "Training"}.get(self.status, self.status),
            "ModelArtifacts": {"S3ModelArtifacts": f"{self.output_uri}/model.tar.gz"},
            "TrainingTimeInSeconds": seconds,
            "BillableTimeInSeconds": seconds,
        }

    @property
    def output_uri(self) -> str:
        return f"{self.request['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{self.name}/output"


def run(job: Job, images: Images, stop: threading.Event) -> None:
    """Run a job to its end; its status, failure reason and artifacts are then those SageMaker would show."""
    try:
        if job.kind == "Processing":
            _run_processing(job, images, stop)
        else:
            _run_training(job, images, stop)
        job.status = "Stopped" if stop.is_set() else "Completed"
    except Exception as error:  # noqa: BLE001 whatever happens to a job is its failure reason
        job.status = "Stopped" if stop.is_set() else "Failed"
        job.failure = None if stop.is_set() else str(error)
    finally:
        job.ended = datetime.now(UTC)


def _run_processing(job: Job, images: Images, stop: threading.Event) -> None:
    request, app = job.request, job.request["AppSpecification"]
    _write(job.root / "config/processingjobconfig.json", {"ProcessingJobArn": job.arn, **request})
    _write(job.root / "config/resourceconfig.json", HOSTS)
    for given in request.get("ProcessingInputs", []):
        _download(job, given["S3Input"]["S3Uri"], job.local(given["S3Input"]["LocalPath"]))
    outputs = [output["S3Output"] for output in request.get("ProcessingOutputConfig", {}).get("Outputs", [])]
    for output in outputs:
        job.local(output["LocalPath"]).mkdir(parents=True, exist_ok=True)
    code = _Container(job, images, stop).run(app["ImageUri"], app, {})
    for output in outputs:  # SageMaker uploads what a failed job left, too
        _upload_folder(job, job.local(output["LocalPath"]), output["S3Uri"])
    job.exit_message = _said(job.root / "output/message", 1024)
    if code and not stop.is_set():
        said = job.exit_message or "See job logs for more information"
        raise JobError(f"AlgorithmError: {said}, exit code: {_exit_code(code)}")


def _run_training(job: Job, images: Images, stop: threading.Event) -> None:
    request, algorithm = job.request, job.request["AlgorithmSpecification"]
    channels = [channel["ChannelName"] for channel in request.get("InputDataConfig", [])]
    for folder in ("model", "output/data", "output/failure"):
        (job.root / folder).parent.mkdir(parents=True, exist_ok=True)
    (job.root / "model").mkdir(exist_ok=True)
    config = job.root / "input/config"
    _write(config / "hyperparameters.json", request.get("HyperParameters", {}))
    _write(config / "resourceconfig.json", HOSTS)
    _write(config / "inputdataconfig.json", {name: {"TrainingInputMode": "File"} for name in channels})
    for channel in request.get("InputDataConfig", []):
        uri = channel["DataSource"]["S3DataSource"]["S3Uri"]
        _download(job, uri, job.root / "input/data" / channel["ChannelName"])
    code = _Container(job, images, stop).run(algorithm["TrainingImage"], algorithm, _toolkit_variables(job, channels))
    if code and not stop.is_set():
        said = _said(job.root / "output/failure", 1024) or "See job logs for more information"
        raise JobError(f"AlgorithmError: {said}, exit code: {_exit_code(code)}")
    if not stop.is_set():
        _upload(job, pack(job.root / "model"), f"{job.output_uri}/model.tar.gz")
        if (job.root / "output/data").is_dir():
            _upload(job, pack(job.root / "output/data"), f"{job.output_uri}/output.tar.gz")


@dataclass(frozen=True)
class _Container:
    """What stands for a job's container: the image's process in the job's folder."""

    job: Job
    images: Images
    stop: threading.Event

    def run(self, uri: str, specification: Json, extra: Mapping[str, str]) -> int:
        """Entry point and arguments as they are, except that `python` is the image's Python; returns the exit code."""
        job, image = self.job, self.images.find(self.job.place, uri)
        command = [*specification.get("ContainerEntrypoint", []), *specification.get("ContainerArguments", [])]
        if not command or any(str(ML_ROOT) in part for part in command):
            raise JobError(f"ClientError: the embedded AWS cannot run {command}: name an entry point without {ML_ROOT}")
        limit = job.request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", 86_400)
        log, begun = _Log(job), time.monotonic()
        code = processes.run(
            [str(image.python) if part in {"python", "python3"} else part for part in command],
            folder=image.source,
            environment=self._environment(image, extra),
            heard=log.add,
            seconds=limit,
            stop=self.stop,
        )
        log.flush()
        if code < 0 and time.monotonic() - begun >= limit:
            raise JobError(f"ClientError: MaxRuntimeExceeded, the job ran longer than {limit} seconds")
        return code

    def _environment(self, image: Image, extra: Mapping[str, str]) -> dict[str, str]:
        """What a container would see; nothing of the server's own environment, no credentials."""
        home = self.job.folder / "home"
        home.mkdir(parents=True, exist_ok=True)
        return {
            "PATH": os.pathsep.join([str(image.python.parent), "/usr/bin", "/bin"]),
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
            "AWS_REGION": self.job.place.region,
            **extra,
            **{name: str(value) for name, value in self.job.request.get("Environment", {}).items()},
            "SLIPWAY_ML_ROOT": str(self.job.root),
        }


def _toolkit_variables(job: Job, channels: list[str]) -> dict[str, str]:
    """What SageMaker's training toolkit sets in containers that use it; ours read files and need none of them."""
    given: Json = job.request.get("HyperParameters", {})
    return {
        "TRAINING_JOB_NAME": job.name,
        "TRAINING_JOB_ARN": job.arn,
        "SM_MODEL_DIR": str(job.root / "model"),
        "SM_OUTPUT_DATA_DIR": str(job.root / "output/data"),
        "SM_CHANNELS": json.dumps(sorted(channels)),
        **{f"SM_CHANNEL_{name.upper()}": str(job.root / "input/data" / name) for name in channels},
        "SM_HPS": json.dumps(given),
        **{f"SM_HP_{name.upper()}": str(value) for name, value in given.items()},
        "SM_CURRENT_HOST": "algo-1",
        "SM_HOSTS": '["algo-1"]',
        "SM_NUM_CPUS": str(os.cpu_count()),
        "SM_NUM_GPUS": "0",
    }


def _exit_code(code: int) -> int:
    """As a container reports it: 128 + signal for a process that was killed."""
    return 128 - code if code < 0 else code


class _Log:
    """A job's lines on their way to CloudWatch Logs."""

    def __init__(self, job: Job) -> None:
        self.client, self.group = job.place.client("logs"), f"/aws/sagemaker/{job.kind}Jobs"
        self.stream = f"{job.name}/algo-1-{int(time.time())}"
        self.lines: list[Json] = []
        with suppress(self.client.exceptions.ResourceAlreadyExistsException):
            self.client.create_log_group(logGroupName=self.group)
        self.client.create_log_stream(logGroupName=self.group, logStreamName=self.stream)

    def add(self, line: str) -> None:
        self.lines.append({"timestamp": int(time.time() * 1000), "message": line or " "})
        if len(self.lines) >= LOG_BATCH:
            self.flush()

    def flush(self) -> None:
        if self.lines:
            self.client.put_log_events(logGroupName=self.group, logStreamName=self.stream, logEvents=self.lines)
            self.lines = []


def _download(job: Job, uri: str, folder: Path) -> None:
    """S3Prefix: every object whose key begins with the prefix, relative names kept."""
    s3, place = job.place.client("s3"), urlparse(uri)
    prefix = place.path.lstrip("/")
    base = prefix if prefix.endswith("/") else prefix.rpartition("/")[0] + "/"
    folder.mkdir(parents=True, exist_ok=True)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=place.netloc, Prefix=prefix)
    keys = [found["Key"] for page in pages for found in page.get("Contents", [])]
    if not keys:
        raise JobError(f"ClientError: Data download failed: No S3 objects found under S3 URL {uri}")
    inside = [key for key in keys if key.startswith(f"{prefix.rstrip('/')}/")]
    for key in inside or keys:
        relative = key.removeprefix(f"{prefix.rstrip('/')}/" if inside else base)
        target = folder / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(s3.get_object(Bucket=place.netloc, Key=key)["Body"].read())


def _upload_folder(job: Job, folder: Path, uri: str) -> None:
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        _upload(job, file.read_bytes(), f"{uri.rstrip('/')}/{file.relative_to(folder).as_posix()}")


def _upload(job: Job, body: bytes, uri: str) -> None:
    place = urlparse(uri)
    job.place.client("s3").put_object(Bucket=place.netloc, Key=place.path.lstrip("/"), Body=body)


def pack(folder: Path) -> bytes:
    """A folder as .tar.gz, the same bytes for the same content."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1, mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w") as archive,
    ):
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = tarfile.TarInfo(file.relative_to(folder).as_posix())
            entry.size = file.stat().st_size
            with file.open("rb") as content:
                archive.addfile(entry, content)
    return packed.getvalue()


def _write(file: Path, content: Json) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content, default=str))


def _said(file: Path, limit: int) -> str | None:
    return file.read_text(errors="replace")[:limit] if file.is_file() else None
