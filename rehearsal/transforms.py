"""Transform jobs: a released model answers whole files, in the server that its endpoint would run.

https://docs.aws.amazon.com/sagemaker/latest/dg/batch-transform.html
Instances and their count, data processing by filters and capture of the job's files are recorded only.
"""

from __future__ import annotations

import threading
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

from moto.sagemaker.responses import SageMakerResponse

from rehearsal.api import ServiceError, install
from rehearsal.clock import clock
from rehearsal.fleet import Origin
from rehearsal.paging import between, page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rehearsal.api import Caller
    from rehearsal.endpoints import Endpoints
    from rehearsal.fleet import Fleet

Json = dict[str, Any]

MEGABYTE = 2**20
PAYLOAD_MB = 6
LISTED = ("TransformJobName", "TransformJobArn", "CreationTime", "TransformJobStatus", "FailureReason")


class TransformError(Exception):
    """Why a transform job failed, in SageMaker's words."""


class Transforms:
    """The operations, by AWS's names."""

    def __init__(self, hosting: Endpoints) -> None:
        self.hosting = hosting

    def install(self) -> None:
        install(SageMakerResponse, {name: getattr(self, name) for name in dir(type(self)) if name[0].isupper()})

    def CreateTransformJob(self, caller: Caller, request: Json) -> Json:  # noqa: N802 AWS's name
        region, name = self.hosting.regions[caller], request["TransformJobName"]
        if name in region.transforms:
            raise ServiceError("ResourceInUse", f"Job name must be unique within an AWS account: {name}")
        if request["ModelName"] not in region.models:
            raise ServiceError("ValidationException", f'Could not find model "{request["ModelName"]}".')
        arn = self.hosting.place(caller).arn("sagemaker", f"transform-job/{name}")
        region.transforms[name] = {
            **{key: value for key, value in request.items() if key != "Tags"},
            "TransformJobArn": arn,
            "TransformJobStatus": "InProgress",
            "CreationTime": clock.now(),
        }
        threading.Thread(target=self._run, args=(caller, region.transforms[name]), daemon=True).start()
        return {"TransformJobArn": arn}

    def DescribeTransformJob(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        found = self.hosting.regions[caller].transforms.get(request["TransformJobName"])
        if found is None:
            raise ServiceError("ResourceNotFound", f"Could not find transform job {request['TransformJobName']}.")
        return found

    def ListTransformJobs(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        found = list(self.hosting.regions[caller].transforms.values())
        listed = [{key: one[key] for key in LISTED if key in one} for one in found]
        return page("TransformJobSummaries", between(request, lambda one: one["CreationTime"], listed), request)

    def _run(self, caller: Caller, job: Json) -> None:
        job["TransformStartTime"] = clock.now()
        outcome, reason, fleet = "Completed", None, None
        try:
            origin = Origin(job["TransformJobName"], "transform", job["ModelName"])
            fleet = self.hosting.serve(caller, origin, {"ModelName": job["ModelName"]}, {})
            s3 = self.hosting.place(caller).acting_as(fleet.role).client("s3")
            _transform(job, fleet, s3)
        except Exception as error:  # noqa: BLE001 whatever happens to a job is its failure reason
            outcome, reason = "Failed", str(error)
        finally:
            if fleet:
                fleet.end()
        if reason:
            job["FailureReason"] = reason
        job.update(TransformEndTime=clock.now(), TransformJobStatus=outcome)


def _transform(job: Json, fleet: Fleet, s3: Any) -> None:
    """Each object below the prefix becomes one `.out` below the output path, in the same folders."""
    source = urlparse(job["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"])
    target, prefix = urlparse(job["TransformOutput"]["S3OutputPath"]), source.path.lstrip("/")
    base = prefix if prefix.endswith("/") else prefix.rpartition("/")[0] + "/"
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=source.netloc, Prefix=prefix)
    keys = [found["Key"] for one in pages for found in one.get("Contents", [])]
    if not keys:
        raise TransformError(f"ClientError: No S3 objects found under S3 URL {source.geturl()}")
    key_id = job["TransformOutput"].get("KmsKeyId")
    encrypted = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key_id} if key_id else {}
    for key in keys:
        body = s3.get_object(Bucket=source.netloc, Key=key)["Body"].read()
        answers = [_asked(fleet, job, payload, key) for payload in _payloads(job, body)]
        lines = job["TransformOutput"].get("AssembleWith") == "Line"
        joined = b"".join(_ended(answer) for answer in answers) if lines else b"".join(answers)
        name = f"{target.path.strip('/')}/{key.removeprefix(base)}.out"
        s3.put_object(Bucket=target.netloc, Key=name, Body=joined, **encrypted)


def _asked(fleet: Fleet, job: Json, payload: bytes, key: str) -> bytes:
    headers = {
        "Content-Type": job["TransformInput"].get("ContentType", "application/octet-stream"),
        "Accept": job["TransformOutput"].get("Accept", "*/*"),
    }
    reply = fleet.invoke(payload, headers)
    if reply.status >= HTTPStatus.BAD_REQUEST:
        said = reply.body.decode(errors="replace")
        raise TransformError(f"ClientError: {key}: Received error ({reply.status}) from model with message: {said}")
    return reply.body


def _payloads(job: Json, body: bytes) -> Iterator[bytes]:
    """A file as it is, line by line, or as many lines as a payload holds."""
    if job["TransformInput"].get("SplitType", "None") != "Line":
        yield body
        return
    lines = body.splitlines(keepends=True)
    if job.get("BatchStrategy", "MultiRecord") == "SingleRecord":
        yield from lines
        return
    most, size = job.get("MaxPayloadInMB", PAYLOAD_MB) * MEGABYTE, 0
    batch: list[bytes] = []
    for line in lines:
        if batch and size + len(line) > most:
            yield b"".join(batch)
            batch, size = [], 0
        batch.append(line)
        size += len(line)
    if batch:
        yield b"".join(batch)


def _ended(answer: bytes) -> bytes:
    return answer if answer.endswith(b"\n") else answer + b"\n"
