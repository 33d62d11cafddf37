"""Dev, staging and prod in accounts of their own: one deploy from a fourth, and each sees only what it may."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError
from conftest import Assembly

from rehearsal.cdk import Cdk
from rehearsal.embedded import EmbeddedAws
from rehearsal.inventory import inventory
from stacks.config import ROOT, load
from stacks.names import Names

TOOLING, STRANGER = "444444444444", "555555555555"
ENVIRONMENTS = ("dev", "staging", "prod")
MODEL = "flight_delay"
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
def organization(tmp_path_factory: pytest.TempPathFactory, assembly: Assembly) -> Iterator[Organization]:
    """Four accounts bootstrapped with trust, three environments deployed by one command."""
    folder, config = tmp_path_factory.mktemp("organization"), load()
    names = {name: Names.of(config.platform, config.environment(name)) for name in ENVIRONMENTS}
    region = names["dev"].region
    with EmbeddedAws(folder / "aws", ROOT / ".venv-job/bin/python") as aws:

        def bootstrap(account: str) -> None:
            cdk = Cdk(ROOT, folder, aws.environment(account, region), folder / f"bootstrap-{account}.log")
            trust = ["--trust", TOOLING, "--trust-for-lookup", TOOLING] if account != TOOLING else []
            policy = ["--cloudformation-execution-policies", EXECUTION_POLICY]
            cdk.run("bootstrap", f"aws://{account}/{region}", *trust, *policy)

        with ThreadPoolExecutor(max_workers=2) as together:
            list(together.map(bootstrap, [TOOLING, *(name.account for name in names.values())]))
        cdk = Cdk(ROOT, folder, aws.environment(TOOLING, region), folder / "deploy.log")
        choices = ["--require-approval", "never", "--method", "direct", "--concurrency", "4"]
        cdk.run("deploy", "--app", str(assembly.folder), "*/*", *choices)
        yield Organization(aws, names)


@pytest.fixture(scope="module")
def version(organization: Organization) -> str:
    """A version in dev's registry, with the artifact it names in dev's runs bucket."""
    dev = organization.names["dev"]
    organization.client("dev", "s3").put_object(Bucket=dev.runs_bucket, Key=f"runs/{MODEL}/model.tar.gz", Body=b"model")
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
def test_each_environment_stands_in_its_own_account(organization: Organization, assembly: Assembly, name: str) -> None:
    account, region = organization.names[name].account, organization.names[name].region
    manifests = [json.loads(file.read_text()) for file in assembly.folder.rglob("manifest.json")]
    declared = {
        artifact["properties"]["stackName"]
        for manifest in manifests
        for artifact in manifest["artifacts"].values()
        if artifact["type"] == "aws:cloudformation:stack" and f"//{account}/" in artifact["environment"]
    }

    deployed = stacks(organization, name)
    found = inventory(lambda service: organization.client(name, service), sorted(deployed), account, region)

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


@pytest.mark.parametrize(
    ("who", "reads", "approves"),
    [("dev", True, True), ("staging", True, False), ("prod", True, False), ("stranger", False, False)],
)
def test_versions_are_read_where_the_environment_says(
    organization: Organization, version: str, who: str, reads: bool, approves: bool
) -> None:
    sagemaker, group = (
        organization.client(who, "sagemaker"),
        version.rsplit("/", 1)[0].replace("package", "package-group"),
    )
    approve = {"ModelPackageArn": version, "ModelApprovalStatus": "Approved"}

    assert refused(sagemaker.describe_model_package, ModelPackageName=version) is not reads
    assert refused(sagemaker.describe_model_package_group, ModelPackageGroupName=group) is not reads
    assert refused(sagemaker.list_model_packages, ModelPackageGroupName=group) is not reads
    assert refused(sagemaker.update_model_package, **approve) is not approves
    assert refused(sagemaker.create_model_package, ModelPackageGroupName=group) is not approves


def test_nobody_reads_the_registry_of_prod_from_elsewhere(organization: Organization) -> None:
    prod = organization.names["prod"]
    group = f"arn:aws:sagemaker:{prod.region}:{prod.account}:model-package-group/{prod.model_package_group(MODEL)}"

    for who in ("dev", "staging", "tooling"):
        sagemaker = organization.client(who, "sagemaker")
        assert refused(sagemaker.list_model_packages, ModelPackageGroupName=group)


@pytest.mark.parametrize(
    ("who", "reads"), [("dev", True), ("staging", True), ("prod", True), ("tooling", False), ("stranger", False)]
)
@pytest.mark.usefixtures("version")
def test_artifacts_are_read_with_their_versions(organization: Organization, who: str, reads: bool) -> None:
    dev, s3 = organization.names["dev"], organization.client(who, "s3")
    artifact = {"Bucket": dev.runs_bucket, "Key": f"runs/{MODEL}/model.tar.gz"}

    assert refused(s3.get_object, **artifact) is not reads
    if who != "dev":
        assert refused(s3.put_object, **artifact, Body=b"another")
        assert refused(s3.delete_object, **artifact)
        assert refused(s3.get_object, Bucket=dev.data_bucket, Key="periods/x")
        assert refused(s3.get_object, Bucket=dev.runs_bucket, Key=f"temporary/{MODEL}/x")
        assert refused(s3.put_bucket_policy, Bucket=dev.runs_bucket, Policy="{}")


@pytest.mark.usefixtures("version")
def test_a_reader_without_the_key_reads_nothing(organization: Organization) -> None:
    """The bucket's policy alone is not enough: the key that its objects are encrypted with must let the reader in."""
    dev, kms = organization.names["dev"], organization.client("dev", "kms")
    artifact = {"Bucket": dev.runs_bucket, "Key": f"runs/{MODEL}/model.tar.gz"}
    key = kms.describe_key(KeyId=dev.key_alias)["KeyMetadata"]["Arn"]
    policy = kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"]
    document = json.loads(policy)
    staging = f"arn:aws:iam::{organization.account('staging')}:root"
    without = [s for s in document["Statement"] if staging not in json.dumps(s.get("Principal"))]

    assert len(without) < len(document["Statement"])
    try:
        changed = json.dumps({**document, "Statement": without})
        kms.put_key_policy(KeyId=key, PolicyName="default", Policy=changed)
        assert refused(organization.client("staging", "s3").get_object, **artifact)
    finally:
        kms.put_key_policy(KeyId=key, PolicyName="default", Policy=policy)
    assert not refused(organization.client("staging", "s3").get_object, **artifact)


def test_the_key_of_dev_opens_for_its_readers_and_does_nothing_else(organization: Organization) -> None:
    dev = organization.names["dev"]
    own = organization.client("dev", "kms")
    key = own.describe_key(KeyId=dev.key_alias)["KeyMetadata"]["Arn"]
    secret = own.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    staging, stranger = organization.client("staging", "kms"), organization.client("stranger", "kms")

    assert staging.decrypt(CiphertextBlob=secret)["Plaintext"] == b"secret"
    assert refused(staging.encrypt, KeyId=key, Plaintext=b"x")
    assert refused(staging.put_key_policy, KeyId=key, PolicyName="default", Policy="{}")
    assert refused(staging.schedule_key_deletion, KeyId=key)
    assert refused(stranger.decrypt, CiphertextBlob=secret)
    assert refused(stranger.decrypt, CiphertextBlob=secret, KeyId=key)


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
