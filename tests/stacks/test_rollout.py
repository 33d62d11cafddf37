"""The roll-out: one baseline for whole organizational units, the bootstrap after it, and environments upon both."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_s3_assets as assets
from conftest import Assembly, synthesize
from iam_deployed import ADMINISTRATOR, Role
from iam_simulator import Question, Simulator

import app
from rehearsal import templates
from stacks import boundary_documents, rollout
from stacks.baseline_names import BaselineNames
from stacks.boundary_documents import FORBIDDEN_ACTIONS, POLICY_CHARACTERS, Limits, characters, roles_boundary
from stacks.config import ROOT, Config, ConfigError, load
from stacks.names import Names
from stacks.rollout_rules import ANY_ACCOUNT
from stacks.settings import Environment, Platform
from stacks.stack_set_template import StackSetTemplate

MANAGEMENT, ADMINISTRATOR_ACCOUNT, AUDITOR = "999999999999", "888888888888", "777777777777"
UNIT, HOME, OTHER = "ou-ab12-c3d4e5f6", "eu-west-1", "eu-central-1"
ROLLOUT = {
    "management_account": MANAGEMENT,
    "organizational_units": [UNIT],
    "regions": [HOME, OTHER],
    "auditor_account": AUDITOR,
}
NAMES = BaselineNames("slipway")
ORGANIZATION = "o-a1b2c3d4e5"


def configured(**change: Any) -> Config:
    """The shipped configuration with a roll-out, its environments upon the baseline."""
    config = load()
    shared = {"organization_id": ORGANIZATION, "rollout": {**ROLLOUT, **change}}
    platform = Platform.model_validate({**config.platform.model_dump(), **shared})
    return Config(platform=platform, environments=tuple(upon_the_baseline(each) for each in config.environments))


def upon_the_baseline(environment: Environment) -> Environment:
    table = environment.model_dump()
    return Environment.model_validate({**table, "governance": {**table["governance"], "owner": "baseline"}})


def rolled_out(folder: Path, *, only: str = "rollout", nag: bool = False, **change: Any) -> Assembly:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "load", lambda: configured(**change))
        return synthesize(folder / "cdk.out", {"environment": only}, nag=nag)


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """The roll-out, and an environment that trains upon its baseline."""
    return rolled_out(tmp_path_factory.mktemp("rollout"), only="dev,rollout")


def stack_sets(assembly: Assembly) -> dict[str, dict[str, Any]]:
    """By name, with DependsOn beside the properties."""
    (template,) = (each for name, each in assembly.templates.items() if "StackSets" in name and "Baseline" not in name)
    found = of_kind(template, "AWS::CloudFormation::StackSet")
    return {
        each["Properties"]["StackSetName"]: {**each["Properties"], "after": each.get("DependsOn")} for each in found
    }


def baseline(assembly: Assembly) -> dict[str, Any]:
    """The template that accounts get."""
    (found,) = (each for name, each in assembly.templates.items() if "StackSetsBaseline" in name)
    return found


def of_kind(template: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [each for each in template.get("Resources", {}).values() if each["Type"] == kind]


class There:
    """An account and region, as a template's functions ask for them."""

    def __init__(self, account: str, region: str = HOME) -> None:
        self.pseudo = {"AWS::AccountId": account, "AWS::Region": region, "AWS::Partition": "aws"}

    def ref(self, name: str) -> Any:
        return self.pseudo.get(name, name)

    def attribute(self, resource: str, name: str) -> Any:
        return f"{resource}.{name}"

    def imported(self, export: str) -> str:
        return export

    def zones(self, _region: str) -> list[str]:
        return []


def there(assembly: Assembly, value: Any, account: str, region: str = HOME) -> Any:
    """A value of the baseline as it is in an account and region."""
    return templates.evaluate(value, baseline(assembly), There(account, region))


def policy(assembly: Assembly, name: str, account: str) -> dict[str, Any]:
    (found,) = (
        each["Properties"]["PolicyDocument"]
        for each in of_kind(baseline(assembly), "AWS::IAM::ManagedPolicy")
        if each["Properties"]["ManagedPolicyName"] == name
    )
    document: dict[str, Any] = there(assembly, found, account)
    return document


def key_statements(assembly: Assembly, account: str, region: str = HOME) -> list[dict[str, Any]]:
    (key,) = of_kind(baseline(assembly), "AWS::KMS::Key")
    statements: list[dict[str, Any]] = there(assembly, key["Properties"]["KeyPolicy"], account, region)["Statement"]
    return statements


