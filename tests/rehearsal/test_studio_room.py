"""Studio's rooms in the embedded AWS: made, read back, changed, cleared, taken away; nothing is left of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from embedded import Client
from serving_modes import synthesize
from studio_world import STUDIO, studio_config

from operations.studio import clear
from rehearsal.embedded import EmbeddedAws

Json = dict[str, Any]

ROOMS = ("Governance", "Network", "Personas", "Studio")
APP = {"SpaceName": "bo", "AppType": "JupyterLab", "AppName": "default"}


class Rooms:
    """Those of an environment that Studio stands on, as their stage makes them, in an account of the test's own."""

    def __init__(self, client: Client, account: str, folder: Path) -> None:
        self.client, self.account, self.folder, self._count = client, account, folder, 0

    def deploy(self, *rooms: str, studio: Json = STUDIO) -> None:
        """Make these rooms, or change them to what the settings now say."""
        self._count += 1
        made = studio_config(studio, account=self.account).environment("dev")
        made = type(made).model_validate({**made.model_dump(), "disposable": False})
        templates = synthesize(self.folder / str(self._count), made)
        for room in rooms or ROOMS:
            body, name = templates[room], f"slipway-dev-{room}"
            body["Parameters"].pop("BootstrapVersion", None)
            body.pop("Rules", None)
            cloudformation = self.client("cloudformation")
            verb = cloudformation.update_stack if self.status(room) else cloudformation.create_stack
            verb(StackName=name, TemplateBody=json.dumps(body))
            assert self.status(room).endswith(("CREATE_COMPLETE", "UPDATE_COMPLETE")), self.failures(room)
            assert "ROLLBACK" not in self.status(room), self.failures(room)

    def delete(self, *rooms: str) -> None:
        for room in rooms:
            self.client("cloudformation").delete_stack(StackName=f"slipway-dev-{room}")

    def status(self, room: str) -> str:
        try:
            found = self.client("cloudformation").describe_stacks(StackName=f"slipway-dev-{room}")["Stacks"]
        except ClientError:
            return ""
        return str(found[0]["StackStatus"])

    def failures(self, room: str) -> list[str]:
        events = self.client("cloudformation").describe_stack_events(StackName=f"slipway-dev-{room}")["StackEvents"]
        return [e["ResourceStatusReason"] for e in events if e["ResourceStatus"].endswith("FAILED")]

    @property
    def domain(self) -> str:
        (domain,) = self.client("sagemaker").list_domains()["Domains"]
        return str(domain["DomainId"])


@pytest.fixture
def rooms(client: Client, account: str, tmp_path: Path) -> Rooms:
    made = Rooms(client, account, tmp_path)
    made.deploy()
    return made


