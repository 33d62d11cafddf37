"""Processing and training jobs under SageMaker's container contract, as processes of this machine.

https://docs.aws.amazon.com/sagemaker/latest/dg/build-your-own-processing-container.html
https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo.html
"""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import tarfile
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

from rehearsal import faults
from rehearsal.clock import clock
from rehearsal.job import ML_ROOT, Job, JobError
from rehearsal.processes import Processes

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from rehearsal.image import Image, Images

Json = dict[str, Any]

HOSTS = {"current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": "eth0"}
LOG_BATCH = 500
SPOT_RETURNS_SECONDS = 300
"""How long an interrupted job waits here for another spot instance; simulated."""
processes = Processes()


def run(job: Job, images: Images, stop: threading.Event, fault: str | None = None) -> None:
    """Run a job to its end; its status, failure reason and artifacts are then those SageMaker would show."""
    begun = time.monotonic()
    job.turn("Starting")
    job.announce()
    try:
        _refuse(job, fault)
        if job.kind == "Processing":
            _run_processing(job, images, stop)
        else:
            _run_training(job, images, stop, interrupted=fault == faults.INTERRUPTED)
        outcome: tuple[str, str | None] = ("Stopped" if stop.is_set() else "Completed", None)
    except Exception as error:  # noqa: BLE001 whatever happens to a job is its failure reason
        outcome = ("Stopped", None) if stop.is_set() else ("Failed", str(error))
    job.seconds = time.monotonic() - begun
    job.end(*outcome)


def _refuse(job: Job, fault: str | None) -> None:
    """SageMaker takes no role of another account, finds no machine for the job, or loses it."""
    if job.role.split(":")[4] != job.place.account:
        raise JobError("ValidationException: Cross-account pass role is not allowed.")
    if fault in {faults.CAPACITY, faults.INTERNAL}:
        raise JobError(faults.REASONS[fault])


def _run_processing(job: Job, images: Images, stop: threading.Event) -> None:
    request, app = job.request, job.request["AppSpecification"]
    _write(job.root / "config/processingjobconfig.json", {"ProcessingJobArn": job.arn, **request})
    _write(job.root / "config/resourceconfig.json", HOSTS)
    for given in request.get("ProcessingInputs", []):
        _download(job, given["S3Input"]["S3Uri"], job.local(given["S3Input"]["LocalPath"]))
    outputs = [output["S3Output"] for output in request.get("ProcessingOutputConfig", {}).get("Outputs", [])]
    for output in outputs:
        job.local(output["LocalPath"]).mkdir(parents=True, exist_ok=True)
    code = _Container(job, images, stop.is_set).run(app["ImageUri"], app, {})
    for output in outputs:  # SageMaker uploads what a failed job left, too
        _upload_folder(job, job.local(output["LocalPath"]), output["S3Uri"])
    job.exit_message = _said(job.root / "output/message", 1024)
    if code and not stop.is_set():
        said = job.exit_message or "See job logs for more information"
        raise JobError(f"AlgorithmError: {said}, exit code: {_exit_code(code)}")


def _run_training(job: Job, images: Images, stop: threading.Event, *, interrupted: bool) -> None:
    if interrupted:
        _run_until_interrupted(job, images, stop)
    code = _train(job, images, stop.is_set)
    _save_checkpoints(job)
    if code and not stop.is_set():
        said = _said(job.root / "output/failure", 1024) or "See job logs for more information"
        raise JobError(f"AlgorithmError: {said}, exit code: {_exit_code(code)}")
    if not stop.is_set():
        job.turn("Uploading")
        _upload(job, pack(job.root / "model"), f"{job.output_uri}/model.tar.gz")
        if (job.root / "output/data").is_dir():
            _upload(job, pack(job.root / "output/data"), f"{job.output_uri}/output.tar.gz")