def test_without_the_section_nothing_is_rolled_out(assembly: Assembly) -> None:
    assert load().platform.rollout is None
    assert assembly.resources("AWS::CloudFormation::StackSet") == []
    assert not [name for name in assembly.templates if "rollout" in name]


def test_both_stack_sets_go_to_the_units_in_order(everything: Assembly) -> None:
    first, second = (stack_sets(everything)[name] for name in (NAMES.stack_set, NAMES.bootstrap_stack_set))

    for each in (first, second):
        assert each["PermissionModel"] == "SERVICE_MANAGED"
        assert each["CallAs"] == "SELF"
        assert each["Capabilities"] == ["CAPABILITY_NAMED_IAM"]
        (group,) = each["StackInstancesGroup"]
        assert group == {
            "DeploymentTargets": {"OrganizationalUnitIds": [UNIT]},
            "Regions": [HOME, OTHER],
        }
        assert each["OperationPreferences"]["RegionOrder"] == [HOME, OTHER]
        assert each["AutoDeployment"]["Enabled"] is True
    assert (first["after"], second["after"]) == (None, ["BaselineSet"])
    assert "DependsOn" not in first["AutoDeployment"]
    (needed,) = second["AutoDeployment"]["DependsOn"]  # an account that joins gets them in order, too
    prefix = f"arn:aws:cloudformation:{HOME}:{MANAGEMENT}:stackset/"
    assert needed == {"Fn::Join": ["", [prefix, {"Fn::GetAtt": ["BaselineSet", "StackSetId"]}]]}


def test_templates_come_from_the_administrators_bucket(everything: Assembly) -> None:
    (stage,) = everything.folder.glob("*-rollout")
    (manifest,) = stage.glob("*.assets.json")
    files = json.loads(manifest.read_text())["files"]
    sources = {name: (stage / each["source"]["path"]).read_text() for name, each in files.items()}

    for name, each in stack_sets(everything).items():
        assert "TemplateBody" not in each
        address = each["TemplateURL"]["Fn::Sub"]
        bucket, key = address.split("/")[-2:]
        assert bucket == f"cdk-hnb659fds-assets-{MANAGEMENT}-{HOME}"
        carried = sources[key.split(".")[0]]
        if name == NAMES.stack_set:
            assert json.loads(carried) == baseline(everything)
        else:
            assert carried == rollout.BOOTSTRAP.read_text()


def test_the_baseline_is_deployed_by_stack_sets_alone(everything: Assembly) -> None:
    """`cdk deploy` would make it in the administrator's own account."""
    (stage,) = everything.folder.glob("*-rollout")
    artifacts = json.loads((stage / "manifest.json").read_text())["artifacts"].values()

    stacks = [each["properties"]["stackName"] for each in artifacts if each["type"] == "aws:cloudformation:stack"]
    assert stacks == ["slipway-rollout-StackSets"]


def test_the_baseline_has_no_assets_and_no_nested_stacks(everything: Assembly, tmp_path: Path) -> None:
    template = baseline(everything)
    assert not of_kind(template, "AWS::CloudFormation::Stack")
    assert "Transform" not in template
    assert "Parameters" not in template  # no version of a bootstrap that is yet to come
    assert "assets" not in json.dumps(template)

    around = cdk.Stack(cdk.App(outdir=str(tmp_path)), "Around")
    carried = StackSetTemplate(around, "Carried", description="")
    with pytest.raises(RuntimeError, match="Cannot add assets to a Stack that uses the BootstraplessSynthesizer"):
        assets.Asset(carried, "File", path=str(ROOT / "README.md"))


def test_what_an_account_has_once_is_made_in_the_first_region_only(everything: Assembly) -> None:
    template = baseline(everything)

    for name, resource in template["Resources"].items():
        once = resource["Type"].startswith("AWS::IAM::")
        assert resource.get("Condition") == ("Home" if once else None), name
    for region, made in ((HOME, True), (OTHER, False)):
        (name,) = {each["Condition"] for each in template["Resources"].values() if "Condition" in each}
        evaluator = {"Resources": {"X": {"Condition": name}}, "Conditions": template["Conditions"]}
        assert templates.wanted(evaluator, "X", There("1", region)) is made


