"""Synth of one environment with one model, against a default CDK app in Python with as many resources.

`python benchmarks/synth.py [ROUNDS]`. Whole runs, by turns, in the same environment. The default app is what `cdk init`
and the guides lead to: libraries imported at the top, constructs with their defaults, validation as it comes, started
by the pinned CLI; it makes something of each library that our rooms use. `slipway synth` starts the app without the
CLI, which for a synth does nothing else, and leaves validation to `make test` and `cdk deploy`.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

from measure import ROOT, Contender, by_turns, report

sys.path.insert(0, str(ROOT))

from rehearsal.cdk import node

DEFAULT_APP = """
import aws_cdk as cdk
from aws_cdk import (
    aws_applicationautoscaling as scaling,
    aws_cloudwatch as cloudwatch,
    aws_codebuild as codebuild,
    aws_dynamodb as dynamodb,
    aws_ec2 as ec2,
    aws_ecr as ecr,
    aws_events as events,
    aws_events_targets as targets,
    aws_iam as iam,
    aws_kms as kms,
    aws_lambda as lambda_,
    aws_logs as logs,
    aws_s3 as s3,
    aws_sagemaker as sagemaker,
    aws_scheduler as scheduler,
    aws_sns as sns,
    aws_sns_subscriptions as subscriptions,
)

app = cdk.App()
stack = cdk.Stack(app, "Platform")
role = iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("sagemaker.amazonaws.com"))
ec2.Vpc(stack, "Vpc", max_azs=2, nat_gateways=0)
dynamodb.Table(stack, "Table", partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING))
code = lambda_.Code.from_inline("def handler(event, context): pass")
function = lambda_.Function(stack, "Function", code=code, handler="index.handler", runtime=lambda_.Runtime.PYTHON_3_13)
build = codebuild.BuildSpec.from_object(dict(version="0.2", phases=dict(build=dict(commands=["true"]))))
project = codebuild.Project(stack, "Project", build_spec=build)
pattern = events.EventPattern(source=["aws.s3"])
rule = events.Rule(stack, "Rule", event_pattern=pattern, targets=[targets.LambdaFunction(function)])
rule.add_target(targets.CodeBuildProject(project))
sns.Topic(stack, "Topic").add_subscription(subscriptions.LambdaSubscription(function))
sagemaker.CfnModelPackageGroup(stack, "Group", model_package_group_name="group")
window = scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF")
target = scheduler.CfnSchedule.TargetProperty(arn=function.function_arn, role_arn=role.role_arn)
scheduler.CfnSchedule(stack, "Schedule", schedule_expression="rate(1 day)", flexible_time_window=window, target=target)
metric = cloudwatch.Metric(namespace="AWS/SageMaker", metric_name="Invocations")
cloudwatch.Alarm(stack, "Alarm", metric=metric, threshold=1, evaluation_periods=1)
space, dimension = scaling.ServiceNamespace.SAGEMAKER, "sagemaker:variant:DesiredInstanceCount"
place = dict(service_namespace=space, scalable_dimension=dimension, resource_id="endpoint/e/variant/v")
scaling.ScalableTarget(stack, "Target", min_capacity=1, max_capacity=2, **place)
kinds = [s3.Bucket, kms.Key, ecr.Repository, logs.LogGroup]
for number in range(STACKS - 1):
    more = cdk.Stack(app, f"More{number}")
    for i in range(EACH):
        kinds[i % len(kinds)](more, f"Resource{i}")
app.synth()
"""
RESOURCES_OF_PLATFORM = 33
"""What its first stack comes to; the others are filled up to as many as there are to be."""


def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ours = Contender("slipway synth", [str(ROOT / ".venv/bin/slipway"), "synth"])
        by_cli = _cdk("the same app, cdk synth", ROOT, f"{folder}/ours", "--context", "environment=dev")
        by_cli.run()
        stacks, resources = count(Path(folder) / "ours")
        default = _cdk("default app, cdk synth", _default_app(Path(folder), stacks, resources), f"{folder}/default")
        contenders = [default, ours, by_cli]
        by_turns(contenders, 1)
        for one in contenders:  # these runs filled caches
            one.seconds, one.megabytes = [], []
        by_turns(contenders, rounds)
        theirs = count(Path(folder) / "default")[1]
        print(f"synth, {stacks} stacks: slipway {resources} resources, default app {theirs}, {rounds} rounds")
        print(report(contenders, reference=default))


def _cdk(name: str, app: Path, out: str, *options: str) -> Contender:
    command = [str(node()), str(ROOT / "node_modules/aws-cdk/bin/cdk"), "synth", "--quiet", "--output", out, *options]
    path = f"{node().parent}:{ROOT / '.venv/bin'}:/usr/bin:/bin"
    return Contender(name, command, app, {"PATH": path, "CDK_DISABLE_VERSION_CHECK": "1"}, quiet=True)


def _default_app(folder: Path, stacks: int, resources: int) -> Path:
    app = folder / "app"
    app.mkdir()
    each = round((resources - RESOURCES_OF_PLATFORM) / (stacks - 1))
    (app / "app.py").write_text(DEFAULT_APP.replace("STACKS", str(stacks)).replace("EACH", str(each)))
    (app / "cdk.json").write_text(json.dumps({"app": f"{shutil.which('python', path=str(ROOT / '.venv/bin'))} app.py"}))
    return app


def count(assembly: Path) -> tuple[int, int]:
    """Stacks and resources of an assembly."""
    templates = [json.loads(file.read_text()) for file in assembly.rglob("*.template.json")]
    return len(templates), sum(
        kind["Type"] != "AWS::CDK::Metadata"
        for template in templates
        for kind in template.get("Resources", {}).values()
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
