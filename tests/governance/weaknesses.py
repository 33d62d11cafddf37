"""Mistakes that a change to the platform could make, each as the change itself: of templates, guardrails, settings."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
Change = Callable[[dict[str, Json]], None]

OTHER = "arn:aws:iam::999999999999:root"
ALL_ROLES = "arn:aws:iam::111111111111:role/*"
VERSIONS = "arn:aws:sagemaker:eu-west-1:111111111111:model-package/slipway-dev-flight-delay/*"
DESIRED = "arn:aws:ssm:eu-west-1:111111111111:parameter/slipway/dev/flight_delay/version"
CODE = "arn:aws:ssm:eu-west-1:111111111111:parameter/slipway/dev/flight_delay/source"
JOURNAL = "arn:aws:dynamodb:eu-west-1:111111111111:table/slipway-dev-releases"
RELEASER = "arn:aws:iam::111111111111:role/slipway-dev-releaser"
MINE = "arn:aws:iam::111111111111:policy/mine"
WILD = "arn:aws:sagemaker:eu-west-1:111111111111:end*/x"
PERIODS = "arn:aws:s3:::slipway-dev-data-111111111111-eu-west-1/*"
SAML = "arn:aws:iam::111111111111:saml-provider/Corporate"
TO_SAGEMAKER = {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}


@dataclass(frozen=True)
class Weakness:
    """A mistake by its name, and one of: a change of the templates, a denial that is not made, a setting."""

    name: str
    change: Change | None = None
    denial: str | None = None
    setting: tuple[str, str, str] | None = None


def found(templates: dict[str, Json], stack: str, kind: str, begins: str = "") -> Json:
    """The one resource of this kind in a stack whose logical id begins so."""
    (one,) = (
        resource
        for name, resource in templates[f"slipway-{stack}"]["Resources"].items()
        if resource["Type"] == f"AWS::{kind}" and name.startswith(begins)
    )
    properties: Json = one["Properties"]
    return properties


def allows(stack: str, role: str, actions: str | list[str], resource: str, condition: Json | None = None) -> Change:
    """A role's own policy allows more."""
    statement = {"Effect": "Allow", "Action": actions, "Resource": resource}
    return _says(stack, "IAM::Policy", role, "PolicyDocument", {**statement, **_given(condition)})


def drops(stack: str, role: str, *sids: str) -> Change:
    """A role's own policy lacks statements."""

    def change(templates: dict[str, Json]) -> None:
        document = found(templates, stack, "IAM::Policy", role)["PolicyDocument"]
        kept = [each for each in document["Statement"] if each.get("Sid") not in sids]
        assert len(kept) < len(document["Statement"])
        document["Statement"] = kept

    return change


def says_more(stack: str, role: str) -> Change:
    """Who asks may set an approval status along: neither the denial nor the condition of the asking keeps it out."""

    def change(templates: dict[str, Json]) -> None:
        drops(stack, role, "NoStatusAlong")(templates)
        for statement in found(templates, stack, "IAM::Policy", role)["PolicyDocument"]["Statement"]:
            if statement.get("Sid") in {"AskForStaging", "AskForProduction"}:
                del statement["Condition"]["Null"]

    return change


def trusts(stack: str, role: str, principal: Any, condition: Json | None = None, action: str = "AssumeRole") -> Change:
    """A role may be taken on by more."""
    statement = {"Effect": "Allow", "Action": f"sts:{action}", "Principal": principal, **_given(condition)}
    return _says(stack, "IAM::Role", role, "AssumeRolePolicyDocument", statement)


def unconditional(stack: str, role: str) -> Change:
    """A role may be taken on by whom it trusts in any circumstances."""

    def change(templates: dict[str, Json]) -> None:
        for statement in found(templates, stack, "IAM::Role", role)["AssumeRolePolicyDocument"]["Statement"]:
            del statement["Condition"]

    return change


def opens(stack: str, kind: str, document: str, *, principal: Any, action: str) -> Change:
    """A resource's own policy lets more in."""
    statement = {"Effect": "Allow", "Action": action, "Principal": principal, "Resource": "*"}
    service, _, begins = kind.partition("/")
    return _says(stack, service, begins, document, statement)