def test_the_baselines_boundary_and_key_are_an_environments(assembly: Assembly, everything: Assembly) -> None:
    """But for names: both are made by the same functions."""
    dev = load().environment("dev")
    alone = assembly.templates[next(name for name in assembly.templates if "devGovernance" in name)]
    (boundary,) = of_kind(alone, "AWS::IAM::ManagedPolicy")
    ours = json.dumps(policy(everything, NAMES.boundary, dev.account))
    assert json.loads(ours.replace("role/slipway-*", "role/slipway-dev-*")) == {
        **boundary["Properties"]["PolicyDocument"],
        "Statement": [
            {**each, "Condition": {"StringNotEquals": {"aws:RequestedRegion": [HOME, OTHER]}}}
            if each["Sid"] == "OtherRegions"
            else each
            for each in boundary["Properties"]["PolicyDocument"]["Statement"]
        ],
    }
    (key,) = of_kind(alone, "AWS::KMS::Key")
    (base,) = of_kind(baseline(everything), "AWS::KMS::Key")
    theirs = templates.evaluate(key["Properties"]["KeyPolicy"], alone, There(dev.account))["Statement"]
    services = [each for each in theirs if "Sid" not in each]
    assert services == [each for each in key_statements(everything, dev.account) if "Sid" not in each]
    assert key["Properties"]["EnableKeyRotation"] is base["Properties"]["EnableKeyRotation"] is True
    assert base["DeletionPolicy"] == "Retain"


def test_an_environment_finds_boundary_and_key_by_name(everything: Assembly) -> None:
    (policies,) = {
        each["Properties"]["ManagedPolicyName"]
        for each in of_kind(baseline(everything), "AWS::IAM::ManagedPolicy")
        if each["Properties"]["ManagedPolicyName"].endswith("boundary")
    }
    (export,) = (each["Export"]["Name"] for each in baseline(everything)["Outputs"].values())
    own = {name: each for name, each in everything.templates.items() if name.startswith("slipwaydev")}
    text = json.dumps(own)

    assert own
    assert not [name for name, each in own.items() if of_kind(each, "AWS::KMS::Key")]
    assert not [name for name, each in own.items() if of_kind(each, "AWS::IAM::ManagedPolicy")]
    assert f'{{"Fn::ImportValue": "{export}"}}' in text
    roles = [each for template in own.values() for each in of_kind(template, "AWS::IAM::Role")]
    assert roles
    for role in roles:
        assert json.dumps(role["Properties"]["PermissionsBoundary"]).count(f":policy/{policies}") == 1
    encrypted = [each for template in own.values() for each in of_kind(template, "AWS::S3::Bucket")]
    assert all(export in json.dumps(each["Properties"]["BucketEncryption"]) for each in encrypted[1:])


def test_the_key_opens_to_other_accounts_where_models_are_trained_and_nowhere_else(everything: Assembly) -> None:
    def sids(account: str, region: str = HOME) -> list[str]:
        told = key_statements(everything, account, region)
        return [each["Sid"] for each in told if "Sid" in each and each["Effect"] == "Allow"]

    dev, prod = (load().environment(name) for name in ("dev", "prod"))

    assert sids(dev.account) == ["ReadVersions", "MakeChampion"]
    assert sids(dev.account, OTHER) == []
    assert sids(prod.account) == []
    opened = [each for each in key_statements(everything, dev.account) if each.get("Sid") == "MakeChampion"]
    assert opened[0]["Condition"]["ArnEquals"]["aws:PrincipalArn"] == [
        f"arn:aws:iam::{prod.account}:role/slipway-prod-releaser"
    ]
    assert opened[0]["Condition"]["StringEquals"] == {"aws:PrincipalOrgID": ORGANIZATION}


def test_the_bootstrap_is_limited_by_the_baseline(everything: Assembly) -> None:
    given = stack_sets(everything)[NAMES.bootstrap_stack_set]["Parameters"]
    parameters = {each["ParameterKey"]: each["ParameterValue"] for each in given}

    assert parameters["InputPermissionsBoundary"] in {
        each["Properties"]["ManagedPolicyName"] for each in of_kind(baseline(everything), "AWS::IAM::ManagedPolicy")
    }
    assert parameters["ApplyPermissionsBoundaryToAllRoles"] == "true"
    assert set(parameters) <= set(templates.parse(rollout.BOOTSTRAP.read_text())["Parameters"])
    assert "TrustedAccounts" not in parameters


