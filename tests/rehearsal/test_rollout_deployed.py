"""The roll-out, rehearsed: the real CDK CLI deploys it, accounts get baseline and bootstrap, an environment both."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from conftest import synthesize
from embedded import ACCOUNTS, REGION
from organization_world import World, organization, wait

import app
from rehearsal.cdk import Cdk
from rehearsal.embedded import EmbeddedAws
from stacks.baseline_names import BaselineNames
from stacks.config import ROOT, Config, load
from stacks.names import Names

NAMES = BaselineNames("slipway")
STACK_SETS = (NAMES.stack_set, NAMES.bootstrap_stack_set)
QUIET = ["--require-approval", "never", "--method", "direct", "--concurrency", "4"]
COMMAND = """
import sys
from pathlib import Path
from stacks import config
load, folder = config.load, Path(sys.argv.pop(1))
config.load = lambda: load(folder)
import cli
sys.argv[0] = "slipway"
cli.main()
"""
"""The command itself, with environment files of another folder."""


@dataclass(frozen=True)
class RolledOut:
    """An organization whose unit `unit` got the roll-out, and `dev`, an environment in an account of it."""

    world: World
    folder: Path
    config: Config
    unit: str
    dev: str

    def cdk(self, account: str, *arguments: str) -> None:
        environment = self.world.aws.environment(account, REGION)
        Cdk(ROOT, self.folder, environment, self.folder / f"{account}.log").run(*arguments)

    def slipway(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The command with credentials of the account that rolls out."""
        return subprocess.run(
            [sys.executable, "-c", COMMAND, str(self.folder / "environments"), *arguments],
            cwd=ROOT,
            env={**self.world.aws.environment(self.world.management, REGION), "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )

    def iam(self, account: str) -> Any:
        return self.world.client("iam", account)

    def stacks(self, account: str) -> dict[str, str]:
        found = self.world.client("cloudformation", account).describe_stacks()["Stacks"]
        return {each["StackName"]: each["StackStatus"] for each in found}


def written(folder: Path, management: str, unit: str, dev: str) -> Path:
    """The shipped environments, `dev` in another account and upon the baseline that is rolled out to the unit."""
    folder.mkdir()
    for file in (ROOT / "environments").glob("*.toml"):
        (folder / file.name).write_text(file.read_text())
    of_dev, of_all = folder / "dev.toml", folder / "platform.toml"
    text = re.sub(r"(?m)^account = .*", f'account = "{dev}"', of_dev.read_text(), count=1)
    of_dev.write_text(re.sub(r"(?m)^owner = .*", 'owner = "baseline"', text, count=1))
    section = f'management_account = "{management}"\norganizational_units = ["{unit}"]\nregions = ["{REGION}"]\n'
    of_all.write_text(f"{of_all.read_text()}\n[rollout]\n{section}")
    return folder


@pytest.fixture(scope="module")
def rolled_out(aws: EmbeddedAws, tmp_path_factory: pytest.TempPathFactory) -> RolledOut:
    """Baseline, then bootstrap, by one deployment; then an environment, which no one has bootstrapped by hand."""
    folder, management = tmp_path_factory.mktemp("rolled-out"), str(next(ACCOUNTS))
    world = organization(aws, management)
    unit = world.unit("ml")
    dev = world.account(unit)
    config = load(written(folder / "environments", management, unit, dev))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "load", lambda: config)
        assembly = synthesize(folder / "cdk.out", {"environment": "dev,rollout"})
    done = RolledOut(world, folder, config, unit, dev)
    before = done.slipway("rollout", "plan")
    (folder / "plan.txt").write_text(before.stdout + before.stderr)
    done.cdk(management, "bootstrap", f"aws://{management}/{REGION}")
    done.cdk(management, "deploy", "--app", str(assembly.folder), "slipway-rollout/*", *QUIET)
    done.cdk(dev, "deploy", "--app", str(assembly.folder), "slipway-dev/*", *QUIET)
    return done


def test_the_plan_says_beforehand_what_then_happens(rolled_out: RolledOut) -> None:
    lines = (rolled_out.folder / "plan.txt").read_text().splitlines()
    kinds, bootstrap, head, account = lines

    assert kinds == "slipway-baseline: AWS::IAM::ManagedPolicy 2, AWS::KMS::Alias, AWS::KMS::Key"
    assert bootstrap.startswith("slipway-bootstrap: AWS::ECR::Repository, AWS::IAM::ManagedPolicy,")
    assert head.split() == ["account", "name", "organizational", "unit", "region", *STACK_SETS]
    dev = rolled_out.dev
    assert account.split() == [dev, f"account-{dev}", "Root/ml", REGION, "create", "create"]


def test_both_are_in_the_account(rolled_out: RolledOut) -> None:
    for name in STACK_SETS:
        found = rolled_out.world.instances(name)
        assert {place: each["Status"] for place, each in found.items()} == {(rolled_out.dev, REGION): "CURRENT"}
    iam = rolled_out.iam(rolled_out.dev)
    roles = [role["RoleName"] for role in iam.list_roles()["Roles"] if role["RoleName"].startswith("cdk-")]
    assert len(roles) == 5
    for role in roles:
        boundary = iam.get_role(RoleName=role)["Role"]["PermissionsBoundary"]["PermissionsBoundaryArn"]
        assert boundary == f"arn:aws:iam::{rolled_out.dev}:policy/{NAMES.deployments}"


def test_an_environment_stands_upon_them(rolled_out: RolledOut) -> None:
    dev = rolled_out.dev
    names = Names.of(rolled_out.config.platform, rolled_out.config.environment("dev"))
    stacks = rolled_out.stacks(dev)
    assert "CDKToolkit" not in stacks
    assert len([name for name in stacks if name.startswith("slipway-dev-")]) >= 10
    assert set(stacks.values()) == {"CREATE_COMPLETE"}

    key = rolled_out.world.client("kms", dev).describe_key(KeyId=names.key_alias)["KeyMetadata"]["Arn"]
    encryption = rolled_out.world.client("s3", dev).get_bucket_encryption(Bucket=names.data_bucket)
    (rule,) = encryption["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"] == key
    made = [
        each["ResourceType"]
        for stack in stacks
        if stack.startswith("slipway-dev-")
        for each in rolled_out.world.client("cloudformation", dev).describe_stack_resources(StackName=stack)[
            "StackResources"
        ]
    ]
    assert "AWS::KMS::Key" not in made
    for role in rolled_out.iam(dev).list_roles()["Roles"]:
        if role["RoleName"].startswith("slipway-dev-"):
            found = rolled_out.iam(dev).get_role(RoleName=role["RoleName"])["Role"]
            assert found["PermissionsBoundary"]["PermissionsBoundaryArn"].endswith(f":policy/{names.boundary}")


def test_afterwards_nothing_is_left_to_do_or_to_find(rolled_out: RolledOut) -> None:
    plan, drift = rolled_out.slipway("rollout", "plan"), rolled_out.slipway("rollout", "drift", "--every", "0.1")

    assert plan.returncode == 0, plan.stderr
    row = next(line for line in plan.stdout.splitlines() if line.startswith(rolled_out.dev))
    assert row.split()[-2:] == ["unchanged", "unchanged"]
    assert (drift.returncode, drift.stdout, drift.stderr) == (0, "2 stacks are as the roll-out made them\n", "")


def test_who_weakens_the_boundary_is_found(rolled_out: RolledOut) -> None:
    iam, arn = rolled_out.iam(rolled_out.dev), f"arn:aws:iam::{rolled_out.dev}:policy/{NAMES.boundary}"
    wide = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    version = iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(wide), SetAsDefault=True)

    found = rolled_out.slipway("rollout", "drift", "--every", "0.1")

    iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
    iam.delete_policy_version(PolicyArn=arn, VersionId=version["PolicyVersion"]["VersionId"])
    assert found.returncode == 1
    first, *differences = found.stdout.splitlines()
    assert first == f"slipway-baseline in {rolled_out.dev} {REGION}: SUCCEEDED, DRIFTED"
    assert differences[0].startswith("  BoundaryEA298153 (AWS::IAM::ManagedPolicy) /PolicyDocument/Statement")


