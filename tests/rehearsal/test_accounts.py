"""Dev, staging and prod in accounts of their own: one deploy from a fourth, and each sees only what it may."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError
from conftest import Assembly, synthesize

import app
from commands.rehearse import sites
from operations.journal import BEGAN, REFUSED, Journal
from rehearsal.cdk import Cdk
from rehearsal.embedded import DIRECT, EmbeddedAws
from rehearsal.inbox import Inbox
from rehearsal.inventory import inventory
from rehearsal.policies import Decision, Principal, Request, decide, may
from stacks.config import ROOT, load
from stacks.names import Names

TOOLING, STRANGER = "444444444444", "555555555555"
ENVIRONMENTS = ("dev", "staging", "prod")
MODEL = "flight_delay"
ARTIFACT = f"runs/{MODEL}/execution/package/model.tar.gz"
OURS, THEIRS = "o-a1b2c3d4e5", "o-f6a7b8c9d0"
"""The organization within which dev shares, and another."""

EXECUTION_POLICY = "arn:aws:iam::aws:policy/AdministratorAccess"


@dataclass(frozen=True)
class Organization:
    """The accounts, and clients in each by its environment's name; `tooling` and `stranger` are accounts too."""

    aws: EmbeddedAws
    names: dict[str, Names]

    def account(self, who: str) -> str:
        return {"tooling": TOOLING, "stranger": STRANGER}.get(who) or self.names[who].account

    def client(self, who: str, service: str) -> Any:
        return self.aws.client(service, self.account(who), self.names["dev"].region)


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """All environments of a platform that shares within its organization."""
    config = load()
    platform = config.platform.model_copy(update={"organization_id": OURS})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "load", lambda: config.model_copy(update={"platform": platform}))
        return synthesize(tmp_path_factory.mktemp("limited") / "cdk.out")


@pytest.fixture(scope="module")
def organization(tmp_path_factory: pytest.TempPathFactory, limited: Assembly) -> Iterator[Organization]:
    """Four accounts bootstrapped with trust, three environments deployed by one command."""
    folder, config = tmp_path_factory.mktemp("organization"), load()
    names = {name: Names.of(config.platform, config.environment(name)) for name in ENVIRONMENTS}
    region = names["dev"].region
    with EmbeddedAws(folder / "aws", ROOT / ".venv-job/bin/python", OURS) as aws:

        def bootstrap(account: str) -> None:
            cdk = Cdk(ROOT, folder, aws.environment(account, region), folder / f"bootstrap-{account}.log")
            trust = ["--trust", TOOLING, "--trust-for-lookup", TOOLING] if account != TOOLING else []
            policy = ["--cloudformation-execution-policies", EXECUTION_POLICY]
            cdk.run("bootstrap", f"aws://{account}/{region}", *trust, *policy)

        with ThreadPoolExecutor(max_workers=2) as together:
            list(together.map(bootstrap, [TOOLING, *(name.account for name in names.values())]))
        cdk = Cdk(ROOT, folder, aws.environment(TOOLING, region), folder / "deploy.log")
        choices = ["--require-approval", "never", "--method", "direct", "--concurrency", "4"]
        cdk.run("deploy", "--app", str(limited.folder), "*/*", *choices)
        yield Organization(aws, names)


@pytest.fixture(scope="module")
def version(organization: Organization) -> str:
    """A version in dev's registry, with the artifact it names in dev's runs bucket."""
    dev = organization.names["dev"]
    organization.client("dev", "s3").put_object(Bucket=dev.runs_bucket, Key=ARTIFACT, Body=b"model")
    registered = organization.client("dev", "sagemaker").create_model_package(
        ModelPackageGroupName=dev.model_package_group(MODEL), ModelApprovalStatus="PendingManualApproval"
    )
    return str(registered["ModelPackageArn"])


def refused(call: Callable[..., Any], **arguments: Any) -> bool:
    """Whether AWS says no; any other error is the test's own."""
    try:
        call(**arguments)
    except ClientError as error:
        if error.response["Error"]["Code"] not in {"AccessDenied", "AccessDeniedException"}:
            raise
        return True
    return False