def test_a_delegated_administrator_deploys_what_the_management_account_has(tmp_path: Path) -> None:
    done = rolled_out(tmp_path, administrator_account=ADMINISTRATOR_ACCOUNT, trusted_accounts=["111111111111"])

    for each in stack_sets(done).values():
        assert each["CallAs"] == "DELEGATED_ADMIN"
        assert f"cdk-hnb659fds-assets-{ADMINISTRATOR_ACCOUNT}-{HOME}" in each["TemplateURL"]["Fn::Sub"]
    bootstrap = stack_sets(done)[NAMES.bootstrap_stack_set]
    assert f":{MANAGEMENT}:stackset/" in json.dumps(bootstrap["AutoDeployment"]["DependsOn"])
    trusted = [each for each in bootstrap["Parameters"] if each["ParameterKey"].startswith("TrustedAccounts")]
    assert {each["ParameterValue"] for each in trusted} == {"111111111111"}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"except_accounts": ["123456789012"]}, ("DIFFERENCE", ["123456789012"])),
        ({"only_accounts": ["123456789012"], "auto_deployment": False}, ("INTERSECTION", ["123456789012"])),
    ],
)
def test_accounts_are_let_in_or_left_out(
    tmp_path: Path, change: dict[str, Any], expected: tuple[str, list[str]]
) -> None:
    done = rolled_out(tmp_path, bootstrap=False, **change)

    (only,) = stack_sets(done).values()
    targets = only["StackInstancesGroup"][0]["DeploymentTargets"]
    assert (targets["AccountFilterType"], targets["Accounts"]) == expected
    assert only["AutoDeployment"] == (
        {"Enabled": False} if "only_accounts" in change else {"Enabled": True, "RetainStacksOnAccountRemoval": True}
    )


def test_the_auditor_looks_and_touches_nothing(everything: Assembly, tmp_path: Path, simulator: Simulator) -> None:
    (role,) = of_kind(baseline(everything), "AWS::IAM::Role")
    (granted,) = of_kind(baseline(everything), "AWS::IAM::Policy")
    account = "111111111111"
    (trust,) = there(everything, role["Properties"]["AssumeRolePolicyDocument"], account)["Statement"]
    assert trust["Principal"] == {"AWS": f"arn:aws:iam::{AUDITOR}:root"}
    assert trust["Condition"] == {"StringEquals": {"aws:PrincipalOrgID": ORGANIZATION}}
    auditor = Role(
        NAMES.auditor,
        f"arn:aws:iam::{account}:role/{NAMES.auditor}",
        {},
        (granted["Properties"]["PolicyDocument"],),
        policy(everything, NAMES.boundary, account),
    )
    here = {"aws:RequestedRegion": HOME}
    looks = [Question(auditor, "iam:GetRole", f"arn:aws:iam::{account}:role/x", here)]
    touches = [
        Question(auditor, "s3:GetObject", "arn:aws:s3:::slipway-dev-data/x", here),
        Question(auditor, "iam:PutRolePolicy", f"arn:aws:iam::{account}:role/x", here),
        Question(auditor, "kms:Decrypt", f"arn:aws:kms:{HOME}:{account}:key/1", here),
    ]
    assert simulator.may(looks) == [True]
    assert simulator.may(touches) == [False] * 3

    nobody = rolled_out(tmp_path, auditor_account=None)
    assert of_kind(baseline(nobody), "AWS::IAM::Role") == []


ACCOUNT = "222222222222"


def deployer(assembly: Assembly) -> Role:
    """CloudFormation's role, as the bootstrap makes it in an account that has the baseline."""
    name = f"cdk-hnb659fds-cfn-exec-role-{ACCOUNT}-{HOME}"
    limit = policy(assembly, NAMES.deployments, ACCOUNT)
    return Role(name, f"arn:aws:iam::{ACCOUNT}:role/{name}", {}, tuple(ADMINISTRATOR.values()), limit)


def arn(resource: str, service: str = "iam", region: str = "") -> str:
    return f"arn:aws:{service}:{region}:{ACCOUNT}:{resource}"


