"""How endpoints grow and shrink: with their load, in steps at a peak, from zero, and by the clock.

https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-auto-scaling.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aws_cdk import aws_applicationautoscaling as scaling
from aws_cdk import aws_cloudwatch as cloudwatch

from stacks.served import VARIANT

if TYPE_CHECKING:
    from collections.abc import Mapping

    import aws_cdk as cdk

    from stacks.served import Served

Target = scaling.CfnScalableTarget
Policy = scaling.CfnScalingPolicy
Tracking = Policy.TargetTrackingScalingPolicyConfigurationProperty

SHRINKS_SECONDS, GROWS_SECONDS = 300, 60


@dataclass(frozen=True)
class Step:
    """A metric of AWS/SageMaker, the value from which it adds so many instances or copies, and why."""

    id: str
    metric: str
    dimensions: Mapping[str, str]
    threshold: float
    adds: int
    because: str
    statistic: str = "Maximum"


def scaled(served: Served, what: cdk.CfnResource) -> None:
    """Scale what is there: nothing of a serverless endpoint, copies of a component, instances of all others."""
    if served.can.dimension is None:
        return
    target = Target(
        served.stack,
        "Scaling",
        service_namespace="sagemaker",
        resource_id=_resource(served),
        scalable_dimension=served.can.dimension,
        min_capacity=0 if served.config.scale_to_zero else served.config.min_instances,
        max_capacity=served.config.max_instances,
        scheduled_actions=_by_the_clock(served) or None,
    )
    target.add_resource_dependency(what)
    served.while_live(target)
    policy = Policy(
        served.stack,
        "ScalingPolicy",
        policy_name="load",
        policy_type="TargetTrackingScaling",
        scaling_target_id=target.ref,
        target_tracking_scaling_policy_configuration=_by_load(served),
    )
    served.while_live(policy)
    for step in _steps(served):
        _in_steps(served, target, step)


def _resource(served: Served) -> str:
    if served.form == "component":
        return f"inference-component/{served.component}"
    return f"endpoint/{served.endpoint}/variant/{VARIANT}"


def _by_load(served: Served) -> Tracking:
    """Invocations follow what one instance bears; a queue follows what waits in it.

    The target is what one instance bears a minute, times a safety factor: scaling takes minutes, the load does not.
    https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-scaling-loadtest.html
    https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference-autoscale.html
    """
    config = served.config
    if served.form == "async":
        waiting = Policy.CustomizedMetricSpecificationProperty(
            namespace="AWS/SageMaker",
            metric_name="ApproximateBacklogSizePerInstance",
            dimensions=[Policy.MetricDimensionProperty(name="EndpointName", value=served.endpoint)],
            statistic="Average",
        )
        return Tracking(
            target_value=config.backlog,
            customized_metric_specification=waiting,
            scale_in_cooldown=SHRINKS_SECONDS,
            scale_out_cooldown=GROWS_SECONDS,
        )
    metric = "InferenceComponentInvocationsPerCopy" if served.form == "component" else "VariantInvocationsPerInstance"
    return Tracking(
        target_value=config.requests_per_second * 60 * config.safety_factor,
        predefined_metric_specification=Policy.PredefinedMetricSpecificationProperty(
            predefined_metric_type=f"SageMaker{metric}"
        ),
        scale_in_cooldown=SHRINKS_SECONDS,
        scale_out_cooldown=GROWS_SECONDS,
    )


def _steps(served: Served) -> list[Step]:
    """Target tracking divides by the instances there are: from zero, and at a sudden peak, a step is needed."""
    config, found = served.config, []
    endpoint = {"EndpointName": served.endpoint}
    if config.scale_to_zero:
        asked = "a request finds no instance"
        found.append(
            Step("FromZero", "HasBacklogWithoutCapacity", endpoint, 1, 1, asked)
            if served.form == "async"
            else Step(
                "FromZero", "NoCapacityInvocationFailures", {"InferenceComponentName": served.component}, 1, 1, asked
            )
        )
    if config.step_instances:
        full = "each instance has all it can bear"
        if served.form == "async":
            most = config.backlog / config.safety_factor
            step = Step("Peak", "ApproximateBacklogSizePerInstance", endpoint, most, config.step_instances, full)
        else:
            most, variant = config.requests_per_second * 60, {**endpoint, "VariantName": VARIANT}
            step = Step("Peak", "InvocationsPerInstance", variant, most, config.step_instances, full, "Sum")
        found.append(step)
    return found


def _in_steps(served: Served, target: Target, step: Step) -> None:
    """A step policy, and the alarm that calls it.

    https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-auto-scaling-zero-instances.html
    """
    policy = Policy(
        served.stack,
        f"{step.id}Policy",
        policy_name=step.id.lower(),
        policy_type="StepScaling",
        scaling_target_id=target.ref,
        step_scaling_policy_configuration=Policy.StepScalingPolicyConfigurationProperty(
            adjustment_type="ChangeInCapacity",
            metric_aggregation_type="Maximum",
            cooldown=GROWS_SECONDS,
            step_adjustments=[
                Policy.StepAdjustmentProperty(metric_interval_lower_bound=0, scaling_adjustment=step.adds)
            ],
        ),
    )
    alarm = cloudwatch.CfnAlarm(
        served.stack,
        step.id,
        alarm_name=f"{served.endpoint}-{step.id.lower()}",
        alarm_description=f"Adds to {served.endpoint}: {step.because}",
        namespace="AWS/SageMaker",
        metric_name=step.metric,
        dimensions=[
            cloudwatch.CfnAlarm.DimensionProperty(name=name, value=value) for name, value in step.dimensions.items()
        ],
        statistic=step.statistic,
        threshold=step.threshold,
        comparison_operator="GreaterThanOrEqualToThreshold",
        period=60,
        evaluation_periods=1,
        treat_missing_data="missing",
        alarm_actions=[policy.ref],
    )
    served.while_live(policy)
    served.while_live(alarm)


def _by_the_clock(served: Served) -> list[Target.ScheduledActionProperty]:
    """Limits that change at certain times; off-hours leave as little as the form can.

    https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-scheduled-scaling.html
    """
    config, hours = served.config, served.config.off_hours
    fewest = 0 if config.scale_to_zero else config.min_instances
    least = 0 if config.scale_to_zero else 1
    planned = [
        (f"schedule-{number}", one.at, one.timezone, one.min_instances, one.max_instances)
        for number, one in enumerate(config.schedules, 1)
    ]
    if hours:
        planned += [
            ("off-hours-begin", hours.begin, hours.timezone, least, least),
            ("off-hours-end", hours.end, hours.timezone, fewest, config.max_instances),
        ]
    return [
        Target.ScheduledActionProperty(
            scheduled_action_name=name,
            schedule=at,
            timezone=timezone,
            scalable_target_action=Target.ScalableTargetActionProperty(min_capacity=few, max_capacity=most),
        )
        for name, at, timezone, few, most in planned
    ]
