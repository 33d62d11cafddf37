"""The pipeline that delivers code: its stages in order, what its builds run and may, what starts it, who is told."""

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import Assembly
from delivery_world import ACCOUNT, CONNECTION, STACK, delivered, everything, with_delivery

from stacks.config import ENVIRONMENTS, Config, ConfigError, load
from stacks.delivery_names import DeliveryNames, bootstrap_role

Json = dict[str, Any]
NAMES = DeliveryNames("slipway", ACCOUNT, "eu-west-1")
OTHERS = {"dev": "1" * 12, "staging": "2" * 12, "prod": "3" * 12}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Json:
    assembly = delivered(tmp_path_factory.mktemp("delivery") / "cdk.out", with_delivery())
    resources: Json = assembly.templates[STACK]["Resources"]
    return resources


@pytest.fixture(scope="module")
def connected(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    return delivered(tmp_path_factory.mktemp("connected") / "cdk.out", everything("github"))


def of(resources: Json, kind: str) -> list[Json]:
    return [resource["Properties"] for resource in resources.values() if resource["Type"] == kind]


def stages(resources: Json) -> Json:
    (pipeline,) = of(resources, "AWS::CodePipeline::Pipeline")
    return {stage["Name"]: stage["Actions"] for stage in pipeline["Stages"]}


def orders(actions: list[Json]) -> dict[str, int]:
    return {action["Name"]: action["RunOrder"] for action in actions}


def spec(resources: Json, action: Json) -> Json:
    project = resources[action["Configuration"]["ProjectName"]["Ref"]]["Properties"]
    found: Json = json.loads(project["Source"]["BuildSpec"])
    return found


def commands(resources: Json, stage: str, action: str) -> list[str]:
    (found,) = [each for each in stages(resources)[stage] if each["Name"] == action]
    told: list[str] = spec(resources, found)["phases"]["build"]["commands"]
    return told


def role(resources: Json, name: str) -> tuple[str, Json]:
    ((logical, found),) = [
        (logical, resource)
        for logical, resource in resources.items()
        if resource["Type"] == "AWS::IAM::Role" and resource["Properties"].get("RoleName") == name
    ]
    return logical, found["Properties"]


def statements(resources: Json, name: str) -> list[Json]:
    logical, _ = role(resources, name)
    return [
        statement
        for policy in of(resources, "AWS::IAM::Policy")
        if {"Ref": logical} in policy["Roles"]
        for statement in policy["PolicyDocument"]["Statement"]
    ]


def becomes(resources: Json, name: str) -> set[str]:
    found = [s["Resource"] for s in statements(resources, name) if s["Action"] == "sts:AssumeRole"]
    return {arn for listed in found for arn in ([listed] if isinstance(listed, str) else listed)}


def test_code_is_checked_then_synthesized_then_comes_to_each_environment_after_its_review(made: Json) -> None:
    assert list(stages(made)) == [
        "Source",
        "Build",
        "UpdatePipeline",
        "Assets",
        *(name for each in OTHERS for name in (f"Review-{each}", f"slipway-{each}")),
    ]
    assert orders(stages(made)["Build"]) == {"MakeTest": 1, "MakeRehearse": 1, "Synth": 2}


@pytest.mark.parametrize("environment", OTHERS)
def test_a_review_describes_asks_and_looks_again(made: Json, environment: str) -> None:
    actions = stages(made)[f"Review-{environment}"]

    assert orders(actions) == {f"Agree-{environment}": 1, f"Changes-{environment}": 1, f"AsAgreed-{environment}": 2}
    (agree,) = [action for action in actions if action["Name"] == f"Agree-{environment}"]
    assert agree["ActionTypeId"]["Category"] == "Approval"
    page = f"changes/#{{codepipeline.PipelineExecutionId}}/{environment}.html"
    assert agree["Configuration"]["ExternalEntityLink"].endswith(f"prefix={page}")


@pytest.mark.parametrize("environment", OTHERS)
def test_an_environment_is_deployed_by_its_own_accounts_roles_and_verified_last(made: Json, environment: str) -> None:
    *deploys, verify = sorted(stages(made)[f"slipway-{environment}"], key=lambda action: action["RunOrder"])

    assert verify["Name"] == f"Verify-{environment}"
    assert all(action["RunOrder"] < verify["RunOrder"] for action in deploys)
    assert {action["Configuration"]["ActionMode"] for action in deploys} == {"CREATE_UPDATE"}
    assert {OTHERS[environment] in json.dumps(action["RoleArn"]) for action in deploys} == {True}
    stacks = {action["Configuration"]["StackName"] for action in deploys}
    assert f"slipway-{environment}-ServingFlightDelay" in stacks


def test_every_build_runs_a_line_that_a_person_can_run(made: Json) -> None:
    assert commands(made, "Build", "MakeTest") == ["make test"]
    assert commands(made, "Build", "MakeRehearse") == ["make rehearse"]
    assert commands(made, "Build", "Synth") == ["make synth"]
    assert commands(made, "Review-prod", "Changes-prod") == ["python cli.py changes prod --execution $EXECUTION"]
    assert commands(made, "Review-prod", "AsAgreed-prod")[0].endswith("--as-agreed")
    assert commands(made, "slipway-prod", "Verify-prod") == ["python cli.py verify prod"]


def test_assets_and_templates_are_published_by_the_cli_that_deploys(made: Json) -> None:
    (action,) = stages(made)["Assets"]
    told = spec(made, action)["phases"]

    (install,) = told["install"]["commands"]
    assert install.startswith("npm install -g aws-cdk@")
    assert commands(made, "UpdatePipeline", "SelfMutate") == [
        "cdk -a . deploy slipway-Delivery --require-approval=never --verbose"
    ]
    assert told["build"]["commands"] == [
        "cdk publish-assets --app . 'slipway-dev/*' 'slipway-prod/*' 'slipway-staging/*' --unstable=publish-assets"
    ]


def test_what_runs_before_anybody_agreed_cannot_deploy(made: Json) -> None:
    """Whoever may push writes what these builds run."""
    deploys = {bootstrap_role("deploy", account, "eu-west-1") for account in OTHERS.values()}
    reviewers = {f"arn:aws:iam::{account}:role/slipway-{name}-reviewer" for name, account in OTHERS.items()}
    looks = {bootstrap_role(kind, account, "eu-west-1") for account in OTHERS.values() for kind in ("lookup",)}

    assert becomes(made, NAMES.reviewer) == reviewers | looks
    verifiers = {f"arn:aws:iam::{account}:role/slipway-{name}-verifier" for name, account in OTHERS.items()}
    assert becomes(made, NAMES.verifier) == verifiers
    for project in stages(made)["Build"]:
        logical = made[project["Configuration"]["ProjectName"]["Ref"]]["Properties"]["ServiceRole"]["Fn::GetAtt"][0]
        policies = [p for p in of(made, "AWS::IAM::Policy") if {"Ref": logical} in p["Roles"]]
        assert "sts:AssumeRole" not in json.dumps(policies)
    assert not deploys & becomes(made, NAMES.reviewer)


def test_a_build_agrees_only_where_no_person_must(made: Json) -> None:
    (agrees,) = [s for s in statements(made, NAMES.reviewer) if s["Action"] == "codepipeline:PutApprovalResult"]

    assert {arn.rsplit("/", 1)[1] for arn in agrees["Resource"]} == {"Agree-dev", "Agree-staging"}


def test_every_role_is_limited_and_serves_this_account_only(made: Json) -> None:
    roles = of(made, "AWS::IAM::Role")

    assert len(roles) > 8
    for each in roles:
        assert "PermissionsBoundary" in each
        (statement, *_) = each["AssumeRolePolicyDocument"]["Statement"]
        if statement["Principal"].get("Service", "").split(".")[0] in {"codebuild", "codepipeline", "events"}:
            assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": ACCOUNT}
    (limit,) = of(made, "AWS::IAM::ManagedPolicy")
    assert not [a for a in limit["PolicyDocument"]["Statement"][0]["Action"] if a.startswith(("iam:", "kms:Put"))]


def test_what_fails_in_an_environment_is_taken_back(made: Json) -> None:
    (rule,) = [r for r in of(made, "AWS::Events::Rule") if r["EventPattern"]["source"] == ["aws.codepipeline"]]

    assert rule["EventPattern"]["detail"] == {
        "pipeline": ["slipway-delivery"],
        "stage": [f"slipway-{name}" for name in OTHERS],
        "state": ["FAILED"],
    }
    (function,) = [f for f in of(made, "AWS::Lambda::Function") if f["FunctionName"] == NAMES.take_back]
    assert function["Handler"] == "operations.handlers.take_back"


def test_a_push_to_a_bucket_starts_it_by_an_event_and_nothing_polls(made: Json) -> None:
    (rule,) = [r for r in of(made, "AWS::Events::Rule") if r["EventPattern"]["source"] == ["aws.s3"]]
    (source,) = stages(made)["Source"]

    assert rule["EventPattern"]["detail"] == {
        "bucket": {"name": [NAMES.source_bucket]},
        "object": {"key": ["source.zip"]},
    }
    assert source["Configuration"]["PollForSourceChanges"] is False


def test_a_connection_starts_it_by_branch_and_paths_alone(connected: Assembly) -> None:
    resources = connected.templates[STACK]["Resources"]
    (pipeline,) = of(resources, "AWS::CodePipeline::Pipeline")
    (source,) = stages(resources)["Source"]

    assert source["Configuration"]["ConnectionArn"] == CONNECTION
    assert source["Configuration"]["DetectChanges"] is False
    push = {"Branches": {"Includes": ["main"]}, "FilePaths": {"Includes": ["stacks/**", "*.toml"]}}
    git = {"SourceActionName": "Source", "Push": [push]}
    assert pipeline["Triggers"] == [{"ProviderType": "CodeStarSourceConnection", "GitConfiguration": git}]


def test_pull_requests_are_checked_by_a_build_that_may_nothing(connected: Assembly) -> None:
    resources = connected.templates[STACK]["Resources"]
    (project,) = [p for p in of(resources, "AWS::CodeBuild::Project") if p.get("Name") == NAMES.validation]

    assert project["Source"]["Auth"] == {"Type": "CODECONNECTIONS", "Resource": CONNECTION}
    assert project["Source"]["ReportBuildStatus"] is True
    assert json.loads(project["Source"]["BuildSpec"])["phases"]["build"]["commands"] == ["make test", "make rehearse"]
    (group,) = project["Triggers"]["FilterGroups"]
    assert {each["Type"]: each["Pattern"] for each in group}["BASE_REF"] == "^refs/heads/main$"
    actions = {
        action
        for statement in statements(resources, NAMES.validation)
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }
    assert {action.split(":")[0] for action in actions} == {"codeconnections", "logs"}
    assert "Cache" not in project


def test_a_closed_network_takes_packages_from_its_own_repositories(connected: Assembly) -> None:
    resources = connected.templates[STACK]["Resources"]
    (test,) = [action for action in stages(resources)["Build"] if action["Name"] == "MakeTest"]

    *logins, tell_uv = spec(resources, test)["phases"]["install"]["commands"]
    assert tell_uv.startswith("export UV_DEFAULT_INDEX=")
    assert [login.split("--tool ")[1].split()[0] for login in logins] == ["pip", "npm"]
    assert "codeartifact:ReadFromRepository" in json.dumps(of(resources, "AWS::IAM::Policy"))


def test_people_and_a_channel_are_told(connected: Assembly) -> None:
    resources = connected.templates[STACK]["Resources"]

    (rule,) = of(resources, "AWS::CodeStarNotifications::NotificationRule")
    assert "codepipeline-pipeline-pipeline-execution-failed" in rule["EventTypeIds"]
    (chat,) = of(resources, "AWS::Chatbot::SlackChannelConfiguration")
    assert chat["GuardrailPolicies"] == ["arn:aws:iam::aws:policy/AWSDenyAll"]
    (mail,) = of(resources, "AWS::SNS::Subscription")
    assert mail["Endpoint"] == "ml@example.com"


def test_environments_of_one_turn_come_together_and_never_asks_nobody(tmp_path: Path) -> None:
    config = with_delivery()
    told = [
        each.model_copy(update={"delivery": each.delivery.model_copy(update={"order": 1, "approval": "never"})})
        if each.name in {"dev", "staging"}
        else each
        for each in config.environments
    ]
    changed = Config(platform=config.platform, environments=tuple(told))

    resources = delivered(tmp_path / "cdk.out", changed).templates[STACK]["Resources"]

    assert list(stages(resources))[4:] == ["Deploy-dev-staging", "Review-prod", "slipway-prod"]
    together = orders(stages(resources)["Deploy-dev-staging"])
    assert {"slipway-dev.Verify-dev", "slipway-staging.Verify-staging"} < set(together)


def test_without_the_section_there_is_no_pipeline_and_nobody_is_let_in(assembly: Assembly) -> None:
    assert STACK not in assembly.templates
    for name in ("reviewer", "verifier"):
        (trusted,) = [
            resource["Properties"]["AssumeRolePolicyDocument"]["Statement"]
            for _, resource in assembly.resources("AWS::IAM::Role")
            if resource["Properties"].get("RoleName") == f"slipway-prod-{name}"
        ]
        assert len(trusted) == 1


def test_two_synths_of_the_pipeline_are_alike(tmp_path: Path) -> None:
    one, two = (delivered(tmp_path / name / "cdk.out", with_delivery()).templates[STACK] for name in "ab")

    assert one == two


MISTAKES = {
    'provider = "github"\nrepository = "a/b"': "needs a connection_arn",
    'provider = "s3"\nrepository = "a/b"': "takes no repository",
    'provider = "codecommit"': "needs a repository",
    'provider = "s3"\npaths = ["*"]': "knows no paths",
    'provider = "svn"': "delivery.source.provider = 'svn'",
}


@pytest.mark.parametrize("said", MISTAKES)
def test_a_source_that_cannot_be_is_refused_with_its_fix(said: str, tmp_path: Path) -> None:
    assert MISTAKES[said] in mistakes(
        tmp_path, f'account = "{ACCOUNT}"\nregion = "eu-west-1"\n[delivery.source]\n{said}'
    )


def test_an_account_that_is_an_environments_is_refused(tmp_path: Path) -> None:
    said = 'account = "111111111111"\nregion = "eu-west-1"\n[delivery.source]\nprovider = "s3"'

    assert "also the account of dev" in mistakes(tmp_path, said)


def test_a_check_that_is_named_twice_is_refused(tmp_path: Path) -> None:
    said = f'account = "{ACCOUNT}"\nregion = "eu-west-1"\nchecks = ["make test", "make test"]\n'

    assert "named twice" in mistakes(tmp_path, f'{said}[delivery.source]\nprovider = "s3"')


def test_the_example_in_platform_toml_holds(tmp_path: Path) -> None:
    environments = tmp_path / "environments"
    environments.mkdir()
    for file in ENVIRONMENTS.glob("*.toml"):
        text = file.read_text()
        begin, end = text.find("# [delivery]"), text.find("# [github]")
        if begin >= 0:
            example = "\n".join(line.removeprefix("# ") for line in text[begin:end].splitlines())
            text = text[:begin] + example + "\n" + text[end:]
        (environments / file.name).write_text(text)

    delivery = load(environments).platform.delivery

    assert delivery
    assert (delivery.account, delivery.source.provider) == (ACCOUNT, "github")


def mistakes(folder: Path, said: str) -> str:
    environments = folder / "environments"
    environments.mkdir()
    for file in ENVIRONMENTS.glob("*.toml"):
        more = f"\n[delivery]\n{said}\n" if file.name == "platform.toml" else ""
        (environments / file.name).write_text(file.read_text() + more)
    with pytest.raises(ConfigError) as refused:
        load(environments)
    return str(refused.value)
