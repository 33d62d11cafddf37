"""Our own rules: each finds the template that breaks it, and lets the one pass that does not."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest

from rehearsal.cdk import app_variables
from stacks import rules
from stacks.config import ROOT, load

ROLE = "arn:aws:iam::111111111111:role/slipway-dev-x"
KEY = "arn:aws:kms:eu-west-1:111111111111:key/0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
BOUNDARY = "arn:aws:iam::111111111111:policy/slipway-dev-boundary"
READER = {"Effect": "Allow", "Action": "sagemaker:DescribeModelPackage", "Principal": {"AWS": ROLE}}
APPROVED = json.dumps([{"name": "APPROVAL", "value": "#{variables.approval}"}])


@dataclass(frozen=True)
class Seed:
    """One resource, and the rule it breaks; none for one that is as it should be."""

    name: str
    rule: str | None
    kind: str
    properties: dict[str, Any]
    reason: str | None = None
    push: bool = False


def group(**statement: Any) -> dict[str, Any]:
    policy = {"Version": "2012-10-17", "Statement": [READER, {**READER, **statement}]}
    return {"ModelPackageGroupName": "slipway-dev-x", "ModelPackageGroupPolicy": policy}


def configuration(**properties: Any) -> dict[str, Any]:
    return {"ProductionVariants": [{"VariantName": "main", "InstanceType": "ml.c5.large"}], **properties}


def capture(**properties: Any) -> dict[str, Any]:
    return configuration(KmsKeyId=KEY, DataCaptureConfig={"DestinationS3Uri": "s3://x", **properties})


def queue(**properties: Any) -> dict[str, Any]:
    return configuration(KmsKeyId=KEY, AsyncInferenceConfig={"OutputConfig": {"S3OutputPath": "s3://x", **properties}})


def trusting(service: Any, condition: dict[str, Any] | None = None, **properties: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": service}}
    statement |= {"Condition": condition} if condition else {}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return {"AssumeRolePolicyDocument": document, "PermissionsBoundary": BOUNDARY, **properties}


def pipeline(stage: str, *actions: dict[str, Any], **properties: Any) -> dict[str, Any]:
    return {"RoleArn": ROLE, "Stages": [{"Name": "Source"}, {"Name": stage, "Actions": list(actions)}], **properties}


def delivery(*review: dict[str, Any]) -> dict[str, Any]:
    made = pipeline("slipway-prod", action("Build"))
    source, deploy = made["Stages"]
    return {**made, "Stages": [source, {"Name": "Review-prod", "Actions": list(review)}, deploy]}


def action(category: str, order: int = 1, variables: str = "[]") -> dict[str, Any]:
    kind = {"Category": category, "Owner": "AWS", "Provider": "CodeBuild", "Version": "1"}
    return {
        "Name": category,
        "ActionTypeId": kind,
        "RunOrder": order,
        "Configuration": {"EnvironmentVariables": variables},
    }


def rule_of(target: Any) -> dict[str, Any]:
    return {"EventPattern": {"source": ["aws.s3"]}, "Targets": [{"Id": "x", "Arn": target}]}


def schedule(target: Any) -> dict[str, Any]:
    return {"ScheduleExpression": "rate(1 day)", "Target": {"Arn": target, "RoleArn": ROLE}}


MODEL, CONFIG, GROUP = "AWS::SageMaker::Model", "AWS::SageMaker::EndpointConfig", "AWS::SageMaker::ModelPackageGroup"
AWS_ROLE, PIPELINE = "AWS::IAM::Role", "AWS::CodePipeline::Pipeline"
EVENT, SCHEDULE = "AWS::Events::Rule", "AWS::Scheduler::Schedule"
VPC = {"Subnets": ["subnet-0a1b2c3d"], "SecurityGroupIds": ["sg-0a1b2c3d"]}
OURS = {"StringEquals": {"aws:SourceAccount": "111111111111"}}
RELEASES = "arn:aws:codepipeline:eu-west-1:111111111111:slipway-dev-release"
JOINED = {"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, ":codepipeline:eu-west-1:111111111111:slipway"]]}
PARTS = {"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, ":iam::222222222222:root"]]}
GIVEN = {"Variables": [{"Name": "approval"}, {"Name": "version"}]}
SEEDS = (
    Seed("model-anywhere", "model_in_the_vpc", MODEL, {"ExecutionRoleArn": ROLE}),
    Seed("model-with-an-empty-reason", "model_in_the_vpc", MODEL, {"ExecutionRoleArn": ROLE}, reason=" "),
    Seed("model-in-the-vpc", None, MODEL, {"ExecutionRoleArn": ROLE, "VpcConfig": VPC}),
    Seed("model-with-a-reason", None, MODEL, {"ExecutionRoleArn": ROLE}, reason="serverless joins none"),
    Seed("capture-in-the-clear", "capture_with_a_key", CONFIG, capture()),
    Seed("capture-with-a-key", None, CONFIG, capture(KmsKeyId=KEY)),
    Seed("answers-in-the-clear", "capture_with_a_key", CONFIG, queue()),
    Seed("answers-with-a-key", None, CONFIG, queue(KmsKeyId=KEY)),
    Seed("volume-in-the-clear", "volume_with_a_key", CONFIG, configuration()),
    Seed("volume-with-a-key", None, CONFIG, configuration(KmsKeyId=KEY)),
    Seed("no-volume", None, CONFIG, {"ProductionVariants": [{"ServerlessConfig": {"MaxConcurrency": 1}}]}),
    Seed("studio-in-the-clear", "studio_with_a_key", "AWS::SageMaker::Domain", {"VpcId": "vpc-0a1b2c3d"}),
    Seed("studio-with-a-key", None, "AWS::SageMaker::Domain", {"VpcId": "vpc-0a1b2c3d", "KmsKeyId": KEY}),
    Seed("notebook", "studio_with_a_key", "AWS::SageMaker::NotebookInstance", {"RoleArn": ROLE}),
    Seed("registry-of-all", "registry_names_who_may", GROUP, group(Principal="*")),
    Seed("registry-of-all-in-a-map", "registry_names_who_may", GROUP, group(Principal={"AWS": "*"})),
    Seed("registry-of-all-in-a-list", "registry_names_who_may", GROUP, group(Principal={"AWS": [ROLE, "*"]})),
    Seed("registry-of-all-but", "registry_names_who_may", GROUP, group(NotPrincipal={"AWS": ROLE})),
    Seed("registry-of-some", None, GROUP, group(Principal={"AWS": [ROLE, "arn:aws:iam::222222222222:root"]})),
    Seed("registry-of-an-account-by-parts", None, GROUP, group(Principal={"AWS": [PARTS, PARTS]})),
    Seed("registry-of-one-by-parts", None, GROUP, group(Principal={"AWS": PARTS})),
    Seed("registry-of-all-by-another-name", "registry_names_who_may", GROUP, group(Principal={"AWS": [PARTS, "*"]})),
    Seed("registry-that-denies-all", None, GROUP, group(Effect="Deny", Principal="*")),
    Seed("registry-of-its-account", None, GROUP, {"ModelPackageGroupName": "slipway-dev-x"}),
    Seed(
        "role-without-limits",
        "role_with_the_boundary",
        AWS_ROLE,
        trusting("lambda.amazonaws.com", PermissionsBoundary=None),
    ),
    Seed("role-with-limits", None, AWS_ROLE, trusting("lambda.amazonaws.com")),
    Seed("trust-of-anybodys", "trust_names_its_source", AWS_ROLE, trusting("sagemaker.amazonaws.com")),
    Seed(
        "trust-of-two", "trust_names_its_source", AWS_ROLE, trusting(["lambda.amazonaws.com", "events.amazonaws.com"])
    ),
    Seed(
        "trust-with-another-condition",
        "trust_names_its_source",
        AWS_ROLE,
        trusting("codebuild.amazonaws.com", {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}),
    ),
    Seed(
        "trust-of-all-accounts-but",
        "trust_names_its_source",
        AWS_ROLE,
        trusting("codebuild.amazonaws.com", {"StringNotEquals": {"aws:SourceAccount": "111111111111"}}),
    ),
    Seed(
        "trust-if-it-is-said",
        "trust_names_its_source",
        AWS_ROLE,
        trusting("codebuild.amazonaws.com", {"StringEqualsIfExists": {"aws:SourceAccount": "111111111111"}}),
    ),
    Seed("trust-of-ours", None, AWS_ROLE, trusting("sagemaker.amazonaws.com", OURS)),
    Seed("trust-of-an-arn", None, AWS_ROLE, trusting("events.amazonaws.com", {"ArnLike": {"aws:SourceArn": RELEASES}})),
    Seed(
        "trust-of-ours-and-more",
        None,
        AWS_ROLE,
        trusting("scheduler.amazonaws.com", {**OURS, "ArnLike": {"aws:PrincipalArn": ROLE}}),
    ),
    Seed("release-without-approval", "release_takes_an_approval", PIPELINE, pipeline("Release", action("Build"))),
    Seed(
        "release-that-forgets-it",
        "release_takes_an_approval",
        PIPELINE,
        pipeline("Release", action("Build"), **GIVEN),
    ),
    Seed(
        "release-by-a-push",
        "release_takes_an_approval",
        PIPELINE,
        pipeline("Release", action("Build", variables=APPROVED), **GIVEN, Triggers=[{"ProviderType": "x"}]),
    ),
    Seed("release", None, PIPELINE, pipeline("Release", action("Build", variables=APPROVED), **GIVEN)),
    Seed("production-at-once", "production_waits_for_approval", PIPELINE, pipeline("DeployProd", action("Build"))),
    Seed(
        "production-meanwhile",
        "production_waits_for_approval",
        PIPELINE,
        pipeline("DeployProd", action("Approval"), action("Build")),
    ),
    Seed("production-later", None, PIPELINE, pipeline("Production", action("Approval"), action("Build", 2))),
    Seed("staging-at-once", None, PIPELINE, pipeline("Staging", action("Build"))),
    Seed("code-nobody-reviews", "production_waits_for_review", PIPELINE, pipeline("slipway-prod", action("Build", 2))),
    Seed("code-reviewed-by-nobody", "production_waits_for_review", PIPELINE, delivery(action("Build"))),
    Seed("code-reviewed", None, PIPELINE, delivery({**action("Approval"), "Name": "Agree-prod"})),
    Seed("code-to-staging", None, PIPELINE, pipeline("slipway-staging", action("Build"))),
    Seed("event-that-delivers", None, EVENT, rule_of(RELEASES), push=True),
    Seed("event-that-releases", "nothing_releases_by_itself", EVENT, rule_of(RELEASES)),
    Seed("event-that-releases-by-parts", "nothing_releases_by_itself", EVENT, rule_of(JOINED)),
    Seed("event-that-tells", None, EVENT, rule_of("arn:aws:lambda:eu-west-1:111111111111:function:x")),
    Seed("event-that-tells-by-name", None, EVENT, rule_of({"Fn::GetAtt": ["modelinthevpc", "ModelName"]})),
    Seed("schedule-that-releases", "nothing_releases_by_the_clock", SCHEDULE, schedule(RELEASES)),
    Seed("schedule-that-releases-by-parts", "nothing_releases_by_the_clock", SCHEDULE, schedule(JOINED)),
    Seed("schedule-that-starts", None, SCHEDULE, schedule("arn:aws:lambda:eu-west-1:111111111111:function:x")),
    Seed("user", "keys_that_last", "AWS::IAM::User", {"PermissionsBoundary": BOUNDARY}),
    Seed("key", "keys_that_last", "AWS::IAM::AccessKey", {"UserName": "x"}),
    Seed("monitor", "nothing_closed", "AWS::SageMaker::MonitoringSchedule", {}),
    Seed("bias", "nothing_closed", "AWS::SageMaker::ModelBiasJobDefinition", {}),
    Seed("forbidden", "forbidden_services", "AWS::Lightsail::Instance", {}),
)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The rules of ours that each seed breaks."""
    folder = tmp_path_factory.mktemp("seeded")
    app = cdk.App(
        outdir=str(folder),
        context={"@aws-cdk/core:validateAgainstDefaultRules": True},
        builtin_cloud_formation_validation=False,
    )
    cdk.Validations.of(app).add_plugins(rules.plugin(load().platform))
    stack = cdk.Stack(app, "Seeded")
    for seed in SEEDS:
        properties = {key: value for key, value in seed.properties.items() if value is not None}
        made = cdk.CfnResource(stack, seed.name, type=seed.kind, properties=properties)
        if seed.reason:
            made.add_metadata("vpc_exempt", seed.reason)
        if seed.push:
            made.add_metadata("is_a_push", value=True)
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        app.synth()
    return ours_in(folder)