def stacks(organization: Organization, who: str) -> set[str]:
    described = organization.client(who, "cloudformation").describe_stacks()["Stacks"]
    return {stack["StackName"] for stack in described} - {"CDKToolkit"}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_each_environment_stands_in_its_own_account(organization: Organization, limited: Assembly, name: str) -> None:
    account = organization.names[name].account
    manifests = [json.loads(file.read_text()) for file in limited.folder.rglob("manifest.json")]
    declared = {
        artifact["properties"]["stackName"]
        for manifest in manifests
        for artifact in manifest["artifacts"].values()
        if artifact["type"] == "aws:cloudformation:stack" and f"//{account}/" in artifact["environment"]
    }

    deployed = stacks(organization, name)
    site = next(site for site in sites(load().environment("dev"), MODEL, load()) if site.environment == name)
    found = inventory(organization.aws.client, [(site, stack) for stack in sorted(deployed)])

    assert deployed == declared != set()
    assert found.missing == []
    assert found.declared == found.created + len(found.waiting) > 0
    assert {one["type"] for one in found.waiting} >= {"AWS::SageMaker::Endpoint"}  # no version was released yet


def test_no_other_account_got_anything(organization: Organization) -> None:
    assert stacks(organization, "tooling") == stacks(organization, "stranger") == set()
    assert organization.aws.client("s3", "123456789012", "eu-west-1").list_buckets()["Buckets"] == []


@pytest.mark.parametrize(
    ("who", "whose", "outcome"),
    [
        ("tooling", "prod", True),
        ("tooling", "dev", True),
        ("dev", "prod", False),
        ("staging", "dev", False),
        ("stranger", "dev", False),
        ("dev", "tooling", False),
    ],
)
def test_only_tooling_may_deploy_elsewhere(organization: Organization, who: str, whose: str, outcome: bool) -> None:
    account, region = organization.account(whose), organization.names["dev"].region
    for kind in ("deploy", "file-publishing", "lookup"):
        role = f"arn:aws:iam::{account}:role/cdk-hnb659fds-{kind}-role-{account}-{region}"
        assume = organization.client(who, "sts").assume_role

        assert refused(assume, RoleArn=role, RoleSessionName="deploy") is not outcome


def test_an_assumed_role_leads_into_its_account(organization: Organization) -> None:
    prod = organization.account("prod")
    role = f"arn:aws:iam::{prod}:role/cdk-hnb659fds-deploy-role-{prod}-eu-west-1"
    key = organization.client("tooling", "sts").assume_role(RoleArn=role, RoleSessionName="deploy")["Credentials"]

    import boto3

    session = boto3.Session(key["AccessKeyId"], key["SecretAccessKey"], key["SessionToken"], "eu-west-1")
    seen = session.client("sts", endpoint_url=organization.aws.endpoint).get_caller_identity()

    assert seen["Account"] == prod
    assert seen["Arn"].endswith(f"assumed-role/{role.rsplit('/', 1)[1]}/deploy")


@pytest.mark.parametrize("who", ["dev", "tooling"])
def test_nobody_can_become_a_job(organization: Organization, who: str) -> None:
    dev = organization.names["dev"]
    role = f"arn:aws:iam::{dev.account}:role/{dev.job_role(MODEL, 'record')}"

    assert refused(organization.client(who, "sts").assume_role, RoleArn=role, RoleSessionName="job")


def releaser(organization: Organization, who: str) -> Callable[[str], Any]:
    """Clients that act as an environment's releaser, as people of its account may."""
    names = organization.names[who]
    taken = organization.client(who, "sts").assume_role(
        RoleArn=names.role_arn(names.releaser), RoleSessionName="release"
    )["Credentials"]

    def client(service: str) -> Any:
        import boto3

        return boto3.client(
            service,
            region_name=names.region,
            endpoint_url=organization.aws.endpoint,
            aws_access_key_id=taken["AccessKeyId"],
            aws_secret_access_key=taken["SecretAccessKey"],
            aws_session_token=taken["SessionToken"],
            config=DIRECT,
        )

    return client


