"""What people may do in Studio: open what is their own, run applications in their own space, and see how it is made.

After AWS's policy for private spaces, without what makes spaces and profiles: those come from configuration.
https://docs.aws.amazon.com/sagemaker/latest/dg/studio-updated-jl-admin-guide-permissions.html

`sagemaker:DomainId` and `sagemaker:UserProfileName` stand in requests of Studio's own sessions only, so nothing that
speaks of them is had from outside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import aws_iam as iam

from stacks.condition_keys import WITHOUT_INSTANCE
from stacks.grants import NO_RESOURCES
from stacks.permissions import allow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stacks.grants import Ground
    from stacks.studio_settings import StudioSettings, StudioUser

HERE, ME = "${sagemaker:DomainId}", "${sagemaker:UserProfileName}"
DOMAINS_ID = "SageMaker gives a domain its id; the conditions limit whose it is."
OWN = "AWS fills in the session's own domain and profile; names of applications are given when they start."
ENTER = ["sagemaker:CreatePresignedDomainUrl"]
FINDS = ["sagemaker:GetSearchSuggestions", "sagemaker:ListModelPackageGroups", "sagemaker:Search"]
"""What the page of registered models asks beside versions and groups, after AWS's policy for it:
https://docs.aws.amazon.com/sagemaker/latest/dg/security-iam-awsmanpol-model-registry.html
"""

LISTS = ("ListApps", "ListDomains", "ListSpaces", "ListUserProfiles")
ENDED = ("DeleteApp", "DeleteSpace", "DeleteUserProfile")


def trust(user: StudioUser, account: str) -> Iterator[iam.PolicyStatement]:
    """Studio's only way into a person's role: from that person's profile, whose name is the source identity.

    https://docs.aws.amazon.com/sagemaker/latest/dg/monitor-user-access-how-to.html
    """
    ours = {"aws:SourceAccount": account}
    named = {**ours, "sts:SourceIdentity": user.profile}
    for action, equals in (("sts:AssumeRole", ours), ("sts:SetSourceIdentity", named)):
        yield iam.PolicyStatement(
            actions=[action],
            principals=[iam.ServicePrincipal("sagemaker.amazonaws.com")],
            conditions={"StringEquals": equals},
        )


def enter_studio(role: iam.Role, on: Ground, persona: str) -> None:
    """Enter one's own profile of this persona."""
    see_studio(role, on)
    profiles = on.arn("sagemaker", "user-profile/*")
    mine = {
        "sagemaker:ResourceTag/user": "${aws:PrincipalTag/user}",
        "sagemaker:ResourceTag/persona": persona,
        "sagemaker:ResourceTag/platform": on.names.platform,
        "sagemaker:ResourceTag/environment": on.names.environment,
    }
    allow(role, "EnterOnesOwn", ENTER, [profiles], because=DOMAINS_ID, conditions={"StringEquals": mine})


def work_in_studio(role: iam.Role, on: Ground, studio: StudioSettings) -> None:
    """Run applications in one's own space, and find what Studio's own pages show."""
    see_studio(role, on)
    allow(role, "FindModels", FINDS, ["*"], because=NO_RESOURCES)
    allow(role, "EnterFromWithin", ENTER, [on.arn("sagemaker", f"user-profile/{HERE}/{ME}")])
    _run_apps(role, on, studio)
    # Volumes are encrypted by whoever starts what uses them, through SageMaker and EC2 and in no other way.
    through = [f"{service}.{on.names.region}.amazonaws.com" for service in ("ec2", "sagemaker")]
    equals = {"StringEquals": {"kms:ViaService": through}}
    use = ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKeyWithoutPlaintext"]
    allow(role, "SpaceVolumes", use, [on.key_arn], conditions=equals)
    granted = {**equals, "Bool": {"kms:GrantIsForAWSResource": "true"}}
    allow(role, "SpaceVolumeGrants", ["kms:CreateGrant"], [on.key_arn], conditions=granted)


def see_studio(role: iam.Role, on: Ground) -> None:
    """Who has a profile, which spaces and applications there are; nothing of what is in them."""
    allow(role, "ListStudio", [f"sagemaker:{verb}" for verb in LISTS], ["*"], because=NO_RESOURCES)
    kinds = {"Domain": "domain", "UserProfile": "user-profile", "Space": "space", "App": "app"}
    things = [on.arn("sagemaker", f"{kind}/*") for kind in kinds.values()]
    allow(role, "DescribeStudio", [f"sagemaker:Describe{kind}" for kind in kinds], things, because=DOMAINS_ID)


def clear_studio(role: iam.Role, on: Ground) -> None:
    """End what people started, so that profiles and domain can go: `slipway studio clear`."""
    see_studio(role, on)
    things = [on.arn("sagemaker", f"{kind}/*") for kind in ("app", "space", "user-profile")]
    allow(role, "ClearStudio", [f"sagemaker:{verb}" for verb in ENDED], things, because=DOMAINS_ID)


def _run_apps(role: iam.Role, on: Ground, studio: StudioSettings) -> None:
    apps, spaces = on.arn("sagemaker", f"app/{HERE}/*"), on.arn("sagemaker", f"space/{HERE}/*")
    own = {
        "ArnLike": {"sagemaker:OwnerUserProfileArn": on.arn("sagemaker", f"user-profile/{HERE}/{ME}")},
        "StringEquals": {"sagemaker:SpaceSharingType": "Private"},
    }
    listed = {"ForAllValues:StringEquals": {"sagemaker:InstanceTypes": [*studio.instance_types, WITHOUT_INSTANCE]}}
    allow(role, "RunApps", ["sagemaker:CreateApp"], [apps], because=OWN, conditions={**own, **listed})
    allow(role, "EndApps", ["sagemaker:DeleteApp"], [apps], because=OWN, conditions=own)
    # A space that lets somebody's own machine in would be a way round the VPC.
    shut = {"StringNotEqualsIfExists": {"sagemaker:RemoteAccess": "ENABLED"}}
    change = {**own, **listed, **shut}
    allow(role, "ChangeOnesSpace", ["sagemaker:UpdateSpace"], [spaces], because=OWN, conditions=change)
    # Studio tags what it starts: https://docs.aws.amazon.com/sagemaker/latest/dg/security_iam_id-based-policy-examples.html
    starting = {"StringEquals": {"sagemaker:TaggingAction": "CreateApp"}}
    allow(role, "TagApps", ["sagemaker:AddTags"], [apps], because=OWN, conditions=starting)
