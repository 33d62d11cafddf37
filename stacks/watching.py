"""What is watched of an endpoint: alarms that take a release back, alarms that only tell, and a dashboard of both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch

from stacks.releaser import PROBES
from stacks.served import VARIANT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_cdk import aws_sagemaker as sagemaker

    from stacks.served import Served

SAGEMAKER = "AWS/SageMaker"
MICROSECONDS = 1000
"""In a millisecond: SageMaker counts latency in microseconds."""

FIVE_MINUTES, WIDTH, FULL_WIDTH, HEIGHT = 300, 8, 24, 6


@dataclass(frozen=True)
class Watched:
    """One alarm: raised when the metric's statistic of a period is above the threshold.

    `fleet` is the configuration that it judges alone. Its name carries it: CloudWatch keeps the state of an alarm that
    is changed, and what the fleet before did must not be the next one's beginning.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-cloudwatch-alarm.html
    """

    id: str
    namespace: str
    metric: str
    dimensions: Mapping[str, str]
    threshold: float
    does: str
    statistic: str = "Sum"
    period: int = 60
    below: bool = False
    without_data: str = "notBreaching"
    fleet: str = ""


def takes_back(served: Served, configured: sagemaker.CfnEndpointConfig) -> list[cloudwatch.CfnAlarm]:
    """The alarms that take a release back.

    On the new fleet alone: an alarm on the old one would stop the very release that cures it. A quiet endpoint
    shows no errors by itself, so a release asks it, and tells in a metric what came back that is no error and no
    prediction; a queue answers nothing at once. A component has no metrics of its new copies alone, and a serverless
    endpoint knows no guardrails: they go back by nothing but the release's own look at them.
    """
    if served.form not in {"realtime", "async"}:
        return []
    config = configured.attr_endpoint_config_name
    probed = {"EndpointName": served.endpoint, "EndpointConfigName": config}
    fleet = {**probed, "VariantName": VARIANT}
    slow = served.config.latency_ms * MICROSECONDS
    does = f"Takes a new version of {served.model} back while it is released"
    watched = [
        Watched("Errors", SAGEMAKER, "Invocation5XXErrors", fleet, 0, does, fleet=config),
        Watched("Slow", SAGEMAKER, "ModelLatency", fleet, slow, does, statistic="p95", fleet=config),
    ]
    if served.form == "realtime":
        watched.append(Watched("Probes", PROBES, "FailedProbes", probed, 0, does, fleet=config))
    return [_alarm(served, one) for one in watched]


def tells(served: Served) -> list[cloudwatch.CfnAlarm]:
    """The alarms that only tell people: of all fleets, and of silence where silence is no design."""
    everything = _all_fleets(served)
    slow = served.config.latency_ms * MICROSECONDS
    watched = [
        Watched("AllErrors", SAGEMAKER, "Invocation5XXErrors", everything, 0, "Tells of errors, whoever answers"),
        Watched(
            "AllSlow",
            SAGEMAKER,
            "ModelLatency",
            everything,
            slow,
            "Tells of slow answers, whoever gives them",
            statistic="p95",
            period=FIVE_MINUTES,
        ),
    ]
    if served.form == "realtime" and served.config.quiet_minutes and not served.config.off_hours:
        quiet = Watched(
            "Quiet",
            SAGEMAKER,
            "Invocations",
            everything,
            1,
            "Tells that nobody asks: callers or their network may be broken",
            period=served.config.quiet_minutes * 60,
            below=True,
            without_data="breaching",
        )
        watched.append(quiet)
    return [_alarm(served, one) for one in watched]


def _all_fleets(served: Served) -> dict[str, str]:
    if served.form == "component":
        return {"InferenceComponentName": served.component}
    return {"EndpointName": served.endpoint, "VariantName": VARIANT}


def _alarm(served: Served, watched: Watched) -> cloudwatch.CfnAlarm:
    percentile = watched.statistic.startswith("p")
    alarm = cloudwatch.CfnAlarm(
        served.stack,
        watched.id,
        alarm_name="-".join([served.endpoint, watched.id.lower(), *([watched.fleet] if watched.fleet else [])]),
        alarm_description=watched.does,
        namespace=watched.namespace,
        metric_name=watched.metric,
        dimensions=[
            cloudwatch.CfnAlarm.DimensionProperty(name=name, value=value) for name, value in watched.dimensions.items()
        ],
        statistic=None if percentile else watched.statistic,
        extended_statistic=watched.statistic if percentile else None,
        threshold=watched.threshold,
        comparison_operator="LessThanThreshold" if watched.below else "GreaterThanThreshold",
        period=watched.period,
        evaluation_periods=1,
        treat_missing_data=watched.without_data,
        alarm_actions=[served.names.topic_arn],
    )
    return served.while_live(alarm)


def dashboard(served: Served) -> cloudwatch.CfnDashboard:
    """What the endpoint does, at a glance; it stays when nothing is live, so that what was can be seen."""
    everything = _all_fleets(served)
    graphs = [
        _graph("Requests", [_line(SAGEMAKER, "Invocations", everything, "Sum")]),
        _graph(
            "Errors",
            [_line(SAGEMAKER, f"Invocation{kind}Errors", everything, "Sum") for kind in ("4XX", "5XX")],
        ),
        _graph(
            f"Latency in microseconds, at most {served.config.latency_ms * MICROSECONDS:,}",
            [_line(SAGEMAKER, "ModelLatency", everything, statistic) for statistic in ("p50", "p95", "p99")],
        ),
        _graph("Probes of releases that failed", [_line(PROBES, "FailedProbes", _endpoint(served), "Sum")]),
        *_of_the_form(served),
    ]
    columns = FULL_WIDTH // WIDTH
    widgets = [
        {
            "type": "metric",
            "x": WIDTH * (number % columns),
            "y": HEIGHT * (number // columns),
            "width": WIDTH,
            "height": HEIGHT,
            "properties": {**graph, "region": served.names.region, "view": "timeSeries", "period": 60},
        }
        for number, graph in enumerate(graphs)
    ]
    return cloudwatch.CfnDashboard(
        served.stack,
        "Dashboard",
        dashboard_name=served.names.dashboard(served.model),
        dashboard_body=cdk.Stack.of(served.stack).to_json_string({"widgets": widgets}),
    )


def _of_the_form(served: Served) -> list[dict[str, object]]:
    """What only this form has: a queue, instances, or neither."""
    if served.form == "serverless":
        metrics = [_line(SAGEMAKER, metric, _all_fleets(served), "Maximum") for metric in _SERVERLESS]
        return [_graph("Cold starts and use of memory", metrics)]
    load = {"EndpointName": served.endpoint, "VariantName": VARIANT}
    instances = _graph(
        "Load of the instances in percent",
        [_line("/aws/sagemaker/Endpoints", metric, load, "Average") for metric in _INSTANCES],
    )
    if served.form == "async":
        metrics = [_line(SAGEMAKER, metric, _endpoint(served), "Maximum") for metric in _QUEUE]
        return [instances, _graph("Requests that wait", metrics)]
    return [instances]


_SERVERLESS = ("ModelSetupTime", "MemoryUtilization")
_INSTANCES = ("CPUUtilization", "MemoryUtilization", "DiskUtilization")
_QUEUE = ("ApproximateBacklogSize", "ApproximateBacklogSizePerInstance", "HasBacklogWithoutCapacity")


def _endpoint(served: Served) -> dict[str, str]:
    return {"EndpointName": served.endpoint}


def _line(namespace: str, metric: str, dimensions: Mapping[str, str], statistic: str) -> list[object]:
    """One line of a graph, as CloudWatch writes it.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
    """
    named = [part for dimension in dimensions.items() for part in dimension]
    return [namespace, metric, *named, {"stat": statistic}]


def _graph(title: str, metrics: list[list[object]]) -> dict[str, object]:
    return {"title": title, "metrics": metrics}
