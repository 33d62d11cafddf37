"""Service control policies: what nobody in the platform's accounts may do, administrators included.

Three documents, so that with FullAWSAccess a target has one left of the five it may carry. They deny only; what is
allowed stays with identity policies and boundaries.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stacks.condition_keys import (
    INSTANCE_ACTIONS,
    OUTPUT_ACTIONS,
    OVERRIDES,
    VOLUME_ACTIONS,
    VPC_ACTIONS,
    WITHOUT_INSTANCE,
)
from stacks.denials import Denial, document, unless
from stacks.identity_control import identities

if TYPE_CHECKING:
    from stacks.denials import Json, Perimeter


def service_control_policies(about: Perimeter) -> dict[str, Json]:
    """Every service control policy, by name."""
    return {name: document(denials) for name, denials in service_control_denials(about).items()}


def service_control_denials(about: Perimeter) -> dict[str, list[Denial]]:
    """The same with their reasons."""
    return {
        "workloads": [*_network(about), *_keys(), *_instances(about)],
        "versions": [*_registry(about), *_builds(about)],
        "accounts": [
            *_registries(about),
            *identities(about),
            *_logs(about),
            *_organization(about),
        ],
    }


def _network(about: Perimeter) -> list[Denial]:
    nowhere = {"Null": {"sagemaker:VpcSubnets": "true"}}
    models = {**nowhere, **unless(*about.outside_vpc)} if about.outside_vpc else nowhere
    return [
        Denial(
            "JobsOnlyInTheVpc",
            "Outside the VPC a job reaches the internet, and flow logs see nothing of it.",
            VPC_ACTIONS,
            nowhere,
        ),
        Denial(
            "ModelsOnlyInTheVpc",
            "The same of endpoints; only environments that gave a reason (vpc_exempt) may serve outside.",
            ["sagemaker:CreateModel"],
            models,
        ),
        Denial(
            "StudioOnlyInTheVpc",
            "A domain is public unless it says otherwise, so saying nothing is denied too.",
            ["sagemaker:CreateDomain"],
            {"StringNotEquals": {"sagemaker:AppNetworkAccessType": "VpcOnly"}},
        ),
        Denial(
            "StudioStaysInTheVpc",
            "An update that does not speak of the network leaves it as it is.",
            ["sagemaker:UpdateDomain"],
            {"StringEquals": {"sagemaker:AppNetworkAccessType": "PublicInternetOnly"}},
        ),
        Denial(
            "NotebooksOnlyInTheVpc",
            "A notebook instance has the internet unless it says otherwise.",
            ["sagemaker:CreateNotebookInstance"],
            {"StringNotEquals": {"sagemaker:DirectInternetAccess": "Disabled"}},
        ),
    ]


def _keys() -> list[Denial]:
    """Only these two keys: VolumeKmsKey and OutputKmsKey, their forerunners, are on no action and match nothing."""
    return [
        Denial(
            "VolumesOnlyWithAKey",
            "Without a key of ours nobody can take a volume's data back, and CloudTrail sees no use of it.",
            VOLUME_ACTIONS,
            {"Null": {"sagemaker:VolumeKmsKeyArn": "true"}},
        ),
        Denial(
            "OutputsOnlyWithAKey",
            "The same of what a job leaves in S3.",
            OUTPUT_ACTIONS,
            {"Null": {"sagemaker:OutputKmsKeyArn": "true"}},
        ),
    ]


def _instances(about: Perimeter) -> list[Denial]:
    if not about.instance_types:
        return []
    allowed = [*about.instance_types, WITHOUT_INSTANCE]
    return [
        Denial(
            "OnlyInstancesOfTheList",
            "One mistyped instance type can cost a month's budget in a day; requests without instances pass.",
            INSTANCE_ACTIONS,
            {"ForAnyValue:StringNotEquals": {"sagemaker:InstanceTypes": allowed}},
        )
    ]


def _registry(about: Perimeter) -> list[Denial]:
    versions, groups = about.arn("sagemaker", "model-package"), about.arn("sagemaker", "model-package-group")
    create, update = ["sagemaker:CreateModelPackage"], ["sagemaker:UpdateModelPackage"]
    approver = unless(about.role("approver"), about.role("approver.*"))
    taken = {"StringEquals": {"sagemaker:ModelApprovalStatus": ["Approved", "Rejected"]}}
    copies = unless(*about.copiers) if about.copiers else {}
    decided = {"StringEquals": {"sagemaker:ModelLifeCycle:StageStatus": ["Approved", "Rejected", "Archived"]}}
    return [
        Denial(
            "NobodyRegistersApproved",
            "An approval releases; a version that is registered with one was looked at by nobody, unless it is a copy.",
            create,
            {**taken, **copies},
            [versions, groups],
        ),
        Denial(
            "NobodyRegistersDecided",
            "The same of the stage's status.",
            create,
            {**decided, **copies},
            [versions, groups],
        ),
        Denial(
            "OnlyApproversSetApproval",
            "Whoever asks says nothing of approval; back to pending is a decision too.",
            update,
            {"Null": {"sagemaker:ModelApprovalStatus": "false"}, **approver},
            [versions],
        ),
        Denial(
            "OnlyApproversDecideStages",
            "Everybody else may ask for a stage, and no more.",
            update,
            {**decided, **approver},
            [versions],
        ),
    ]


def _builds(about: Perimeter) -> list[Denial]:
    """One statement a key, since keys of one condition must all hold; CodePipeline hands over source and variables."""
    return [
        Denial(
            f"BuildsKeepTheir{what}",
            "Whoever starts a build with another one runs their own commands with the build's role.",
            ["codebuild:StartBuild*"],  # a batch of builds too
            {"Null": {f"codebuild:{key}": "false"}, **unless(about.role("release-pipeline"))},
            [about.arn("codebuild", "project")],
        )
        for what, key in OVERRIDES.items()
    ]


def _registries(about: Perimeter) -> list[Denial]:
    versions, groups = about.arn("sagemaker", "model-package"), about.arn("sagemaker", "model-package-group")
    return [
        Denial(
            "OnlyDeploymentsOpenRegistries",
            "Resource control policies do not know SageMaker, so who may read a registry is decided by code alone.",
            ["sagemaker:DeleteModelPackageGroupPolicy", "sagemaker:PutModelPackageGroupPolicy"],
            unless(*about.deployers),
            [groups],
        ),
        Denial(
            "OnlyDeploymentsDeleteVersions",
            "What was released once must stay to be gone back to, and to be looked into.",
            ["sagemaker:DeleteModelPackage", "sagemaker:DeleteModelPackageGroup"],
            unless(*about.deployers),
            [versions, groups],
        ),
    ]


def _logs(about: Perimeter) -> list[Denial]:
    organization = unless(*about.exempt_roles) if about.exempt_roles else {}
    return [
        Denial(
            "NobodyDisablesTrails",
            "What happened must be known afterwards, whoever did it; the organization's own roles excepted.",
            [
                "cloudtrail:DeleteTrail",
                "cloudtrail:PutEventSelectors",
                "cloudtrail:StopLogging",
                "cloudtrail:UpdateTrail",
                "config:DeleteConfigurationRecorder",
                "config:DeleteDeliveryChannel",
                "config:StopConfigurationRecorder",
                "guardduty:DeleteDetector",
                "guardduty:DeletePublishingDestination",
                "guardduty:DisassociateFromAdministratorAccount",
                "guardduty:DisassociateFromMasterAccount",
                "guardduty:StopMonitoringMembers",
                "guardduty:UpdateDetector",
                "securityhub:DeleteMembers",
                "securityhub:DisableSecurityHub",
            ],
            organization,
        ),
        Denial(
            "OnlyDeploymentsRemoveLogs",
            "Flow logs and log groups go with the stack that made them, and with nobody's click.",
            ["ec2:DeleteFlowLogs", "logs:DeleteLogGroup", "logs:DeleteLogStream", "logs:DeleteRetentionPolicy"],
            unless(*about.deployers),
        ),
    ]


def _organization(about: Perimeter) -> list[Denial]:
    return [
        Denial(
            "NobodyLeavesTheOrganization",
            "An account that leaves takes none of these policies along.",
            ["organizations:LeaveOrganization"],
        ),
        Denial(
            "ForbiddenServices",
            "They run code or keep data past the VPC and the keys, and no room uses them.",
            [f"{service}:*" for service in about.forbidden_services],
        ),
    ]