def _run_until_interrupted(job: Job, images: Images, stop: threading.Event) -> None:
    """Take the spot instance away once a checkpoint is there; only what lies in S3 outlives it.

    https://docs.aws.amazon.com/sagemaker/latest/dg/model-managed-spot-training.html
    """
    if not job.request.get("EnableManagedSpotTraining"):
        raise JobError("ClientError: only a job with EnableManagedSpotTraining is interrupted")
    checkpoints = job.local(job.request["CheckpointConfig"]["LocalPath"])
    _train(job, images, lambda: stop.is_set() or any(checkpoints.glob("*")))
    _save_checkpoints(job)
    job.turn("Interrupted")
    shutil.rmtree(job.root)
    allowed = job.request["StoppingCondition"].get("MaxWaitTimeInSeconds", SPOT_RETURNS_SECONDS)
    if allowed < SPOT_RETURNS_SECONDS:
        raise JobError(f"ClientError: MaxWaitTimeExceeded, no spot capacity within {allowed} seconds")
    clock.skip(SPOT_RETURNS_SECONDS, f"spot capacity for {job.name} returns")
    job.turn("Restarting")


def _train(job: Job, images: Images, until: Callable[[], bool]) -> int:
    """Bring channels and checkpoints to the machine and run the container; returns its exit code."""
    request, algorithm = job.request, job.request["AlgorithmSpecification"]
    channels = [channel["ChannelName"] for channel in request.get("InputDataConfig", [])]
    job.turn("Downloading")
    (job.root / "output").mkdir(parents=True, exist_ok=True)
    (job.root / "model").mkdir(exist_ok=True)
    config = job.root / "input/config"
    _write(config / "hyperparameters.json", request.get("HyperParameters", {}))
    _write(config / "resourceconfig.json", HOSTS)
    _write(config / "inputdataconfig.json", {name: {"TrainingInputMode": "File"} for name in channels})
    for channel in request.get("InputDataConfig", []):
        uri = channel["DataSource"]["S3DataSource"]["S3Uri"]
        _download(job, uri, job.root / "input/data" / channel["ChannelName"])
    if "CheckpointConfig" in request:
        folder = job.local(request["CheckpointConfig"]["LocalPath"])
        _download(job, f"{request['CheckpointConfig']['S3Uri'].rstrip('/')}/", folder, required=False)
    job.turn("Training")
    container = _Container(job, images, until)
    return container.run(algorithm["TrainingImage"], algorithm, _toolkit_variables(job, channels))


def _save_checkpoints(job: Job) -> None:
    """SageMaker copies them to S3 while the job runs; here when it ends or is interrupted."""
    config = job.request.get("CheckpointConfig")
    if config:
        _upload_folder(job, job.local(config["LocalPath"]), config["S3Uri"])


@dataclass(frozen=True)
class _Container:
    """What stands for a job's container: the image's process in the job's folder."""

    job: Job
    images: Images
    until: Callable[[], bool]

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
            until=self.until,
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
            "SLIPWAY_SERVE_PYTHON": str(image.serve_python),
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
        with suppress(self.client.exceptions.ResourceAlreadyExistsException):
            self.client.create_log_stream(logGroupName=self.group, logStreamName=self.stream)

    def add(self, line: str) -> None:
        self.lines.append({"timestamp": int(time.time() * 1000), "message": line or " "})
        if len(self.lines) >= LOG_BATCH:
            self.flush()

    def flush(self) -> None:
        if self.lines:
            self.client.put_log_events(logGroupName=self.group, logStreamName=self.stream, logEvents=self.lines)
            self.lines = []


def _download(job: Job, uri: str, folder: Path, *, required: bool = True) -> None:
    """S3Prefix: every object whose key begins with the prefix, relative names kept."""
    s3, place = job.place.acting_as(job.role).client("s3"), urlparse(uri)
    prefix = place.path.lstrip("/")
    base = prefix if prefix.endswith("/") else prefix.rpartition("/")[0] + "/"
    folder.mkdir(parents=True, exist_ok=True)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=place.netloc, Prefix=prefix)
    keys = [found["Key"] for page in pages for found in page.get("Contents", [])]
    if not keys and required:
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
    job.place.acting_as(job.role).client("s3").put_object(Bucket=place.netloc, Key=place.path.lstrip("/"), Body=body)


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