@pytest.mark.parametrize("who", ["staging", "prod"])
def test_a_releaser_reads_versions_artifacts_and_records_of_the_registry(
    organization: Organization, version: str, who: str
) -> None:
    dev, client = organization.names["dev"], releaser(organization, who)
    sagemaker, s3 = client("sagemaker"), client("s3")
    artifact = {"Bucket": dev.runs_bucket, "Key": ARTIFACT}

    assert sagemaker.list_model_packages(ModelPackageGroupName=dev.group_arn(MODEL))["ModelPackageSummaryList"]
    assert sagemaker.describe_model_package(ModelPackageName=version)["ModelPackageArn"] == version
    assert s3.get_object(**artifact)["Body"].read() == b"model"
    assert refused(sagemaker.update_model_package, ModelPackageArn=version, ModelApprovalStatus="Approved")
    assert refused(sagemaker.create_model_package, ModelPackageGroupName=dev.group_arn(MODEL))
    assert refused(s3.put_object, **artifact, Body=b"another")
    assert refused(s3.delete_object, **artifact)
    assert refused(s3.get_object, Bucket=dev.data_bucket, Key="periods/x")
    assert refused(s3.get_object, Bucket=dev.runs_bucket, Key=f"temporary/{MODEL}/x")
    assert refused(s3.put_bucket_policy, Bucket=dev.runs_bucket, Policy="{}")
    champion = {"Bucket": dev.runs_bucket, "Key": f"champion/{MODEL}/champion.json", "Body": b"{}"}
    assert refused(s3.put_object, **champion) is (who != "prod")


@pytest.mark.parametrize("who", ["staging", "prod", "tooling", "stranger"])
def test_others_of_those_accounts_read_nothing_of_the_registry(
    organization: Organization, version: str, who: str
) -> None:
    dev, sagemaker, s3 = (
        organization.names["dev"],
        organization.client(who, "sagemaker"),
        organization.client(who, "s3"),
    )

    assert refused(sagemaker.describe_model_package, ModelPackageName=version)
    assert refused(sagemaker.list_model_packages, ModelPackageGroupName=dev.group_arn(MODEL))
    assert refused(s3.get_object, Bucket=dev.runs_bucket, Key=ARTIFACT)


@dataclass(frozen=True)
class Policies:
    """What dev's own resources say of a role of another account."""

    by_service: dict[str, Any]
    owner: str

    def let(self, role: str, organization_id: str | None, action: str, resource: str) -> bool:
        principal = Principal(role.split(":")[4], role, organization_id)
        context = {"kms:ViaService": "s3.eu-west-1.amazonaws.com"} if action.startswith("kms:") else {}
        policy = self.by_service[resource if action.startswith("s3:") else action.split(":", maxsplit=1)[0]]
        return may(policy, Request(principal, action, resource_arn(resource), context), self.owner)


def resource_arn(resource: str) -> str:
    names = Names.of(load().platform, load().environment("dev"))
    packages = f"arn:aws:sagemaker:{names.region}:{names.account}:model-package"
    return {
        "package": f"arn:aws:s3:::{names.runs_bucket}/{ARTIFACT}",
        "temporary": f"arn:aws:s3:::{names.runs_bucket}/temporary/{MODEL}/x",
        "record": f"arn:aws:s3:::{names.provenance_bucket}/{MODEL}/x/provenance.json",
        "champion": f"arn:aws:s3:::{names.runs_bucket}/champion/{MODEL}/champion.json",
        "version": f"{packages}/{names.model_package_group(MODEL)}/1",
        "group": names.group_arn(MODEL),
    }.get(resource, "*")


@pytest.fixture(scope="module")
def policies(organization: Organization) -> Policies:
    dev = organization.names["dev"]
    s3, kms = organization.client("dev", "s3"), organization.client("dev", "kms")
    buckets = {name: s3.get_bucket_policy(Bucket=name)["Policy"] for name in (dev.runs_bucket, dev.provenance_bucket)}
    key = kms.describe_key(KeyId=dev.key_alias)["KeyMetadata"]["Arn"]
    group = organization.client("dev", "sagemaker").get_model_package_group_policy(
        ModelPackageGroupName=dev.model_package_group(MODEL)
    )
    repository = organization.client("dev", "ecr").get_repository_policy(repositoryName=dev.repository)
    runs = dict.fromkeys(("package", "temporary", "champion"), buckets[dev.runs_bucket])
    return Policies(
        {
            **runs,
            "record": buckets[dev.provenance_bucket],
            "kms": kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"],
            "sagemaker": group["ResourcePolicy"],
            "ecr": repository["policyText"],
        },
        dev.account,
    )


