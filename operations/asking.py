"""How a release asks what it has made live: an endpoint, a component of one, a queue; and what to look at for batch.

Forms are those of the environment's table of serving; batch has no endpoint, so nothing answers but transform jobs.
"""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from botocore.exceptions import ClientError

from operations.journal import LEASE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from operations.place import Place

MODEL_RESOURCE = "Model"
"""Logical id of the model in a serving stack."""

ANSWER_SECONDS, LOOK_SECONDS = LEASE_SECONDS * 0.8, 0.1
"""A lease that is renewed before each row outlives the longest wait for one."""


class AskError(Exception):
    """Why there is no answer, or an answer that is no prediction."""


@dataclass(frozen=True)
class Served:
    """What a release makes live: `requests` is the S3 URI under which a queue takes requests."""

    client: Callable[[str], Any]
    endpoint: str
    stack: str
    form: str = "realtime"
    requests: str = ""

    @classmethod
    def of(cls, client: Callable[[str], Any], place: Place) -> Self:
        return cls(client, place.endpoint, place.stack, place.form, place.requests)

    @property
    def at_once(self) -> bool:
        """Whether an answer comes with the request: a queue tells nothing at once, a model alone nothing at all."""
        return self.form not in {"async", "batch"}

    @property
    def answers(self) -> bool:
        """Whether it can be asked at all."""
        return self.form != "batch"

    def coming(self) -> str:
        """The configuration that the endpoint goes over to just now; empty if to none.

        https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_PendingDeploymentSummary.html
        """
        try:
            endpoint = self.client("sagemaker").describe_endpoint(EndpointName=self.endpoint)
        except ClientError:
            return ""  # there is none yet, or SageMaker cannot say just now: the next look asks again
        return str(endpoint.get("PendingDeploymentSummary", {}).get("EndpointConfigName", ""))

    def model(self, config: dict[str, Any]) -> str:
        """The name of the model behind a configuration, a component, or a stack for batch; empty without one."""
        if self.form == "batch":
            return self._batch_model()
        if self.form == "component":
            found = self.client("sagemaker").describe_inference_component(InferenceComponentName=self.endpoint)
            return str(found["Specification"]["ModelName"])
        return str(config["ProductionVariants"][0]["ModelName"])

    def _batch_model(self) -> str:
        """The name of the model that transform jobs use; empty without one."""
        found = self.client("cloudformation").describe_stack_resources(StackName=self.stack)["StackResources"]
        arns = [one.get("PhysicalResourceId", "") for one in found if one["LogicalResourceId"] == MODEL_RESOURCE]
        return str(arns[0]).rsplit("/", 1)[-1] if arns else ""

    def ask(self, row: str) -> float:
        """The probability for one row; raises ClientError, BotoCoreError, or AskError for what is no prediction."""
        body = self._queued(row) if self.form == "async" else self._asked(row)
        try:
            return float(json.loads(body)["predictions"][0]["probability"])
        except (ValueError, KeyError, IndexError, TypeError):
            raise AskError(f"the endpoint answers {body[:200]!r}, which is no prediction") from None

    def _asked(self, row: str) -> bytes:
        component = {"InferenceComponentName": self.endpoint} if self.form == "component" else {}
        answer = self.client("sagemaker-runtime").invoke_endpoint(
            EndpointName=self.endpoint,
            Body=row.encode(),
            ContentType="text/csv",
            Accept="application/json",
            **component,
        )
        body: bytes = answer["Body"].read()
        return body

    def _queued(self, row: str) -> bytes:
        """Leave the row where the queue takes requests, and wait for the answer or the failure."""
        s3, key = self.client("s3"), f"release-{uuid.uuid4()}.csv"
        bucket, _, prefix = self.requests.removeprefix("s3://").partition("/")
        s3.put_object(Bucket=bucket, Key=f"{prefix}/{key}", Body=row.encode())
        told = self.client("sagemaker-runtime").invoke_endpoint_async(
            EndpointName=self.endpoint,
            InputLocation=f"{self.requests}/{key}",
            ContentType="text/csv",
            Accept="application/json",
        )
        end = time.monotonic() + ANSWER_SECONDS
        while time.monotonic() < end:
            found = self._object(s3, told["OutputLocation"])
            if found is not None:
                return found
            failed = self._object(s3, told["FailureLocation"])
            if failed is not None:
                raise AskError(failed.decode(errors="replace"))
            time.sleep(LOOK_SECONDS)
        raise AskError(f"no answer to {self.requests}/{key} within {ANSWER_SECONDS:.0f} seconds")

    @staticmethod
    def _object(s3: Any, uri: str) -> bytes | None:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        try:
            body: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        except s3.exceptions.NoSuchKey:
            return None
        return body
