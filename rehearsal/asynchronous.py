"""InvokeEndpointAsync: the request lies in S3, the answer or the failure will; in between there is a queue.

https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference.html
Each instance is given as many requests at a time as the configuration says; the others wait, all of them while there is
no instance. Expiry and notices are not carried out.
"""

from __future__ import annotations

import json
import threading
import uuid
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

from botocore.exceptions import ClientError

from rehearsal import first_instance
from rehearsal.api import ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rehearsal.hosted import Endpoint
    from rehearsal.resources import Place

Json = dict[str, Any]

STEM = "x-amzn-sagemaker-"
AT_A_TIME = 4
"""Where the configuration says nothing, SageMaker chooses how many requests an instance is given; here it is this."""


@dataclass(frozen=True)
class Queue:
    """Where one endpoint's answers and failures go, in the name of its model's role."""

    endpoint: Endpoint
    place: Place
    role: str

    @property
    def config(self) -> Json:
        found: Json = self.endpoint.config["AsyncInferenceConfig"]
        return found

    def room(self) -> int:
        """How many requests the instances there are work at."""
        each = self.config.get("ClientConfig", {}).get("MaxConcurrentInvocationsPerInstance", AT_A_TIME)
        return sum(fleet.instances for fleet in self.endpoint.fleets) * int(each)

    def take(self, headers: Mapping[str, str]) -> Any:
        """Answer InvokeEndpointAsync, then the request."""
        given = {name.lower(): value for name, value in headers.items()}
        location = given.get(f"{STEM}inputlocation")
        if not location:
            raise ServiceError("ValidationError", "InputLocation is needed: an S3 URI of the request")
        output, request = self.config["OutputConfig"], str(uuid.uuid4())
        answers = f"{output['S3OutputPath'].rstrip('/')}/{request}.out"
        failures = f"{output.get('S3FailurePath', output['S3OutputPath']).rstrip('/')}/{request}-error.out"
        passed = {
            "Content-Type": given.get(f"{STEM}content-type", "application/octet-stream"),
            "Accept": given.get(f"{STEM}accept", "*/*"),
        }
        self.endpoint.queue.join()
        threading.Thread(target=self._wait, args=(location, answers, failures, passed), daemon=True).start()
        if not self.room():
            name = self.endpoint.described["EndpointName"]
            first_instance.hasten(self.place.account, name, lambda: self.room() > 0)
        told = {f"{STEM}outputlocation": answers, f"{STEM}failurelocation": failures}
        body = {"InferenceId": given.get(f"{STEM}inference-id", request)}
        # moto reads the status here and nowhere else
        status = {"Content-Type": "application/json", "status": str(int(HTTPStatus.ACCEPTED))}
        return HTTPStatus.ACCEPTED, {**status, **told}, json.dumps(body).encode()

    def _wait(self, location: str, answers: str, failures: str, passed: Mapping[str, str]) -> None:
        with self.endpoint.queue.turn(self.room):
            self._work(location, answers, failures, passed)

    def _work(self, location: str, answers: str, failures: str, passed: Mapping[str, str]) -> None:
        try:
            found = urlparse(location)
            got = self._s3.get_object(Bucket=found.netloc, Key=found.path.lstrip("/"))
            reply = self.endpoint.next_fleet(None).invoke(got["Body"].read(), passed)
        except ClientError as error:
            self._put(failures, f"Failed to download {location}: {error}".encode(), "text/plain")
            return
        if reply.status < HTTPStatus.BAD_REQUEST:
            self._put(answers, reply.body, reply.type)
        else:
            said = reply.body.decode(errors="replace")
            message = f'Received error ({reply.status}) from model with message "{said}".'
            self._put(failures, message.encode(), "text/plain")

    def _put(self, uri: str, body: bytes, media: str) -> None:
        found, key = urlparse(uri), self.config["OutputConfig"].get("KmsKeyId")
        encrypted = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key} if key else {}
        self._s3.put_object(
            Bucket=found.netloc, Key=found.path.lstrip("/"), Body=body, ContentType=media or "text/plain", **encrypted
        )

    @property
    def _s3(self) -> Any:
        return self.place.acting_as(self.role).client("s3")
