"""Requests that the organization's policies refuse, statement by statement, and their twins that pass."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

SUBNETS = {"sagemaker:VpcSubnets": ["subnet-0a1b2c3d"], "sagemaker:VpcSecurityGroupIds": ["sg-0a1b2c3d"]}
KEY = "arn:aws:kms:eu-west-1:111111111111:key/0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
VOLUME, OUTPUT = {"sagemaker:VolumeKmsKeyArn": KEY}, {"sagemaker:OutputKmsKeyArn": KEY}
LISTED, OTHER = {"sagemaker:InstanceTypes": ["ml.m5.xlarge"]}, {"sagemaker:InstanceTypes": ["ml.p5.48xlarge"]}
BOTH = {"sagemaker:InstanceTypes": ["ml.m5.xlarge", "ml.p5.48xlarge"]}
STUDIO = {**SUBNETS, **VOLUME, "sagemaker:InstanceTypes": ["system"]}
JOB = {**SUBNETS, **VOLUME, **OUTPUT, **LISTED}
BOUNDARY = {"iam:PermissionsBoundary": "arn:aws:iam::111111111111:policy/slipway-dev-boundary"}
WIDER = {"iam:PermissionsBoundary": "arn:aws:iam::111111111111:policy/mine"}
IN, OUT = {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}, {"aws:PrincipalOrgID": "o-zzzzzzzzzz"}

AT = "arn:aws:{}:eu-west-1:111111111111:{}"
VERSION, GROUP = AT.format("sagemaker", "model-package/slipway-dev-x/1"), "model-package-group/slipway-dev-x"
DEPLOYER = "cdk-hnb659fds-cfn-exec-role-111111111111-eu-west-1"
STACK_SETS = "stacksets-exec-0a1b2c3d"
BASELINE = AT.format("cloudformation", "stack/StackSet-slipway-baseline-0f1e2d3c/1")
POLICY_WRITES = (
    "CreatePolicy",
    "CreatePolicyVersion",
    "DeletePolicy",
    "DeletePolicyVersion",
    "SetDefaultPolicyVersion",
)
APPROVER, SCIENTIST, PIPELINE = "slipway-dev-approver", "slipway-dev-data-scientist", "slipway-dev-release-pipeline"
OPEN = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}],
}


@dataclass(frozen=True)
class Request:
    """Who asks what; an administrator, unless it says otherwise."""

    sid: str
    action: str
    resource: str = "*"
    context: Json = field(default_factory=dict)
    who: str = "administrator"
    principal: str | None = None
    resource_policy: Json | None = None

    def __str__(self) -> str:
        keys = "-".join(key.split(":", 1)[1].replace("/", ".") for key in self.context)
        thing = self.resource.rsplit(":", 1)[-1]
        return f"{self.sid}-{self.action.split(':')[1]}-{thing}-{self.principal or self.who}-{keys}"


def job(kind: str) -> str:
    return AT.format("sagemaker", f"{kind}/x")


def role(name: str) -> str:
    return f"arn:aws:iam::111111111111:role/{name}"


def policy(name: str) -> str:
    return f"arn:aws:iam::111111111111:policy/{name}"


def without(context: Json, *dropped: Json) -> Json:
    return {key: value for key, value in context.items() if not any(key in one for one in dropped)}


NOTEBOOK = without(JOB, OUTPUT)
BUILD = AT.format("codebuild", "project/slipway-dev-release")
CHANGES = {
    "Source": {"codebuild:source.location": "mine"},
    "BuildSpec": {"codebuild:source.buildspec": "true"},
    "SecondSource": {"codebuild:secondarySources": "true"},
    "Image": {"codebuild:environment.image": "mine"},
    "Variables": {"codebuild:environment.environmentVariables": "true"},
    "Privileges": {"codebuild:environment.privilegedMode": "true"},
    "Role": {"codebuild:serviceRole": role("mine")},
    "Output": {"codebuild:artifacts.location": "mine"},
    "Key": {"codebuild:encryptionKey": KEY},
    "Logs": {"codebuild:logsConfig": "true"},
}
DATA = "arn:aws:s3:::slipway-dev-data-111111111111-eu-west-1/periods/x"
SERVICE = "cloudtrail.amazonaws.com"
SENT, SENT_BY_OTHERS = (
    {"aws:PrincipalIsAWSService": "true", "aws:SourceAccount": account, "aws:SourceOrgID": organization}
    for account, organization in (("111111111111", "o-a1b2c3d4e5"), ("999999999999", "o-zzzzzzzzzz"))
)

REFUSED = (
    Request("JobsOnlyInTheVpc", "sagemaker:CreateTrainingJob", job("training-job"), without(JOB, SUBNETS)),
    Request("JobsOnlyInTheVpc", "sagemaker:CreateProcessingJob", job("processing-job"), without(JOB, SUBNETS)),
    Request(
        "JobsOnlyInTheVpc",
        "sagemaker:CreateTrainingJob",
        job("training-job"),
        without(JOB, SUBNETS),
        who="slipway-dev-flight-delay-train",
    ),
    Request("ModelsOnlyInTheVpc", "sagemaker:CreateModel", job("model")),
    Request("ModelsOnlyInTheVpc", "sagemaker:CreateModel", job("model"), who=DEPLOYER),
    Request("StudioOnlyInTheVpc", "sagemaker:CreateDomain", job("domain"), STUDIO),
    Request(
        "StudioOnlyInTheVpc",
        "sagemaker:CreateDomain",
        job("domain"),
        {**STUDIO, "sagemaker:AppNetworkAccessType": "PublicInternetOnly"},
    ),
    Request(
        "StudioStaysInTheVpc",
        "sagemaker:UpdateDomain",
        job("domain"),
        {"sagemaker:AppNetworkAccessType": "PublicInternetOnly"},
    ),
    Request("NotebooksOnlyInTheVpc", "sagemaker:CreateNotebookInstance", job("notebook-instance"), NOTEBOOK),
    Request("VolumesOnlyWithAKey", "sagemaker:CreateTrainingJob", job("training-job"), without(JOB, VOLUME)),
    Request("VolumesOnlyWithAKey", "sagemaker:CreateEndpointConfig", job("endpoint-config"), LISTED),
    Request("VolumesOnlyWithAKey", "sagemaker:CreateTransformJob", job("transform-job"), {**OUTPUT, **LISTED}),
    Request("OutputsOnlyWithAKey", "sagemaker:CreateProcessingJob", job("processing-job"), without(JOB, OUTPUT)),
    Request("OutputsOnlyWithAKey", "sagemaker:CreateTransformJob", job("transform-job"), {**VOLUME, **LISTED}),
    Request("OnlyInstancesOfTheList", "sagemaker:CreateTrainingJob", job("training-job"), {**JOB, **OTHER}),
    Request("OnlyInstancesOfTheList", "sagemaker:CreateEndpointConfig", job("endpoint-config"), {**VOLUME, **BOTH}),
    Request("OnlyInstancesOfTheList", "sagemaker:CreateApp", AT.format("sagemaker", "app/d/u/JupyterLab/x"), OTHER),
    Request(
        "NobodyRegistersApproved",
        "sagemaker:CreateModelPackage",
        VERSION,
        {"sagemaker:ModelApprovalStatus": "Approved"},
    ),
    Request(
        "NobodyRegistersApproved",
        "sagemaker:CreateModelPackage",
        VERSION,
        {"sagemaker:ModelApprovalStatus": "Approved"},
        who=APPROVER,
    ),
    Request(
        "NobodyRegistersDecided",
        "sagemaker:CreateModelPackage",
        VERSION,
        {"sagemaker:ModelLifeCycle:StageStatus": "Approved"},
    ),
    *(
        Request(
            "OnlyApproversSetApproval",
            "sagemaker:UpdateModelPackage",
            VERSION,
            {"sagemaker:ModelApprovalStatus": status},
            who=who,
        )
        for who in ("administrator", SCIENTIST, DEPLOYER, "slipway-dev-studio.bo")
        for status in ("Approved", "Rejected", "PendingManualApproval")
    ),
    *(
        Request(
            "OnlyApproversDecideStages",
            "sagemaker:UpdateModelPackage",
            VERSION,
            {"sagemaker:ModelLifeCycle:Stage": "Production", "sagemaker:ModelLifeCycle:StageStatus": status},
            who=SCIENTIST,
        )
        for status in ("Approved", "Rejected", "Archived")
    ),
    *(
        Request(f"BuildsKeepTheir{what}", "codebuild:StartBuild", BUILD, change, who=who)
        for what, change in CHANGES.items()
        for who in ("administrator", SCIENTIST)
    ),
    Request("BuildsKeepTheirBuildSpec", "codebuild:StartBuildBatch", BUILD, CHANGES["BuildSpec"]),
    Request(
        "OnlyDeploymentsOpenRegistries",
        "sagemaker:PutModelPackageGroupPolicy",
        AT.format("sagemaker", GROUP),
    ),
    Request("OnlyDeploymentsDeleteVersions", "sagemaker:DeleteModelPackage", VERSION),
    Request("OnlyDeploymentsDeleteVersions", "sagemaker:DeleteModelPackageGroup", AT.format("sagemaker", GROUP)),
    Request("OurRolesOnlyWithTheBoundary", "iam:CreateRole", role("slipway-dev-mine")),
    Request("OurRolesOnlyWithTheBoundary", "iam:CreateRole", role("slipway-dev-mine"), WIDER),
    Request("OurRolesOnlyWithTheBoundary", "iam:PutRolePermissionsBoundary", role("slipway-dev-releaser"), WIDER),
    Request("DeploymentsOnlyWithTheBoundary", "iam:CreateRole", role("mine"), who=DEPLOYER),
    Request("DeploymentsOnlyWithTheBoundary", "iam:CreateRole", role("mine"), WIDER, who="slipway-dev-releaser"),
    Request("DeploymentsOnlyWithTheBoundary", "iam:CreateUser", "arn:aws:iam::111111111111:user/mine", who=DEPLOYER),
    Request("NobodyTakesTheBoundaryAway", "iam:DeleteRolePermissionsBoundary", role("slipway-dev-releaser")),
    Request(
        "NobodyTakesTheBoundaryAway", "iam:DeleteRolePermissionsBoundary", role("slipway-dev-releaser"), who=DEPLOYER
    ),
    *(
        Request(
            "OnlyDeploymentsChangeTheBoundary",
            f"iam:{verb}",
            policy("slipway-dev-boundary"),
        )
        for verb in POLICY_WRITES
    ),
    Request("OnlyDeploymentsChangeTheBoundary", "iam:CreatePolicy", policy("slipway-dev-my-own-boundary")),
    *(
        Request("OnlyTheRolloutChangesTheBaseline", f"iam:{verb}", policy(f"slipway-baseline-{name}"), who=who)
        for who in ("administrator", DEPLOYER, "slipway-dev-platform-admin")
        for name in ("boundary", "deployments")
        for verb in POLICY_WRITES
    ),
    *(
        Request("NobodyPosesAsTheRollout", f"iam:{verb}", role(STACK_SETS), who=who)
        for who in ("administrator", DEPLOYER, STACK_SETS)
        for verb in ("AttachRolePolicy", "CreateRole", "PutRolePolicy", "UpdateAssumeRolePolicy")
    ),
    *(
        Request("OnlyTheRolloutChangesItsStacks", f"cloudformation:{verb}", BASELINE, who=who)
        for who in ("administrator", DEPLOYER)
        for verb in ("DeleteStack", "ExecuteChangeSet", "UpdateStack")
    ),
    *(
        Request("OnlyDeploymentsChangeRoles", f"iam:{verb}", role("slipway-dev-releaser"), who=who)
        for verb in ("AttachRolePolicy", "PutRolePolicy", "TagRole", "UntagRole", "UpdateAssumeRolePolicy")
        for who in ("administrator", "slipway-dev-platform-admin")
    ),
    *(
        Request("NobodyDisablesTrails", action, resource, who=who)
        for who in ("administrator", DEPLOYER)
        for action, resource in (
            ("cloudtrail:StopLogging", AT.format("cloudtrail", "trail/x")),
            ("config:StopConfigurationRecorder", "*"),
            ("guardduty:DeleteDetector", AT.format("guardduty", "detector/x")),
            ("securityhub:DisableSecurityHub", AT.format("securityhub", "hub/default")),
        )
    ),
    Request("OnlyDeploymentsRemoveLogs", "ec2:DeleteFlowLogs", AT.format("ec2", "vpc-flow-log/fl-1")),
    Request("OnlyDeploymentsRemoveLogs", "logs:DeleteLogGroup", AT.format("logs", "log-group:/aws/sagemaker/x")),
    Request("NobodyLeavesTheOrganization", "organizations:LeaveOrganization"),
    Request("NobodyLeavesTheOrganization", "organizations:LeaveOrganization", who=STACK_SETS),
    Request("ForbiddenServices", "lightsail:CreateInstances"),
    Request("ForbiddenServices", "cloud9:CreateEnvironmentEC2", who=DEPLOYER),
    *(
        Request("OnlyPrincipalsOfTheOrganization", action, resource, context, resource_policy=OPEN)
        for context in (OUT, {})
        for action, resource in (
            ("s3:GetObject", DATA),
            ("kms:Decrypt", KEY),
            ("sqs:ReceiveMessage", AT.format("sqs", "x")),
            ("ecr:BatchGetImage", AT.format("ecr", "repository/x")),
            ("dynamodb:GetItem", AT.format("dynamodb", "table/x")),
            ("secretsmanager:GetSecretValue", AT.format("secretsmanager", "secret:x")),
            ("sts:AssumeRole", role("slipway-dev-releaser")),
        )
    ),
    Request(
        "ServicesOnlyForTheOrganization",
        "s3:PutObject",
        DATA,
        SENT_BY_OTHERS,
        principal=SERVICE,
        resource_policy=OPEN,
    ),
)
"""Each is allowed by everything else, and refused by the one statement."""

LETS_PASS = (
    Request("JobsOnlyInTheVpc", "sagemaker:CreateTrainingJob", job("training-job"), JOB),
    Request("JobsOnlyInTheVpc", "sagemaker:CreateTransformJob", job("transform-job"), {**VOLUME, **OUTPUT, **LISTED}),
    Request("ModelsOnlyInTheVpc", "sagemaker:CreateModel", job("model"), SUBNETS),
    Request(
        "StudioOnlyInTheVpc",
        "sagemaker:CreateDomain",
        job("domain"),
        {**STUDIO, "sagemaker:AppNetworkAccessType": "VpcOnly"},
    ),
    Request("StudioStaysInTheVpc", "sagemaker:UpdateDomain", job("domain")),
    Request(
        "NotebooksOnlyInTheVpc",
        "sagemaker:CreateNotebookInstance",
        job("notebook-instance"),
        {**NOTEBOOK, "sagemaker:DirectInternetAccess": "Disabled"},
    ),
    Request("VolumesOnlyWithAKey", "sagemaker:CreateEndpointConfig", job("endpoint-config"), {**VOLUME, **LISTED}),
    Request("OnlyInstancesOfTheList", "sagemaker:CreateEndpointConfig", job("endpoint-config"), VOLUME),
    Request(
        "NobodyRegistersApproved",
        "sagemaker:CreateModelPackage",
        VERSION,
        {"sagemaker:ModelApprovalStatus": "PendingManualApproval", "sagemaker:ModelLifeCycle:StageStatus": "Passed"},
    ),
    *(
        Request(
            "OnlyApproversSetApproval",
            "sagemaker:UpdateModelPackage",
            VERSION,
            {"sagemaker:ModelApprovalStatus": "Approved", "sagemaker:ModelLifeCycle:StageStatus": "Approved"},
            who=who,
        )
        for who in (APPROVER, f"{APPROVER}.di")
    ),
    Request(
        "OnlyApproversDecideStages",
        "sagemaker:UpdateModelPackage",
        VERSION,
        {"sagemaker:ModelLifeCycle:Stage": "Staging", "sagemaker:ModelLifeCycle:StageStatus": "PendingApproval"},
        who=SCIENTIST,
    ),
    Request("BuildsKeepTheirBuildSpec", "codebuild:StartBuild", BUILD, who=SCIENTIST),
    *(
        Request(f"BuildsKeepTheir{what}", "codebuild:StartBuild", BUILD, CHANGES[what], who=PIPELINE)
        for what in ("Source", "Variables", "Output")
    ),
    Request(
        "BuildsKeepTheirBuildSpec",
        "codebuild:StartBuild",
        AT.format("codebuild", "project/another-teams"),
        CHANGES["BuildSpec"],
    ),
    Request(
        "OnlyDeploymentsOpenRegistries",
        "sagemaker:PutModelPackageGroupPolicy",
        AT.format("sagemaker", GROUP),
        who=DEPLOYER,
    ),
    Request("OnlyDeploymentsDeleteVersions", "sagemaker:DeleteModelPackage", VERSION, who=DEPLOYER),
    Request("OurRolesOnlyWithTheBoundary", "iam:CreateRole", role("slipway-dev-x"), BOUNDARY, who=DEPLOYER),
    Request("OurRolesOnlyWithTheBoundary", "iam:CreateRole", role("of-another-team")),
    Request(
        "DeploymentsOnlyWithTheBoundary",
        "iam:CreateRole",
        role("cdk-hnb659fds-deploy-role-111111111111-eu-west-1"),
        who=STACK_SETS,
    ),
    Request(
        "OnlyDeploymentsChangeTheBoundary",
        "iam:CreatePolicyVersion",
        policy("slipway-dev-boundary"),
        who=DEPLOYER,
    ),
    *(
        Request("OnlyTheRolloutChangesTheBaseline", f"iam:{verb}", policy(f"slipway-baseline-{name}"), who=STACK_SETS)
        for name in ("boundary", "deployments")
        for verb in POLICY_WRITES
    ),
    Request("OnlyTheRolloutChangesTheBaseline", "iam:GetPolicyVersion", policy("slipway-baseline-deployments")),
    Request("NobodyPosesAsTheRollout", "iam:CreateRole", role("of-another-team")),
    Request("OnlyTheRolloutChangesItsStacks", "cloudformation:UpdateStack", BASELINE, who=STACK_SETS),
    Request("OnlyTheRolloutChangesItsStacks", "cloudformation:DescribeStacks", BASELINE),
    Request(
        "OnlyTheRolloutChangesItsStacks",
        "cloudformation:UpdateStack",
        AT.format("cloudformation", "stack/slipway-dev-Data/1"),
        who=DEPLOYER,
    ),
    Request("OnlyDeploymentsChangeRoles", "iam:PutRolePolicy", role("slipway-dev-releaser"), who=DEPLOYER),
    Request("OnlyDeploymentsRemoveLogs", "ec2:DeleteFlowLogs", AT.format("ec2", "vpc-flow-log/fl-1"), who=DEPLOYER),
    Request("NobodyDisablesTrails", "cloudtrail:LookupEvents"),
    Request("OnlyPrincipalsOfTheOrganization", "s3:GetObject", DATA, IN, resource_policy=OPEN),
    Request(
        "OnlyPrincipalsOfTheOrganization",
        "s3:PutObject",
        DATA,
        SENT,
        principal=SERVICE,
        resource_policy=OPEN,
    ),
    Request(
        "ServicesOnlyForTheOrganization",
        "s3:PutObject",
        DATA,
        {"aws:PrincipalIsAWSService": "true"},
        principal=SERVICE,
        resource_policy=OPEN,
    ),
)
"""Each passes the statement that it is named after, and all the others."""