def closes_less(stack: str, kind: str, begins: str, word: str) -> Change:
    """A document lacks the statements that say this word."""

    def change(templates: dict[str, Json]) -> None:
        policy = found(templates, stack, kind, begins)["PolicyDocument"]
        policy["Statement"] = [each for each in policy["Statement"] if word not in json.dumps(each)]

    return change


def sets(stack: str, kind: str, begins: str, value: Any, *path: str | int) -> Change:
    """A property is another one; without a value it is not there."""

    def change(templates: dict[str, Json]) -> None:
        at: Any = found(templates, stack, kind, begins)
        for key in path[:-1]:
            at = at[key]
        if value is None:
            del at[path[-1]]
        else:
            at[path[-1]] = value

    return change


def adds(stack: str, kind: str, **properties: Any) -> Change:
    """Something more is made."""

    def change(templates: dict[str, Json]) -> None:
        made = {"Type": f"AWS::{kind}", "Properties": properties}
        templates[f"slipway-{stack}"]["Resources"]["Seeded"] = made

    return change


def pipeline(old: str, new: str) -> Change:
    """The pipeline's definition, a string of JSON in parts, says something else."""

    def change(templates: dict[str, Json]) -> None:
        at = found(templates, TRAINING, "SageMaker::Pipeline")["PipelineDefinition"]
        body = json.dumps(at["PipelineDefinitionBody"]).replace(json.dumps(old)[1:-1], json.dumps(new)[1:-1])
        at["PipelineDefinitionBody"] = json.loads(body)

    return change


def _says(stack: str, kind: str, begins: str, document: str, statement: Json) -> Change:
    def change(templates: dict[str, Json]) -> None:
        properties = found(templates, stack, kind, begins)
        properties.setdefault(document, {"Version": "2012-10-17", "Statement": []})["Statement"].append(statement)

    return change


def _given(condition: Json | None) -> Json:
    return {"Condition": condition} if condition else {}


GUARDRAILS = '{ account = "333333333333", targets = ["ou-ab12-11111111"] }'
RELEASES = ("Stages", 1, "Actions", 0, "Configuration", "EnvironmentVariables")
SERVING, TRAINING, GROUP = "dev-ServingFlightDelay", "dev-TrainingFlightDelay", "SageMaker::ModelPackageGroup"
BOUNDARY = "IAM::ManagedPolicy"
UPDATE = "sagemaker:UpdateModelPackage"
ADMINS = {"AWS": "arn:aws:iam::111111111111:root"}