def ours_in(folder: Path) -> dict[str, set[str]]:
    broken: dict[str, set[str]] = {}
    report = folder / "validation-report.json"
    for plugin in json.loads(report.read_text())["pluginReports"] if report.exists() else []:
        for violation in plugin["violations"]:
            for construct in violation["violatingConstructs"]:
                if violation["ruleName"] in names():
                    place = construct["constructPath"].split("/")[1]
                    broken.setdefault(place, set()).add(violation["ruleName"])
    return broken


def names() -> set[str]:
    content = rules.FILE.read_text() + rules.forbidden(load().platform.guardrails.forbidden_services)
    return set(re.findall(r"^rule (\w+)", content, re.MULTILINE))


def test_every_rule_has_a_template_that_breaks_it() -> None:
    assert {seed.rule for seed in SEEDS} - {None} == names()


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.name)
def test_a_rule_finds_what_breaks_it_and_nothing_else(seed: Seed, found: dict[str, set[str]]) -> None:
    assert found.get(seed.name, set()) == ({seed.rule} if seed.rule else set())


FORBIDS = """
import runpy
import stacks.config
from stacks.settings import Platform

config = stacks.config.load()
table = config.platform.model_dump()
table["guardrails"]["forbidden_services"] = ("dynamodb",)
changed = stacks.config.Config(platform=Platform.model_validate(table), environments=config.environments)
stacks.config.load = lambda: changed
runpy.run_path("app.py", run_name="__main__")
"""
"""The app, of a platform whose organization forbids what it uses."""


@pytest.mark.parametrize(("asked", "broken"), [("true", {"forbidden_services"}), ("false", set())])
def test_the_app_itself_is_held_to_our_rules_whenever_it_is_validated(
    tmp_path: Path, asked: str, broken: set[str]
) -> None:
    context = {**json.loads((ROOT / "cdk.json").read_text())["context"], "environment": "staging"}
    given = {"CDK_OUTDIR": str(tmp_path), "CDK_CONTEXT_JSON": json.dumps(context), "CDK_VALIDATION": asked}

    done = subprocess.run(
        [sys.executable, "-c", FORBIDS],
        cwd=ROOT,
        env={**os.environ, **app_variables(ROOT), **given, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode != 0) == bool(broken), done.stderr
    assert {rule for found in ours_in(tmp_path).values() for rule in found} == broken
