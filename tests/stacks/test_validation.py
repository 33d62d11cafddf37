"""The templates against CloudFormation's own schemas, cfn-lint and two rule packs: nothing unexplained."""

import subprocess
import sys
from pathlib import Path

import aws_cdk as cdk
import pytest
from aws_cdk import aws_s3 as s3
from conftest import Assembly, synthesize
from promotion_world import styled
from studio_world import with_studio

from stacks.permissions import allow


@pytest.fixture(scope="module", params=["as committed", "with Studio", "with copies"])
def validated(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    folder = tmp_path_factory.mktemp("validated") / "cdk.out"
    if request.param == "with Studio":
        return with_studio(folder, nag=True)
    return synthesize(folder, nag=True, config=styled("copy") if request.param == "with copies" else None)


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

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_wildcard_without_a_reason_does_not_synthesize() -> None:
    stack = cdk.Stack(cdk.App(), "Stack")
    role = cdk.aws_iam.Role(stack, "Role", assumed_by=cdk.aws_iam.ServicePrincipal("sagemaker.amazonaws.com"))

    with pytest.raises(ValueError, match=r"Stack/Role Anything: Action::s3:\* needs a reason"):
        allow(role, "Anything", ["s3:*"], ["arn:aws:s3:::bucket"])
