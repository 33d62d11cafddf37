"""The templates against CloudFormation's own schemas, cfn-lint and two rule packs: nothing unexplained."""

import subprocess
import sys
from pathlib import Path

import aws_cdk as cdk
import pytest
from aws_cdk import aws_s3 as s3
from conftest import Assembly, synthesize
from delivery_world import everything, with_delivery
from github_world import GITHUB
from promotion_world import styled
from studio_world import studio_config, with_studio

from stacks.permissions import allow

KINDS = ("as committed", "with Studio, GitHub, a connection", "with a bucket", "with copies")


@pytest.fixture(scope="module", params=KINDS)
def validated(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    folder = tmp_path_factory.mktemp("validated") / "cdk.out"
    if request.param == "as committed":
        return synthesize(folder, nag=True)
    if request.param == "with a bucket":
        return synthesize(folder, nag=True, config=with_delivery("s3"))
    if request.param == "with copies":
        return synthesize(folder, nag=True, config=styled("copy"))
    delivery = everything("github").platform.delivery
    assert delivery
    platform = {"github": GITHUB, "delivery": delivery.model_dump()}
    return with_studio(folder, nag=True, config=studio_config(platform=platform))


def test_every_finding_is_fixed_or_acknowledged(validated: Assembly) -> None:
    findings = [
        (violation["ruleName"], construct.get("constructPath"))
        for report in validated.report["pluginReports"]
        for violation in report["violations"]
        for construct in violation["violatingConstructs"]
    ]

    assert findings == []


def test_every_acknowledgment_gives_a_reason(validated: Assembly) -> None:
    acknowledged = [
        violation
        for report in validated.report["pluginReports"]
        for violation in report.get("suppressedViolations", [])
    ]

    assert acknowledged
    for violation in acknowledged:
        assert len(str(violation)) > len(violation["ruleName"]), violation


def test_validation_is_really_on(tmp_path: Path) -> None:
    app = cdk.App(outdir=str(tmp_path), context={"@aws-cdk/core:validateAgainstDefaultRules": True})
    cdk.Validations.of(app).add_plugins(cdk.CloudFormationValidatePlugin())
    s3.CfnBucket(cdk.Stack(app, "Wrong"), "Bucket").add_property_override("Nonsense", value=True)

    with pytest.raises(RuntimeError, match="ValidationFailed"):
        app.synth()


def test_cfn_lint_finds_nothing_warnings_included(validated: Assembly) -> None:
    templates = [str(f) for f in sorted(validated.folder.rglob("*.template.json"))]
    redundant = "W3005"  # CDK itself writes a function's role into DependsOn beside the reference to it
    taste = "Prefer using Fn::Sub over Fn::Join"  # of CDK's spelling; in a pipeline's actions it comes as an error

    done = subprocess.run(
        [
            str(Path(sys.executable).parent / "cfn-lint"),
            "--regions",
            "eu-west-1",
            "--ignore-checks",
            redundant,
            "--template",
            *templates,
        ],
        capture_output=True,
        text=True,
        check=False,
    )

    found = [each for each in done.stdout.split("\n\n") if each.strip() and taste not in each]
    assert (found, done.stderr) == ([], "")


def test_a_wildcard_without_a_reason_does_not_synthesize() -> None:
    stack = cdk.Stack(cdk.App(), "Stack")
    role = cdk.aws_iam.Role(stack, "Role", assumed_by=cdk.aws_iam.ServicePrincipal("sagemaker.amazonaws.com"))

    with pytest.raises(ValueError, match=r"Stack/Role Anything: Action::s3:\* needs a reason"):
        allow(role, "Anything", ["s3:*"], ["arn:aws:s3:::bucket"])
