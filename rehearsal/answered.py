"""What SageMaker tells CloudWatch of each answer: errors and time of all, the load of those that scale by requests.

Load is told per instance or copy: each request as its share of one. An asynchronous endpoint tells none of it.
https://docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html
https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference-monitor.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rehearsal import metrics
from rehearsal.load import load

if TYPE_CHECKING:
    from rehearsal.fleet import Fleet

NAMESPACE = "AWS/SageMaker"
BAD, WRONG = 400, 500


@dataclass(frozen=True)
class Answer:
    """Its status, and how long the container took."""

    status: int
    microseconds: float


def tell(fleet: Fleet, answer: Answer) -> None:
    """Of the variant, of its configuration, of the component that answered."""
    origin, requests = fleet.origin, load.of(fleet.origin.endpoint)
    told = {
        **({} if fleet.queued else {"Invocations": float(requests)}),
        "Invocation4XXErrors": float(BAD <= answer.status < WRONG),
        "Invocation5XXErrors": float(answer.status >= WRONG),
        "ModelLatency": answer.microseconds,
    }
    variant = {"EndpointName": origin.endpoint, "VariantName": origin.variant}
    metrics.put(fleet.place, NAMESPACE, told, {**variant, "EndpointConfigName": origin.config})
    share = requests / max(fleet.instances, 1)
    if origin.component:
        named = {"InferenceComponentName": origin.component}
        metrics.put(fleet.place, NAMESPACE, {**told, "InvocationsPerCopy": share}, named)
    elif not fleet.queued and "ServerlessConfig" not in fleet.described:
        told["InvocationsPerInstance"] = share
    metrics.put(fleet.place, NAMESPACE, told, variant)