WEAKNESSES = (
    Weakness(
        "a data scientist may pass every role to SageMaker",
        allows("dev-Personas", "DataScientist", "iam:PassRole", ALL_ROLES, TO_SAGEMAKER),
    ),
    Weakness(
        "the pipeline passes its jobs every role",
        allows(TRAINING, "PipelineRole", "iam:PassRole", ALL_ROLES, TO_SAGEMAKER),
    ),
    Weakness(
        "the serving deployer passes SageMaker every role",
        allows("dev-Releases", "Deployer", "iam:PassRole", ALL_ROLES, TO_SAGEMAKER),
    ),
    Weakness(
        "the releaser passes CloudFormation every role",
        allows("dev-Releases", "Releaser", "iam:PassRole", ALL_ROLES),
    ),
    Weakness("a job's role lacks the boundary", sets(TRAINING, "IAM::Role", "TrainRole", None, "PermissionsBoundary")),
    Weakness(
        "a role has another boundary than its environment's",
        sets(TRAINING, "IAM::Role", "TrainRole", MINE, "PermissionsBoundary"),
    ),
    Weakness(
        "the boundary lets roles write IAM",
        lambda templates: found(templates, "dev-Governance", BOUNDARY)["PolicyDocument"]["Statement"].append(
            {"Effect": "Allow", "Action": "iam:*", "Resource": "*"}
        ),
    ),
    Weakness(
        "the boundary lacks what is forbidden to every role",
        closes_less("dev-Governance", BOUNDARY, "Boundary", '"Forbidden"'),
    ),
    Weakness(
        "the boundary lacks the limit to regions",
        closes_less("dev-Governance", BOUNDARY, "Boundary", "OtherRegions"),
    ),
    Weakness(
        "the registry is open to everybody",
        opens(
            "dev-RegistryFlightDelay",
            GROUP,
            "ModelPackageGroupPolicy",
            principal="*",
            action="sagemaker:DescribeModelPackage",
        ),
    ),
    Weakness(
        "a bucket is not closed to the public",
        sets("dev-Data", "S3::Bucket", "Data", None, "PublicAccessBlockConfiguration"),
    ),
    Weakness(
        "a bucket's policy lets everybody read",
        opens("dev-Data", "S3::BucketPolicy/DataPolicy", "PolicyDocument", principal="*", action="s3:*"),
    ),
    Weakness(
        "a bucket answers without TLS",
        closes_less("dev-Data", "S3::BucketPolicy", "DataPolicy", "SecureTransport"),
    ),
    Weakness(
        "a bucket is not kept within the organization",
        closes_less("dev-Data", "S3::BucketPolicy", "RunsPolicy", "OnlyThisOrganization"),
    ),
    Weakness("a bucket is not encrypted", sets("dev-Data", "S3::Bucket", "Data", None, "BucketEncryption")),
    Weakness(
        "the key is open to another account",
        opens("dev-Governance", "KMS::Key", "KeyPolicy", principal={"AWS": OTHER}, action="kms:*"),
    ),
    Weakness(
        "the topic is open to everybody",
        opens("dev-Notices", "SNS::TopicPolicy", "PolicyDocument", principal={"AWS": "*"}, action="sns:Publish"),
    ),
    Weakness(
        "the queue of approvals is open to everybody",
        opens("dev-Delivery", "SQS::QueuePolicy", "PolicyDocument", principal="*", action="sqs:SendMessage"),
    ),
    Weakness(
        "the images are open to another account",
        opens(
            "dev-Image", "ECR::Repository", "RepositoryPolicyText", principal={"AWS": OTHER}, action="ecr:BatchGetImage"
        ),
    ),
    Weakness(
        "requests are captured without a key",
        sets(SERVING, "SageMaker::EndpointConfig", "", None, "DataCaptureConfig", "KmsKeyId"),
    ),
    Weakness("an endpoint's volumes have no key", sets(SERVING, "SageMaker::EndpointConfig", "", None, "KmsKeyId")),
    Weakness("a model is outside the VPC", sets(SERVING, "SageMaker::Model", "", None, "VpcConfig")),
    Weakness("a model reaches the network", sets(SERVING, "SageMaker::Model", "", False, "EnableNetworkIsolation")),
    Weakness("jobs reach the network", pipeline('"EnableNetworkIsolation":true', '"EnableNetworkIsolation":false')),
    Weakness("the pipeline registers Approved", pipeline("PendingManualApproval", "Approved")),
    Weakness(
        "the pipeline's role may register Approved",
        allows(TRAINING, "PipelineRole", "sagemaker:CreateModelPackage", VERSIONS),
    ),
    Weakness(
        "a release takes no approval",
        sets(
            "dev-Delivery",
            "CodePipeline::Pipeline",
            "",
            "[]",
            "Stages",
            1,
            "Actions",
            0,
            "Configuration",
            "EnvironmentVariables",
        ),
    ),
    Weakness(
        "an event releases past the approvals",
        adds(
            "dev-Delivery",
            "Events::Rule",
            EventPattern={"source": ["aws.s3"]},
            Targets=[{"Id": "x", "Arn": "arn:aws:codepipeline:eu-west-1:111111111111:slipway-dev-release"}],
        ),
    ),
    Weakness("a service takes a role on for anybody", unconditional("dev-Releases", "Deployer")),
    Weakness(
        "the starter is called by everybody",
        sets("dev-Triggers", "Lambda::Permission", "Arrived", "*", "Principal"),
    ),
    Weakness(
        "the starter is called for anybody",
        sets("dev-Triggers", "Lambda::Permission", "Arrived", None, "SourceArn"),
    ),
    Weakness("a person's role asks for no name", unconditional("dev-Personas", "Approver")),
    Weakness(
        "a person's role takes assertions for any audience",
        trusts("dev-Personas", "Approver", {"Federated": SAML}, action="AssumeRoleWithSAML"),
    ),
    Weakness("a role is open to another account", trusts("dev-Releases", "Releaser", {"AWS": OTHER})),
    Weakness(
        "a data scientist may take the releaser's role on",
        allows("dev-Personas", "DataScientist", "sts:AssumeRole", RELEASER),
    ),
    Weakness("whoever asks may say Approved along", says_more("dev-Personas", "DataScientist")),
    Weakness("whoever asks may approve as well", allows("dev-Personas", "DataScientist", UPDATE, VERSIONS)),
    Weakness("an approver approves versions of one's own", drops("dev-Personas", "Approver", "NotOnesOwn")),
    Weakness("an approver may name another author", drops("dev-Personas", "Approver", "KeepAuthor")),
    Weakness(
        "a data scientist turns the pipeline to another use",
        allows("dev-Personas", "DataScientist", "sagemaker:UpdatePipeline", "*"),
    ),
    Weakness("an ML engineer starts builds", allows("dev-Personas", "MlEngineer", "codebuild:StartBuild", "*")),
    Weakness(
        "an ML engineer writes the desired version",
        allows("dev-Personas", "MlEngineer", "ssm:PutParameter", DESIRED),
    ),
    Weakness(
        "a data scientist starts training in the owner's name",
        allows("dev-Personas", "DataScientist", "ssm:PutParameter", CODE),
    ),
    Weakness("an ML engineer writes the journal", allows("dev-Personas", "MlEngineer", "dynamodb:PutItem", JOURNAL)),
    Weakness("an auditor reads data", allows("dev-Personas", "Auditor", "s3:GetObject", PERIODS)),
    Weakness("an endpoint reads the data bucket", allows(SERVING, "Role", "s3:GetObject", PERIODS)),
    Weakness("a job may do anything to every bucket", allows(TRAINING, "TrainRole", "s3:*", "*")),
    Weakness(
        "a policy names kinds of resources by a wildcard",
        allows("dev-Personas", "Auditor", "sagemaker:DescribeEndpoint", WILD),
    ),
    Weakness("a user that lasts", adds("dev-Data", "IAM::User", PermissionsBoundary=MINE)),
    Weakness("a key that lasts", adds("dev-Data", "IAM::AccessKey", UserName="x")),
    Weakness("a forbidden service", adds("dev-Data", "Lightsail::Disk", DiskName="x", SizeInGb=8)),
    Weakness("logs are kept for ever", sets("dev-Delivery", "Logs::LogGroup", "BuildLogs", None, "RetentionInDays")),
    Weakness("logs have no key", sets("dev-Delivery", "Logs::LogGroup", "BuildLogs", None, "KmsKeyId")),
    Weakness(
        "jobs' security group is open to the world",
        sets(
            "dev-Network",
            "EC2::SecurityGroup",
            "",
            [{"CidrIp": "0.0.0.0/0", "IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}],
            "SecurityGroupIngress",
        ),
    ),
    Weakness(
        "the way to S3 leads to everybody's buckets",
        sets("dev-Network", "EC2::VPCEndpoint", "", None, "PolicyDocument", "Statement", 0, "Condition"),
    ),
    Weakness("the network has a way out", adds("dev-Network", "EC2::InternetGateway")),
    Weakness("the organization lets builds take other commands", denial="BuildsKeepTheirBuildSpec"),
    Weakness("the organization lets anybody approve", denial="OnlyApproversSetApproval"),
    Weakness("the organization lets jobs run outside the VPC", denial="JobsOnlyInTheVpc"),
    Weakness("the organization lets trails be stopped", denial="NobodyDisablesTrails"),
    Weakness("the organization lets deployments change their limit", denial="OnlyTheRolloutChangesTheBaseline"),
    Weakness("the organization lets strangers in", denial="OnlyPrincipalsOfTheOrganization"),
    Weakness("a role of people that nobody is named for", setting=("dev.toml", '["ModelApprovers"]', "[]")),
    Weakness(
        "an instance type that is not on the list",
        setting=("prod.toml", 'instance_type = "ml.c5.large"', 'instance_type = "ml.p4d.24xlarge"'),
    ),
    Weakness(
        "an environment writes its own guardrails",
        setting=(
            "platform.toml",
            '# organization_id = "o-a1b2c3d4e5"',
            f"guardrails = {GUARDRAILS}\norganization_id = 'o-a1b2c3d4e5'",
        ),
    ),
)