BOUNDARY, LIMIT = arn(f"policy/{NAMES.boundary}"), arn(f"policy/{NAMES.deployments}")
OURS, CDKS = arn("role/slipway-prod-releaser"), arn(f"role/cdk-hnb659fds-deploy-role-{ACCOUNT}-{HOME}")
BOUNDED, UNBOUNDED = {"iam:PermissionsBoundary": BOUNDARY}, {"iam:PermissionsBoundary": LIMIT}
KEY, BASELINES_KEY = arn("key/1", "kms", HOME), {"kms:ResourceAliases": [NAMES.key_alias]}
OPEN = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": arn("root")}, "Action": ["kms:*", "sts:*"], "Resource": "*"}
    ],
}
"""A key or a role that leaves it to the account who may: then the limit alone decides."""

TO_LAMBDA = {"iam:PassedToService": "lambda.amazonaws.com"}

MUST = [
    ("iam:CreateRole", OURS, BOUNDED),
    ("iam:PutRolePolicy", OURS, BOUNDED),
    ("iam:AttachRolePolicy", OURS, BOUNDED),
    ("iam:UpdateAssumeRolePolicy", OURS, {}),
    ("iam:DeleteRole", OURS, {}),
    ("iam:PassRole", OURS, TO_LAMBDA),
    ("iam:CreatePolicy", arn("policy/slipway-prod-boundary"), {}),
    ("iam:CreateServiceLinkedRole", arn("role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com/x"), {}),
    ("s3:CreateBucket", "arn:aws:s3:::slipway-prod-data", {}),
    ("kms:PutKeyPolicy", KEY, {"kms:ResourceAliases": ["alias/another"]}),
    ("sagemaker:CreatePipeline", arn("pipeline/slipway-prod-flight-delay", "sagemaker", HOME), {}),
    ("sagemaker:CreatePipeline", arn("pipeline/slipway-prod-flight-delay", "sagemaker", OTHER), {"in": OTHER}),
    ("cloudformation:DeleteStack", arn("stack/slipway-prod-Data/1", "cloudformation", HOME), {}),
]
"""What a deployment needs."""

MUST_NOT = [
    ("iam:CreateRole", OURS, {}),
    ("iam:CreateRole", OURS, UNBOUNDED),
    ("iam:CreateRole", arn("role/admin"), {}),
    ("iam:PutRolePermissionsBoundary", OURS, UNBOUNDED),
    ("iam:PutRolePolicy", OURS, {}),
    ("iam:AttachRolePolicy", CDKS, UNBOUNDED),
    ("iam:AttachRolePolicy", arn(f"role/{NAMES.auditor}"), BOUNDED),
    ("iam:UpdateAssumeRolePolicy", CDKS, {}),
    ("iam:UpdateAssumeRolePolicy", arn("role/stacksets-exec-1"), {}),
    ("iam:UpdateAssumeRolePolicy", arn("role/OrganizationAccountAccessRole"), {}),
    ("iam:UpdateAssumeRolePolicy", arn(f"role/{NAMES.auditor}"), {}),
    ("iam:DeleteRolePermissionsBoundary", OURS, {}),
    ("iam:CreatePolicyVersion", BOUNDARY, {}),
    ("iam:SetDefaultPolicyVersion", LIMIT, {}),
    ("iam:DeletePolicy", LIMIT, {}),
    ("iam:PassRole", arn("role/admin"), TO_LAMBDA),
    ("iam:PassRole", arn("role/OrganizationAccountAccessRole"), TO_LAMBDA),
    ("iam:CreateUser", arn("user/me"), BOUNDED),
    ("iam:CreateAccessKey", arn("user/me"), {}),
    ("sts:AssumeRole", arn("role/OrganizationAccountAccessRole"), {}),
    ("organizations:LeaveOrganization", "*", {}),
    ("kms:PutKeyPolicy", KEY, BASELINES_KEY),
    ("kms:ScheduleKeyDeletion", KEY, BASELINES_KEY),
    ("kms:DeleteAlias", arn(NAMES.key_alias, "kms", HOME), {}),
    ("cloudformation:DeleteStack", arn("stack/StackSet-slipway-baseline-1/1", "cloudformation", HOME), {}),
    (
        "sagemaker:CreatePipeline",
        arn("pipeline/slipway-prod-flight-delay", "sagemaker", "us-east-1"),
        {"in": "us-east-1"},
    ),
]
"""What would lead a deployment past the boundary, the limit itself, or the account."""


