"""A job on GitHub as AWS sees it: a token, a role, and the CDK CLI with an assembly that was made elsewhere."""

import json
import shutil
import tarfile
from pathlib import Path

import pytest
from conftest import synthesize
from github_world import ACCOUNT, github_config

from rehearsal.cdk import Cdk
from rehearsal.embedded import EmbeddedAws
from stacks.config import ROOT

REGION, STAGING = "eu-west-1", "222222222222"
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"


def moved(folder: Path) -> Path:
    """The assembly packed where it was made, and unpacked in another checkout."""
    made, packed, fetched = folder / "made", folder / "assembly.tar", folder / "fetched"
    synthesize(made / "cdk.out", config=github_config())
    with tarfile.open(packed, "w") as archive:
        archive.add(made / "cdk.out", "cdk.out")
    shutil.rmtree(made)
    with tarfile.open(packed) as archive:
        archive.extractall(fetched, filter="data")
    return fetched


@pytest.mark.long
def test_a_job_deploys_the_assembly_into_an_account_that_trusts_the_delivery(tmp_path: Path) -> None:
    checkout = moved(tmp_path)
    with EmbeddedAws(tmp_path / "state", ROOT / ".venv-job/bin/python") as aws:
        ours, theirs = aws.environment(ACCOUNT, REGION), aws.environment(STAGING, REGION)

        def cdk(environment: dict[str, str], *arguments: str) -> None:
            Cdk(ROOT, checkout, environment, tmp_path / "cdk.log").run(*arguments)

        cdk(ours, "bootstrap", f"aws://{ACCOUNT}/{REGION}")
        trusting = ("--trust", ACCOUNT, "--trust-for-lookup", ACCOUNT, "--cloudformation-execution-policies")
        cdk(theirs, "bootstrap", *trusting, ADMINISTRATOR, f"aws://{STAGING}/{REGION}")
        cdk(ours, "deploy", "--app", "cdk.out", "slipway-GitHub", "--require-approval", "never")
        told = aws.client("cloudformation", ACCOUNT, REGION).describe_stacks(StackName="slipway-GitHub")["Stacks"][0]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in told["Outputs"]}
        keys = aws.client("sts", ACCOUNT, REGION).assume_role_with_web_identity(
            RoleArn=outputs["RoleOfStaging"], RoleSessionName="deliver-1-1", WebIdentityToken="token-of-a-job"
        )["Credentials"]
        job = {
            **ours,
            "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
            "AWS_SESSION_TOKEN": keys["SessionToken"],
        }
        cdk(job, "deploy", "--app", "cdk.out", "slipway-staging/*", "--require-approval", "never")

        stacks = aws.client("cloudformation", STAGING, REGION).describe_stacks()["Stacks"]
        stood = {stack["StackName"]: stack["StackStatus"] for stack in stacks if stack["StackName"] != "CDKToolkit"}
        manifest = json.loads((checkout / "cdk.out/assembly-slipway-staging/manifest.json").read_text())
        kinds = [each["type"] for each in manifest["artifacts"].values()]
        assert set(stood.values()) == {"CREATE_COMPLETE"}
        assert len(stood) == kinds.count("aws:cloudformation:stack")
