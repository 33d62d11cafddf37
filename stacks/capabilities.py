"""What each way of serving can and cannot do, in one table, and the rules that follow from it.

`slipway check` and synth read it before anything is deployed: SageMaker itself says no only minutes later, and to some
pairs it says yes and then does nothing. The columns' sources:

- serverless: CPU alone, no VPC, no network isolation, no data capture, one variant; an endpoint with instances cannot
  become a serverless one. https://docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints.html#serverless-endpoints-how-it-works-exclusions
- deployment guardrails are for real-time and asynchronous endpoints.
  https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails.html
- a canary is at most half of the new fleet. https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-blue-green-canary.html
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
    from collections.abc import Callable, Iterator

    from pipeline_code.model import Serving
    from stacks.serving_settings import ServingSettings

Form = Literal["realtime", "component", "serverless", "async", "batch"]
"""How a model is served in the end: its mode, and for real-time endpoints whether copies go to zero."""

VARIANT_INSTANCES = "sagemaker:variant:DesiredInstanceCount"
COMPONENT_COPIES = "sagemaker:inference-component:DesiredCopyCount"

A_CANARY_NEEDS = 2
PRODUCTION = "Production"


@dataclass(frozen=True)
class Capability:
    """One row: what a form can do. `kms` is what the key encrypts besides S3; `dimension` is what scaling moves.

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


@dataclass(frozen=True)
class Case:
    """One model in one environment."""

    model: str
    mode: Serving
    shadow: bool
    stage: str
    config: ServingSettings

    @property
    def form(self) -> Form:
        return form_of(self.mode, scale_to_zero=self.config.scale_to_zero)

    @property
    def can(self) -> Capability:
        return CAPABILITIES[self.form]

    @property
    def fewest(self) -> int:
        """The fewest instances it may ever run on."""
        config = self.config
        if config.scale_to_zero:
            return 0
        return min(
            [config.min_instances, *(s.min_instances for s in config.schedules), *([1] if config.off_hours else [])]
        )


def form_of(mode: Serving, *, scale_to_zero: bool) -> Form:
    """The row of a mode: a real-time endpoint that may go to zero is one of inference components."""
    return "component" if mode == "realtime" and scale_to_zero else mode


@dataclass(frozen=True)
class Rule:
    """What cannot be: `broken` decides it, `says` names value, what is allowed and the fix."""

    name: str
    broken: Callable[[Case], bool]
    says: Callable[[Case], str]