@pytest.mark.parametrize(("questions", "answer"), [(MUST, True), (MUST_NOT, False)], ids=["must", "must not"])
def test_deployments_make_what_they_need_and_never_climb(
    everything: Assembly, simulator: Simulator, questions: list[tuple[str, str, dict[str, Any]]], answer: bool
) -> None:
    role = deployer(everything)

    asked = [
        Question(
            role,
            action,
            resource,
            {**{k: v for k, v in context.items() if k != "in"}, **region(context)},
            resource_policy=OPEN if action.startswith(("kms:", "sts:")) else None,
        )
        for action, resource, context in questions
    ]

    assert {(each.action, each.resource): may for each, may in zip(asked, simulator.may(asked), strict=True)} == {
        (action, resource): answer for action, resource, _ in questions
    }


@pytest.mark.parametrize(
    ("who", "changes"),
    [("stacksets-exec-0a1b2c3d", True), ("administrator", False), ("OrganizationAccountAccessRole", False)],
)
def test_the_baselines_key_is_changed_by_the_roll_out_only(
    everything: Assembly, simulator: Simulator, who: str, changes: bool
) -> None:
    """It says so itself, and of nothing else: an administrator uses it as ever."""
    role = Role(who, f"arn:aws:iam::{ACCOUNT}:role/{who}", {}, tuple(ADMINISTRATOR.values()))
    document = {"Version": "2012-10-17", "Statement": key_statements(everything, ACCOUNT)}
    verbs = ("PutKeyPolicy", "ScheduleKeyDeletion", "DisableKey", "DisableKeyRotation", "DescribeKey")
    asked = [Question(role, f"kms:{verb}", KEY, {"aws:PrincipalArn": role.arn}, document) for verb in verbs]

    assert simulator.may(asked) == [changes] * 4 + [True]


def region(context: dict[str, Any]) -> dict[str, str]:
    return {"aws:RequestedRegion": context.get("in", HOME)}


def test_the_roles_boundary_would_not_let_a_deployment_work(everything: Assembly, simulator: Simulator) -> None:
    """That is why deployments have a limit of their own."""
    role = dataclasses.replace(deployer(everything), boundary=policy(everything, NAMES.boundary, ACCOUNT))
    asked = [Question(role, "iam:CreateRole", OURS, {**BOUNDED, **region({})})]

    assert simulator.may(asked) == [False]


def test_every_finding_about_the_roll_out_is_fixed_or_acknowledged(tmp_path: Path) -> None:
    done = rolled_out(tmp_path, nag=True)

    findings = [
        (violation["ruleName"], construct.get("constructPath"))
        for report in done.report["pluginReports"]
        for violation in report["violations"]
        for construct in violation["violatingConstructs"]
    ]
    assert findings == []


def test_cfn_lint_finds_nothing_in_either_template(everything: Assembly) -> None:
    files = [str(file) for file in everything.folder.glob("*-rollout/*.template.json")]
    redundant = "W3005"  # the order is stated for roll-outs without automatic deployment, too

    command = [str(Path(sys.executable).parent / "cfn-lint"), "--regions", HOME, "--ignore-checks", redundant]
    done = subprocess.run([*command, "--template", *files], capture_output=True, text=True, check=False)

    assert len(files) == 2
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_two_roll_outs_are_byte_equal(everything: Assembly, tmp_path: Path) -> None:
    again = rolled_out(tmp_path)

    (stage,) = everything.folder.glob("*-rollout")
    for file in stage.glob("*.json"):
        assert (again.folder / stage.name / file.name).read_bytes() == file.read_bytes(), file


def test_a_missing_bootstrap_template_says_what_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollout, "BOOTSTRAP", ROOT / "node_modules/none.yaml")

    with pytest.raises(rollout.RolloutError, match=r"node_modules/none\.yaml is missing; run `make setup`"):
        rolled_out(tmp_path)


# What `slipway check` says.


