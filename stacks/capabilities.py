"""What each way of serving can and cannot do, in one table; serving_rules.py holds what follows from it.

`slipway check` and synth read it before anything is deployed: SageMaker itself says no only minutes later, and to some
pairs it says yes and then does nothing. The columns' sources:

- serverless: CPU alone, no VPC, no network isolation, no data capture, one variant; an endpoint with instances cannot
  become a serverless one. https://docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints.html#serverless-endpoints-how-it-works-exclusions
- deployment guardrails are for real-time and asynchronous endpoints.
  https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails.html
- a canary is at most half of the new fleet. https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-blue-green-canary.html
- a linear step is a tenth to half of the new fleet, and each is watched. https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-blue-green-linear.html
- shadow: not for serverless and asynchronous endpoints; one variant, one shadow.
  https://docs.aws.amazon.com/sagemaker/latest/dg/shadow-tests-exclusions.html
- data capture is documented for real-time endpoints and, set on each job, for batch transform.
  https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture.html
- an isolated container reaches no network, not even S3, and has no credentials; SageMaker itself goes on to capture.
  https://docs.aws.amazon.com/sagemaker/latest/dg/mkt-algo-model-internet-free.html
- instances go to zero only behind inference components, or with a queue.
  https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-auto-scaling-zero-instances.html
  https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference-autoscale.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pipeline_code.model import Serving

Form = Literal["realtime", "component", "serverless", "async", "batch"]
"""How a model is served in the end: its mode, and for real-time endpoints whether copies go to zero."""

VARIANT_INSTANCES = "sagemaker:variant:DesiredInstanceCount"
COMPONENT_COPIES = "sagemaker:inference-component:DesiredCopyCount"


@dataclass(frozen=True)
class Capability:
    """One row: what a form can do. `kms` is what the key encrypts besides S3; `dimension` is what scaling moves.

    Where there is a canary, traffic may go over in linear steps as well.
    `suffix` ends the endpoint's name: SageMaker does not update an endpoint of one form to another, so that a change of
    mode makes another endpoint before it takes the old one away.
    """

    vpc: bool
    isolation: bool
    kms: Literal["volume", "image", "none"]
    capture_by_sagemaker: bool
    capture_by_server: bool
    canary: bool
    dimension: str | None
    to_zero: Literal["never", "copies", "always", "instances"]
    shadow: bool
    suffix: str


CAPABILITIES: dict[Form, Capability] = {
    "realtime": Capability(
        vpc=True,
        isolation=True,
        kms="volume",
        capture_by_sagemaker=True,
        capture_by_server=True,
        canary=True,
        dimension=VARIANT_INSTANCES,
        to_zero="never",
        shadow=True,
        suffix="",
    ),
    # A real-time endpoint whose copies may go to zero. Rolling updates instead of a canary; capture and shadow of
    # components are documented nowhere.
    "component": Capability(
        vpc=True,
        isolation=True,
        kms="volume",
        capture_by_sagemaker=False,
        capture_by_server=True,
        canary=False,
        dimension=COMPONENT_COPIES,
        to_zero="copies",
        shadow=False,
        suffix="-zero",
    ),
    # Capture by the server: between requests the container stands still, so what waits to be written may be lost.
    "serverless": Capability(
        vpc=False,
        isolation=False,
        kms="image",
        capture_by_sagemaker=False,
        capture_by_server=False,
        canary=False,
        dimension=None,
        to_zero="always",
        shadow=False,
        suffix="-serverless",
    ),
    "async": Capability(
        vpc=True,
        isolation=True,
        kms="volume",
        capture_by_sagemaker=False,
        capture_by_server=True,
        canary=True,
        dimension=VARIANT_INSTANCES,
        to_zero="instances",
        shadow=False,
        suffix="-async",
    ),
    "batch": Capability(
        vpc=True,
        isolation=True,
        kms="none",  # each transform job names its own
        capture_by_sagemaker=False,
        capture_by_server=False,
        canary=False,
        dimension=None,
        to_zero="always",
        shadow=False,
        suffix="",
    ),
}


def form_of(mode: Serving, *, scale_to_zero: bool) -> Form:
    """The row of a mode: a real-time endpoint that may go to zero is one of inference components."""
    return "component" if mode == "realtime" and scale_to_zero else mode