MAY = {
    "releaser": {
        ("s3:GetObject", "package"),
        ("s3:GetObject", "record"),
        ("sagemaker:DescribeModelPackage", "version"),
        ("sagemaker:ListModelPackages", "group"),
        ("ecr:DescribeImages", "image"),
        ("kms:Decrypt", "key"),
    },
    "endpoint": {
        ("s3:GetObject", "package"),
        ("sagemaker:DescribeModelPackage", "version"),
        ("ecr:BatchGetImage", "image"),
        ("kms:Decrypt", "key"),
    },
    "deployer": {("sagemaker:DescribeModelPackage", "version"), ("sagemaker:CreateModel", "version")},
    "somebody": set(),
}
CROWNS = {("s3:PutObject", "champion"), ("s3:GetObject", "champion"), ("kms:GenerateDataKey", "key")}
ASKED = {
    *(("s3:GetObject", what) for what in ("package", "record", "temporary", "champion")),
    *(("s3:PutObject", what) for what in ("package", "record", "temporary", "champion")),
    *((f"sagemaker:{action}", "version") for action in ("DescribeModelPackage", "CreateModel", "UpdateModelPackage")),
    ("sagemaker:ListModelPackages", "group"),
    ("sagemaker:CreateModelPackage", "group"),
    *((f"ecr:{action}", "image") for action in ("DescribeImages", "BatchGetImage", "PutImage")),
    *((f"kms:{action}", "key") for action in ("Decrypt", "GenerateDataKey", "PutKeyPolicy", "ScheduleKeyDeletion")),
}


@pytest.mark.parametrize("member_of", [OURS, THEIRS, None])
@pytest.mark.parametrize("role", list(MAY))
@pytest.mark.parametrize("who", ["staging", "prod"])
def test_each_role_may_what_it_needs_and_no_more_while_its_account_is_in_the_organization(
    organization: Organization, policies: Policies, who: str, role: str, member_of: str | None
) -> None:
    names = organization.names[who]
    roles = {
        "releaser": names.releaser,
        "endpoint": names.endpoint_role(MODEL),
        "deployer": names.serving_deployer,
        "somebody": "Administrator",
    }
    wanted = MAY[role] | (CROWNS if (who, role) == ("prod", "releaser") else set())

    found = {asked for asked in ASKED if policies.let(names.role_arn(roles[role]), member_of, *asked)}

    assert found == (wanted if member_of == OURS else set())


def test_the_key_of_dev_opens_for_its_readers_and_does_nothing_else(organization: Organization) -> None:
    dev = organization.names["dev"]
    own = organization.client("dev", "kms")
    key = own.describe_key(KeyId=dev.key_alias)["KeyMetadata"]["Arn"]
    secret = own.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    staging, stranger = releaser(organization, "staging")("kms"), organization.client("stranger", "kms")

    assert staging.decrypt(CiphertextBlob=secret)["Plaintext"] == b"secret"
    assert refused(staging.encrypt, KeyId=key, Plaintext=b"x")
    assert refused(staging.put_key_policy, KeyId=key, PolicyName="default", Policy="{}")
    assert refused(staging.schedule_key_deletion, KeyId=key)
    assert refused(stranger.decrypt, CiphertextBlob=secret)
    assert refused(stranger.decrypt, CiphertextBlob=secret, KeyId=key)


@pytest.mark.usefixtures("version")
def test_a_reader_without_the_key_reads_nothing(organization: Organization) -> None:
    """The bucket's policy alone is not enough: the key that its objects are encrypted with must let the reader in."""
    dev, kms = organization.names["dev"], organization.client("dev", "kms")
    artifact = {"Bucket": dev.runs_bucket, "Key": ARTIFACT}
    key = kms.describe_key(KeyId=dev.key_alias)["KeyMetadata"]["Arn"]
    policy = kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"]
    document = json.loads(policy)
    without = [s for s in document["Statement"] if s.get("Sid") != "ReadVersions"]
    s3 = releaser(organization, "staging")("s3")

    assert len(without) < len(document["Statement"])
    try:
        changed = json.dumps({**document, "Statement": without})
        kms.put_key_policy(KeyId=key, PolicyName="default", Policy=changed)
        assert refused(s3.get_object, **artifact)
    finally:
        kms.put_key_policy(KeyId=key, PolicyName="default", Policy=policy)
    assert not refused(s3.get_object, **artifact)


@pytest.mark.parametrize(
    ("who", "whose", "outcome"),
    [("dev", "dev", True), ("staging", "staging", True), ("dev", "prod", False), ("staging", "prod", False)],
)
def test_people_become_the_releaser_of_their_own_account_only(
    organization: Organization, who: str, whose: str, outcome: bool
) -> None:
    names = organization.names[whose]
    become = organization.client(who, "sts").assume_role

    assert refused(become, RoleArn=names.role_arn(names.releaser), RoleSessionName="me") is not outcome