def mistakes_of(folder: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(folder)
    return caught.value.mistakes


def owned_by_the_baseline(environments: Path, name: str, more: str = "") -> None:
    file = environments / f"{name}.toml"
    file.write_text(re.sub(r"(?m)^owner = .*", f'owner = "baseline"{more}', file.read_text(), count=1))


def written(environments: Path, **change: Any) -> None:
    """A roll-out in platform.toml; None leaves a key out."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in {**ROLLOUT, **change}.items() if value is not None]
    file = environments / "platform.toml"
    file.write_text(file.read_text() + "\n[rollout]\n" + "\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"organizational_units": ["ou-AB12-1"]}, "rollout.organizational_units.0 = 'ou-AB12-1'"),
        ({"organizational_units": [UNIT, UNIT]}, f"organizational_units names {UNIT} twice"),
        ({"organizational_units": []}, "rollout.organizational_units = []"),
        ({"except_accounts": ["123456789012"] * 2}, "except_accounts names 123456789012 twice"),
        ({"trusted_accounts": ["123456789012"] * 2}, "trusted_accounts names 123456789012 twice"),
        ({"regions": [HOME, HOME]}, f"regions names {HOME} twice"),
        ({"regions": None}, "rollout.regions: missing; add it"),
        ({"only_accounts": ["123456789012"]}, "set auto_deployment = false"),
        (
            {"only_accounts": ["123456789012"], "except_accounts": ["123456789012"], "auto_deployment": False},
            "both name 123456789012",
        ),
        ({"administrator_account": MANAGEMENT}, "remove administrator_account"),
        ({"failure_tolerance_percentage": 101}, "rollout.failure_tolerance_percentage = 101"),
        ({"organisational_units": [UNIT]}, "did you mean organizational_units?"),
    ],
)
def test_a_mistake_in_the_roll_out_is_named(environments: Path, change: dict[str, Any], expected: str) -> None:
    written(environments, **change)

    (found,) = mistakes_of(environments)

    assert found.startswith("environments/platform.toml: rollout")
    assert expected in found


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"regions": [OTHER]}, f"regions in platform.toml are {OTHER}, not {HOME}; add it there"),
        ({"management_account": "111111111111"}, "111111111111 is the management account"),
        ({"except_accounts": ["111111111111"]}, "leaves account 111111111111 out"),
        ({"only_accounts": [MANAGEMENT], "auto_deployment": False}, "leaves account 111111111111 out"),
    ],
)
def test_an_environment_whose_account_gets_no_baseline_is_named(
    environments: Path, change: dict[str, Any], expected: str
) -> None:
    written(environments, **change)
    owned_by_the_baseline(environments, "dev")

    (found,) = mistakes_of(environments)

    assert found.startswith("environments/dev.toml: governance.owner = 'baseline': ")
    assert expected in found


def test_an_owner_that_is_nowhere_is_named(environments: Path) -> None:
    owned_by_the_baseline(environments, "prod")

    (found,) = mistakes_of(environments)

    assert found.startswith("environments/prod.toml: governance.owner = 'baseline': there is no baseline")
    for way_out in ("key_arn", "[rollout]", 'owner = "stack"'):
        assert way_out in found


def test_a_key_of_another_teams_baseline_needs_no_roll_out(environments: Path) -> None:
    key = "arn:aws:kms:eu-west-1:333333333333:key/0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
    owned_by_the_baseline(environments, "prod", f'\nkey_arn = "{key}"')

    config = load(environments)

    names = Names.of(config.platform, config.environment("prod"))
    assert (names.boundary, names.key_alias) == (NAMES.boundary, NAMES.key_alias)


def test_a_name_that_the_roll_out_gives_is_named(environments: Path) -> None:
    written(environments)
    (environments / "baseline.toml").write_text((environments / "staging.toml").read_text())

    found = mistakes_of(environments)

    assert [each for each in found if "the name 'baseline' is the roll-out's; rename the file" in each]


def test_a_policy_too_long_for_iam_is_named(environments: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(environments)
    long = tuple(f"service{number}:DoSomethingOrOther" for number in range(150))
    monkeypatch.setattr(boundary_documents, "BOUNDED_ACTIONS", long)

    found = mistakes_of(environments)

    assert len(found) == 4  # of each environment, and of the baseline
    length = characters(roles_boundary(Limits(ANY_ACCOUNT, "slipway-*", [HOME, OTHER])))
    assert length > POLICY_CHARACTERS
    wanted = (
        f"the boundary of the baseline has {length:,} characters, a managed policy may have 6,144; shorten its lists"
    )
    assert [each for each in found if wanted in each]


def test_lists_of_the_boundary_are_as_long_as_they_are_listed(everything: Assembly) -> None:
    """White space does not count, and nothing is counted twice."""
    document = roles_boundary(Limits(ANY_ACCOUNT, "slipway-*", [HOME, OTHER]))
    assert characters(document) == len(json.dumps(document).replace(" ", ""))
    forbidden = [each for each in policy(everything, NAMES.boundary, "1")["Statement"] if each["Sid"] == "Forbidden"]
    assert set(forbidden[0]["Action"]) == set(FORBIDDEN_ACTIONS)