def refused(call: Any, **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return str(caught.value.response["Error"]["Code"])


def standing(client: Client) -> list[str]:
    """Services whose endpoints stand; moto goes on telling of those that are deleted."""
    found = client("ec2").describe_vpc_endpoints()["VpcEndpoints"]
    return [endpoint["ServiceName"] for endpoint in found if endpoint["State"] != "deleted"]


def test_people_come_change_and_go_and_nothing_is_left(rooms: Rooms, client: Client) -> None:
    sagemaker, ec2 = client("sagemaker"), client("ec2")
    domain = sagemaker.describe_domain(DomainId=rooms.domain)
    within = {"DomainId": rooms.domain}

    assert (domain["AppNetworkAccessType"], domain["HomeEfsFileSystemCreation"]) == ("VpcOnly", "Disabled")
    assert domain["KmsKeyId"].split("/")[-1] in {key["KeyId"] for key in client("kms").list_keys()["Keys"]}
    roles = {
        name: sagemaker.describe_user_profile(**within, UserProfileName=name)["UserSettings"]["ExecutionRole"]
        for name in ("bo", "cy-example-com", "di")
    }
    whose = {}
    for arn in roles.values():
        role = client("iam").get_role(RoleName=arn.split("/")[-1])["Role"]
        assert role["Arn"] == arn
        whose[role["RoleName"]] = next(tag["Value"] for tag in role["Tags"] if tag["Key"] == "user")
    studio, approver = "slipway-dev-studio", "slipway-dev-approver"
    assert whose == {f"{studio}.bo": "bo", f"{studio}.cy@example.com": "cy@example.com", f"{approver}.di": "di"}
    profile = sagemaker.describe_user_profile(**within, UserProfileName="cy-example-com")["UserProfileArn"]
    tags = {tag["Key"]: tag["Value"] for tag in sagemaker.list_tags(ResourceArn=profile)["Tags"]}
    assert (tags["user"], tags["persona"], tags["environment"]) == ("cy@example.com", "ml_engineer", "dev")
    space = sagemaker.describe_space(**within, SpaceName="cy-example-com")
    assert space["OwnershipSettings"] == {"OwnerUserProfileName": "cy-example-com"}
    assert space["SpaceSettings"]["SpaceStorageSettings"]["EbsStorageSettings"]["EbsVolumeSizeInGb"] == 50

    alone = {**STUDIO, "users": [{"name": "bo", "persona": "data_scientist", "volume_gb": 30}], "idle_minutes": 90}
    rooms.deploy("Network", "Personas", "Studio", studio=alone)

    assert [p["UserProfileName"] for p in sagemaker.list_user_profiles()["UserProfiles"]] == ["bo"]
    assert [s["SpaceName"] for s in sagemaker.list_spaces()["Spaces"]] == ["bo"]
    changed = sagemaker.describe_domain(**within)["DefaultUserSettings"]["JupyterLabAppSettings"]
    assert changed["AppLifecycleManagement"]["IdleSettings"]["IdleTimeoutInMinutes"] == 90
    assert "com.amazonaws.eu-west-1.monitoring" not in standing(client)  # nobody is left who looks at endpoints
    assert "com.amazonaws.eu-west-1.lambda" in standing(client)
    with pytest.raises(ClientError, match=r"slipway-dev-approver\.di"):
        client("iam").get_role(RoleName="slipway-dev-approver.di")

    rooms.delete("Studio", "Personas", "Network")

    assert sagemaker.list_domains()["Domains"] == []
    assert sagemaker.list_user_profiles()["UserProfiles"] == []
    assert sagemaker.list_spaces()["Spaces"] == []
    assert standing(client) == []
    groups = {group["GroupName"] for group in ec2.describe_security_groups()["SecurityGroups"]}
    assert groups == {"default"}
    assert client("efs").describe_file_systems()["FileSystems"] == []


@pytest.mark.usefixtures("rooms")
def test_only_studio_reaches_the_endpoints(client: Client) -> None:
    ec2 = client("ec2")
    groups = {group["Description"]: group for group in ec2.describe_security_groups()["SecurityGroups"]}
    endpoints = groups["Interface endpoints, for tenants only"]
    (rule,) = endpoints["IpPermissions"]
    found = [e for e in ec2.describe_vpc_endpoints()["VpcEndpoints"] if e["VpcEndpointType"] == "Interface"]

    assert (rule["FromPort"], rule["ToPort"], rule["IpRanges"]) == (443, 443, [])
    assert [pair["GroupId"] for pair in rule["UserIdGroupPairs"]] == [groups["Studio"]["GroupId"]]
    assert groups["Studio"]["IpPermissions"] == []
    assert len(found) == 6
    for endpoint in found:
        assert [group["GroupId"] for group in endpoint["Groups"]] == [endpoints["GroupId"]]
        assert endpoint["PrivateDnsEnabled"] is True
        assert len(endpoint["SubnetIds"]) == 2


def test_what_runs_keeps_the_room_and_clearing_lets_it_go(rooms: Rooms, client: Client) -> None:
    sagemaker = client("sagemaker")
    within = {"DomainId": rooms.domain}
    sagemaker.create_app(**within, **APP)
    sagemaker.create_user_profile(**within, UserProfileName="by-hand")
    own = {"OwnerUserProfileName": "by-hand"}
    sagemaker.create_space(
        **within, SpaceName="desk", OwnershipSettings=own, SpaceSharingSettings={"SharingType": "Private"}
    )
    rooms.delete("Studio")
    assert rooms.status("Studio") == "DELETE_FAILED"
    assert any("default" in reason for reason in rooms.failures("Studio"))

    kept = ["bo", "cy-example-com", "di"]
    first = clear(sagemaker, "slipway-dev-studio", kept, every_seconds=0)
    again = clear(sagemaker, "slipway-dev-studio", kept, every_seconds=0)

    assert first == ["application JupyterLab of bo", "space desk", "user profile by-hand"]
    assert again == []
    assert sagemaker.describe_space(**within, SpaceName="bo")["Status"] == "InService"
    rooms.delete("Studio")
    assert sagemaker.list_domains()["Domains"] == []
    assert clear(sagemaker, "slipway-dev-studio", kept, every_seconds=0) == []


def test_the_service_keeps_its_order(rooms: Rooms, client: Client) -> None:
    """What stands in something must go first, and names are given once."""
    sagemaker = client("sagemaker")
    within = {"DomainId": rooms.domain}
    new = {"OwnershipSettings": {"OwnerUserProfileName": "nobody"}, "SpaceSharingSettings": {"SharingType": "Private"}}

    assert refused(sagemaker.delete_domain, **within) == "ResourceInUse"
    assert refused(sagemaker.delete_user_profile, **within, UserProfileName="bo") == "ResourceInUse"
    assert refused(sagemaker.create_user_profile, **within, UserProfileName="bo") == "ResourceInUse"
    assert refused(sagemaker.create_space, **within, SpaceName="desk", **new) == "ValidationException"
    assert refused(sagemaker.describe_space, **within, SpaceName="desk") == "ResourceNotFound"
    assert refused(sagemaker.create_presigned_domain_url, **within, UserProfileName="dee") == "ResourceNotFound"
    url = sagemaker.create_presigned_domain_url(**within, UserProfileName="bo")["AuthorizedUrl"]
    assert url.startswith(f"https://{rooms.domain}.studio.")
    sagemaker.create_app(**within, **APP)
    assert refused(sagemaker.create_app, **within, **APP) == "ResourceInUse"
    assert refused(sagemaker.delete_space, **within, SpaceName="bo") == "ResourceInUse"
    assert refused(
        sagemaker.update_domain, **within, DomainSettingsForUpdate={"ExecutionRoleIdentityConfig": "DISABLED"}
    ) == ("ValidationException")
    sagemaker.delete_app(**within, **APP)
    assert sagemaker.describe_app(**within, **APP)["Status"] == "Deleted"


def test_a_home_file_system_is_refused_since_none_is_made(client: Client) -> None:
    given = {
        "DomainName": "x",
        "AuthMode": "IAM",
        "DefaultUserSettings": {},
        "VpcId": "vpc-1",
        "SubnetIds": ["subnet-1"],
    }

    assert refused(client("sagemaker").create_domain, **given) == "ValidationException"


def test_domains_of_one_account_are_no_other_accounts(rooms: Rooms, aws: EmbeddedAws) -> None:
    other = aws.client("sagemaker", "299999999999", "eu-west-1")

    assert rooms.domain
    assert other.list_domains()["Domains"] == []
    assert refused(other.describe_domain, DomainId=rooms.domain) == "ResourceNotFound"