def test_the_builder_of_the_release_pipeline_becomes_every_releaser(organization: Organization) -> None:
    dev = organization.names["dev"]
    builder = Principal(dev.account, dev.role_arn(dev.release_builder))
    for names in organization.names.values():
        role = organization.client(names.environment, "iam").get_role(RoleName=names.releaser)["Role"]
        asked = Request(builder, "sts:AssumeRole", role["Arn"])

        assert decide(role["AssumeRolePolicyDocument"], asked) is Decision.ALLOWED


def test_records_are_written_by_record_steps_only_and_deleted_by_nobody(organization: Organization) -> None:
    dev = organization.names["dev"]
    for who in ("dev", "staging", "stranger"):
        s3 = organization.client(who, "s3")
        record = {"Bucket": dev.provenance_bucket, "Key": f"{MODEL}/x/provenance.json"}
        assert refused(s3.put_object, **record, Body=b"{}")
        assert refused(s3.delete_object, **record)
        several = {"Objects": [{"Key": record["Key"]}]}
        if who == "dev":
            answer = s3.delete_objects(Bucket=dev.provenance_bucket, Delete=several)
            assert [error["Code"] for error in answer["Errors"]] == ["AccessDenied"]


def approve(organization: Organization, version: str) -> None:
    organization.client("dev", "sagemaker").update_model_package(
        ModelPackageArn=version,
        ModelLifeCycle={"Stage": "Staging", "StageStatus": "Approved"},
        ModelApprovalStatus="Approved",
    )


def waited_for(found: Callable[[], Any]) -> Any:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if seen := found():
            return seen
        time.sleep(0.05)
    raise AssertionError("it never came")


def test_an_approval_that_could_not_be_heard_is_kept_told_and_replayed(
    organization: Organization, version: str
) -> None:
    """The deployed function cannot do its work, until somebody has mended it and runs the runbook's command."""
    dev, client = organization.names["dev"], partial(organization.client, "dev")
    functions, sqs, alarm = client("lambda"), client("sqs"), f"{dev.approvals}-unheard"
    settings = functions.get_function_configuration(FunctionName=dev.approvals)["Environment"]
    inbox = Inbox(client("sns"), sqs, dev.topic_arn)

    functions.update_function_configuration(FunctionName=dev.approvals, Environment={"Variables": {}})
    approve(organization, version)
    waiting = waited_for(lambda: queued(sqs, dev.approvals))
    notice = inbox.next()

    assert waiting == 1
    assert alarm_state(client, alarm) == "ALARM"
    assert notice
    assert (notice.subject, alarm in notice.message) == (f'ALARM: "{alarm}" in {dev.region}', True)
    assert executions(organization) == []

    functions.update_function_configuration(FunctionName=dev.approvals, Environment=settings)
    ran = subprocess.run(
        [sys.executable, "cli.py", "replay", "dev"],
        cwd=ROOT,
        env=organization.aws.environment(dev.account, dev.region),
        capture_output=True,
        text=True,
        check=False,
    )

    assert "1 events were heard; the queue is empty" in ran.stdout, ran.stderr
    assert (queued(sqs, dev.approvals), alarm_state(client, alarm)) == (0, "OK")
    (given,) = executions(organization)
    assert (given["version"], given["environment"]) == (version, "staging")
    staging = organization.names["staging"]
    journal = Journal(organization.client("staging", "dynamodb"), staging.releases, MODEL)
    entry = waited_for(lambda: [each for each in journal.entries() if each.outcome != BEGAN])[0]
    assert (entry.version, entry.outcome, entry.cause) == (version, REFUSED, "event")  # it never was trained


def queued(sqs: Any, queue: str) -> int:
    url, name = sqs.get_queue_url(QueueName=queue)["QueueUrl"], "ApproximateNumberOfMessages"
    return int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name])


def alarm_state(client: Callable[[str], Any], name: str) -> str:
    (alarm,) = client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return str(alarm["StateValue"])


def executions(organization: Organization) -> list[dict[str, str]]:
    """The variables of each execution of the release pipeline."""
    pipelines, name = organization.client("dev", "codepipeline"), organization.names["dev"].release_pipeline
    ids = [
        e["pipelineExecutionId"]
        for e in pipelines.list_pipeline_executions(pipelineName=name)["pipelineExecutionSummaries"]
    ]
    found = [
        pipelines.get_pipeline_execution(pipelineName=name, pipelineExecutionId=each)["pipelineExecution"]
        for each in ids
    ]
    return [{variable["name"]: variable["resolvedValue"] for variable in one["variables"]} for one in found]