RULES = (
    Rule(
        "vpc",
        lambda case: case.config.vpc and not case.can.vpc,
        lambda case: (
            f"vpc = True: {_served(case)}, which joins no VPC; set vpc = false {_where(case)}, or another mode"
        ),
    ),
    Rule(
        "isolation",
        lambda case: case.config.network_isolation and not case.can.isolation,
        lambda case: (
            f"network_isolation = True: {_served(case)}, which has none; set network_isolation = false "
            f"{_where(case)}, or another mode"
        ),
    ),
    Rule(
        "no vpc without need",
        lambda case: not case.config.vpc and case.can.vpc,
        lambda case: f"vpc = False: {_served(case)}, which joins the VPC; allowed is true, remove the key",
    ),
    Rule(
        "no network without need",
        lambda case: not case.config.network_isolation and case.can.isolation and case.config.capture != "server",
        lambda case: (
            f"network_isolation = False: {_served(case)}, and only capture by the server needs the network; "
            "allowed is true, remove the key"
        ),
    ),
    Rule(
        "capture by SageMaker",
        lambda case: case.config.captured and case.config.capture == "sagemaker" and not case.can.capture_by_sagemaker,
        lambda case: f'capture = "sagemaker": {_served(case)}, which SageMaker does not capture; {_capture(case)}',
    ),
    Rule(
        "capture by the server",
        lambda case: case.config.captured and case.config.capture == "server" and not case.can.capture_by_server,
        lambda case: f'capture = "server": {_served(case)}, whose server cannot keep requests; {_capture(case)}',
    ),
    Rule(
        "capture by an isolated server",
        lambda case: (
            case.config.captured
            and case.config.capture == "server"
            and case.config.network_isolation
            and case.can.capture_by_server
        ),
        lambda case: (
            f'capture = "server": an isolated container of {case.model} reaches no bucket; set network_isolation = '
            f'false {_where(case)} (the VPC stays), or capture = "sagemaker" or "off"'
        ),
    ),
    Rule(
        "canary",
        lambda case: case.config.canary_percent > 0 and not case.can.canary,
        lambda case: (
            f"canary_percent = {case.config.canary_percent}: {_served(case)}, where traffic goes over at once; "
            f"allowed is 0, set it {_where(case)}"
        ),
    ),
    Rule(
        "canary of one",
        lambda case: case.config.canary_percent > 0 and case.can.canary and case.fewest < A_CANARY_NEEDS,
        lambda case: (
            f"canary_percent = {case.config.canary_percent} with {_few(case)}; a canary needs at least "
            f"{A_CANARY_NEEDS}: raise min_instances, or set canary_percent = 0, which gives a version all at once"
        ),
    ),
    Rule(
        "zero in production",
        lambda case: case.config.scale_to_zero and case.stage == PRODUCTION,
        lambda case: (
            f'scale_to_zero = True: {case.model} in stage = "Production", where the first requests would fail for '
            "minutes; allowed in Development and Staging, remove the key"
        ),
    ),
    Rule(
        "off-hours in production",
        lambda case: case.config.off_hours is not None and case.stage == PRODUCTION,
        lambda case: (
            f'off_hours: {case.model} in stage = "Production"; allowed in Development and Staging, '
            "use schedules with min_instances of their own instead"
        ),
    ),
    Rule(
        "hours of what has no instances",
        lambda case: bool(case.config.off_hours or case.config.schedules) and case.can.dimension is None,
        lambda case: f"off_hours and schedules: {_served(case)}, which has no instances to schedule; remove them",
    ),
    Rule(
        "steps of what has no instances",
        lambda case: case.config.step_instances > 0 and case.can.dimension != VARIANT_INSTANCES,
        lambda case: (
            f"step_instances = {case.config.step_instances}: {_served(case)}, which has no instances to add; "
            "allowed is 0, remove the key"
        ),
    ),
    Rule(
        "shadow",
        lambda case: case.shadow and not case.can.shadow,
        lambda case: (
            f"scale_to_zero = {case.config.scale_to_zero}: {_served(case)} and has shadow = True, which only "
            f"real-time endpoints with instances have; set shadow = False in pipeline_code/models/{case.model}, or "
            'serving = "realtime" without scale_to_zero'
        ),
    ),
    Rule(
        "most below fewest",
        lambda case: case.config.max_instances < case.config.min_instances,
        lambda case: (
            f"max_instances = {case.config.max_instances} is below min_instances = {case.config.min_instances} "
            f"for {case.model}"
        ),
    ),
)


def problems(case: Case) -> Iterator[str]:
    """What is wrong with one model in one environment, one sentence a rule, beginning with the key."""
    for rule in RULES:
        if rule.broken(case):
            yield rule.says(case)


def _served(case: Case) -> str:
    shown = "from inference components (realtime with scale_to_zero)" if case.form == "component" else case.form
    return f"{case.model} is served {shown}"


def _where(case: Case) -> str:
    return f"under [serving.models.{case.model}]"


def _few(case: Case) -> str:
    config, model = case.config, case.model
    if config.scale_to_zero:
        return f"scale_to_zero = True for {model}"
    if config.min_instances < A_CANARY_NEEDS:
        return f"min_instances = {config.min_instances} for {model}"
    return f"off_hours or schedules that leave {model} {case.fewest} instance"


def _capture(case: Case) -> str:
    can = case.can
    allowed = [f'"{who}"' for who, able in (("server", can.capture_by_server), ("off", True)) if able]
    return f"allowed is {' or '.join(allowed)}, set it {_where(case)}"
