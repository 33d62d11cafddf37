"""InvokeEndpointAsync: the request lies in S3, the answer or the failure will; in between there is a queue.

https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference.html
Here each request is answered in a thread of its own; scaling from and to zero, expiry and notices are not carried out.
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

from rehearsal.api import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rehearsal.fleet import Reply
    from rehearsal.resources import Place

Json = dict[str, Any]

STEM = "x-amzn-sagemaker-"


@dataclass(frozen=True)
class Queue:
    """Where one endpoint's answers and failures go, in the name of its model's role."""

    config: Json
    place: Place
    role: str

    def take(self, headers: Mapping[str, str], ask: Callable[[bytes, Mapping[str, str]], Reply]) -> Any:
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
        threading.Thread(target=self._work, args=(location, answers, failures, passed, ask), daemon=True).start()
        told = {f"{STEM}outputlocation": answers, f"{STEM}failurelocation": failures}
        body = {"InferenceId": given.get(f"{STEM}inference-id", request)}
        # moto reads the status here and nowhere else
        status = {"Content-Type": "application/json", "status": str(int(HTTPStatus.ACCEPTED))}
        return HTTPStatus.ACCEPTED, {**status, **told}, json.dumps(body).encode()

    def _work(
        self,
        location: str,
        answers: str,
        failures: str,
        passed: Mapping[str, str],
        ask: Callable[[bytes, Mapping[str, str]], Reply],
    ) -> None:
        try:
            found = urlparse(location)
            got = self._s3.get_object(Bucket=found.netloc, Key=found.path.lstrip("/"))
            reply = ask(got["Body"].read(), passed)
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
