"""What cannot be served so, by name: each rule reads the table of capabilities and says the fix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stacks.capabilities import CAPABILITIES, VARIANT_INSTANCES, Capability, Form, form_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipeline_code.model import Serving
    from stacks.serving_settings import ServingSettings

A_CANARY_NEEDS = 2
LONGEST_BAKE_MINUTES = 240
"""All bakes of a release; with an hour for the new fleet to start they fit into the build that releases."""

PRODUCTION = "Production"


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
    def linear(self) -> bool:
        return self.config.shifting == "linear"

    @property
    def canary(self) -> bool:
        return not self.linear and self.config.canary_percent > 0

    @property
    def fewest(self) -> int:
        """The fewest instances it may ever run on."""
        config = self.config
        if config.scale_to_zero:
            return 0
        return min(
            [config.min_instances, *(s.min_instances for s in config.schedules), *([1] if config.off_hours else [])]
        )


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
            f"vpc = True: {_served(case)}, which joins no VPC; set vpc = false and vpc_exempt "
            f"{_where(case)}, or another mode"
        ),
    ),
    Rule(
        "no reason for no vpc",
        lambda case: not case.config.vpc and not case.can.vpc and not case.config.vpc_exempt,
        lambda case: (
            f'vpc = False: without vpc_exempt; say why {case.model} may be served outside the VPC: vpc_exempt = "..." '
            f"{_where(case)}"
        ),
    ),
    Rule(
        "a reason for nothing",
        lambda case: case.config.vpc and case.can.vpc and bool(case.config.vpc_exempt),
        lambda case: f"vpc_exempt = {case.config.vpc_exempt!r}: {_served(case)} in the VPC; remove the key",
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
        lambda case: case.canary and not case.can.canary,
        lambda case: (
            f"canary_percent = {case.config.canary_percent}: {_served(case)}, where traffic goes over at once; "
            f"allowed is 0, set it {_where(case)}"
        ),
    ),
    Rule(
        "canary of one",
        lambda case: case.canary and case.can.canary and case.fewest < A_CANARY_NEEDS,
        lambda case: (
            f"canary_percent = {case.config.canary_percent} with {_few(case)}; a canary needs at least "
            f"{A_CANARY_NEEDS}: raise min_instances, or set canary_percent = 0, which gives a version all at once"
        ),
    ),
    Rule(
        "linear",
        lambda case: case.linear and not case.can.canary,
        lambda case: (
            f'shifting = "linear": {_served(case)}, where traffic goes over at once; allowed is "canary" with '
            f"canary_percent = 0, set both {_where(case)}"
        ),
    ),
    Rule(
        "linear of one",
        lambda case: case.linear and case.can.canary and case.fewest < A_CANARY_NEEDS,
        lambda case: (
            f'shifting = "linear" with {_few(case)}; steps need at least {A_CANARY_NEEDS}: raise min_instances, or '
            'set shifting = "canary" and canary_percent = 0, which gives a version all at once'
        ),
    ),
    Rule(
        "steps that take too long",
        lambda case: case.can.canary and case.config.bakes * case.config.bake_minutes > LONGEST_BAKE_MINUTES,
        lambda case: (
            f"bake_minutes = {case.config.bake_minutes} for each of {case.config.bakes} steps of {case.model}: a "
            f"release may be watched for {LONGEST_BAKE_MINUTES} minutes in all; lower bake_minutes to "
            f"{LONGEST_BAKE_MINUTES // case.config.bakes}, or raise step_percent"
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
        lambda case: (
            f"off_hours and schedules: {_served(case)}, which has no instances to schedule; remove them, or set "
            f'off_hours = "none" and schedules = [] {_where(case)}'
        ),
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