def test_an_account_that_joins_gets_both_by_itself_and_in_order(rolled_out: RolledOut) -> None:
    world = rolled_out.world
    late = world.account(rolled_out.unit)

    wait(lambda: world.status(NAMES.bootstrap_stack_set, late), lambda status: status in {"SUCCEEDED", "FAILED"})

    assert [world.status(name, late) for name in STACK_SETS] == ["SUCCEEDED", "SUCCEEDED"]
    operations = [
        world.client("cloudformation").list_stack_set_operations(StackSetName=name)["Summaries"][0]
        for name in STACK_SETS
    ]
    assert [each["Action"] for each in operations] == ["CREATE", "CREATE"]
    assert operations[0]["EndTimestamp"] <= operations[1]["EndTimestamp"]
    role = rolled_out.iam(late).get_role(RoleName=f"cdk-hnb659fds-cfn-exec-role-{late}-{REGION}")["Role"]
    assert role["PermissionsBoundary"]["PermissionsBoundaryArn"].endswith(NAMES.deployments)


def test_the_wrong_account_is_told_which_one_it_is(rolled_out: RolledOut) -> None:
    environment = rolled_out.world.aws.environment(rolled_out.dev, REGION)

    done = subprocess.run(
        [sys.executable, "-c", COMMAND, str(rolled_out.folder / "environments"), "rollout", "drift"],
        cwd=ROOT,
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    expected = f"slipway: your credentials are of account {rolled_out.dev}, the roll-out is administered from"
    assert done.stderr.startswith(f"{expected} {rolled_out.world.management}")


def test_without_the_section_the_verbs_say_so() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cli", "rollout", "plan"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "slipway: nothing is rolled out: environments/platform.toml has no [rollout]\n"
