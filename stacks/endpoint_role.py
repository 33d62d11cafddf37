"""The roles of serving: what SageMaker does in an endpoint's name, and what CloudFormation may change in a release."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import aws_iam as iam

from stacks import names as spelling
from stacks.boundary_documents import SCALING_SERVICE, scaling_role
from stacks.image import PULL_ACTIONS
from stacks.job_role import join_network
from stacks.permissions import accept_inline_policy, allow, service

if TYPE_CHECKING:
    from collections.abc import Sequence

    import aws_cdk as cdk
    from aws_cdk import aws_kms as kms

    from stacks.capabilities import Form
    from stacks.names import Names
    from stacks.served import Served


def endpoint_role(scope: cdk.Stack, id: str, *, served: Served) -> iam.Role:
    """Read the version, which may come from another account's registry, pull its image, write logs and metrics.

    Beyond that, what the form of serving needs: keep what is captured, take requests from S3 and leave answers there.
    https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html#sagemaker-roles-createmodel-perms
    """
    names, model, registry = served.names, served.model, served.rooms.registry
    role = _role(scope, id, names.endpoint_role(model), "sagemaker.amazonaws.com")
    _read_version(role, registry, model)
    _pull_image(role, registry)
    if served.config.captured:
        capture = f"arn:aws:s3:::{names.data_bucket}/{spelling.capture_prefix(model)}/*"
        allow(role, "Capture", ["s3:PutObject"], [capture], because="Each file is named by its hour.")
    if served.form == "async":
        _exchange(role, names, spelling.asynchronous_prefix(model), taken=["requests"], left=["answers", "failures"])
    if served.form == "batch":
        _exchange(role, names, spelling.batch_prefix(model), taken=["input"], left=["output"])
    allow(role, "Encrypt", ["kms:Decrypt", "kms:GenerateDataKey"], [served.rooms.key.key_arn])
    if served.config.vpc:
        join_network(role, scope)
    _tell(role, scope, served)
    if served.form in {"realtime", "async"}:
        # Without it a deployment ignores its alarms.
        allow(
            role,
            "RollbackAlarms",
            ["cloudwatch:DescribeAlarms"],
            [f"arn:aws:cloudwatch:{scope.region}:{scope.account}:alarm:{served.endpoint}-*"],
            because="The alarms of this one endpoint.",
        )
    return role


def _exchange(role: iam.Role, names: Names, prefix: str, *, taken: Sequence[str], left: Sequence[str]) -> None:
    """Take requests from S3 and leave answers there, under the model's own prefix."""
    bucket, callers = f"arn:aws:s3:::{names.data_bucket}", "Callers name the requests, and SageMaker the answers."
    allow(role, "TakeRequests", ["s3:GetObject"], [f"{bucket}/{prefix}/{part}/*" for part in taken], because=callers)
    allow(role, "LeaveAnswers", ["s3:PutObject"], [f"{bucket}/{prefix}/{part}/*" for part in left], because=callers)
    allow(
        role,
        "FindRequests",
        ["s3:ListBucket"],
        [bucket],
        conditions={"StringLike": {"s3:prefix": [f"{prefix}/*"]}},
    )


LOGS: dict[Form, str] = {"component": "InferenceComponents", "batch": "TransformJobs"}
"""Log groups of what is no endpoint by itself."""


def _tell(role: iam.Role, scope: cdk.Stack, served: Served) -> None:
    """Write logs and the instances' own metrics."""
    place = LOGS.get(served.form, "Endpoints")
    group = f"/aws/sagemaker/{place}" + ("" if served.form == "batch" else f"/{served.endpoint}")
    allow(
        role,
        "Logs",
        ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
        [f"arn:aws:logs:{scope.region}:{scope.account}:log-group:{group}*"],
        because="SageMaker makes one stream an instance in this one group.",
    )
    allow(
        role,
        "Metrics",
        ["cloudwatch:PutMetricData"],
        ["*"],
        because="The action knows no resources; the namespace is its limit.",
        conditions={"StringEquals": {"cloudwatch:namespace": f"/aws/sagemaker/{place}"}},
    )


def _read_version(role: iam.Role, registry: Names, model: str) -> None:
    packages = f"arn:aws:sagemaker:{registry.region}:{registry.account}:model-package"
    allow(
        role,
        "ReadVersion",
        ["sagemaker:DescribeModelPackage"],
        [f"{packages}/{registry.model_package_group(model)}/*"],
        because="The versions of this one group; which of them is released is decided later.",
    )
    allow(
        role,
        "ReadModel",
        ["s3:GetObject"],
        [f"arn:aws:s3:::{registry.runs_bucket}/{spelling.runs_prefix(model)}/*/package/*"],
        because="Packaged versions of this model; an execution's folder is named when it starts.",
    )
    decrypt_versions(role, registry, ["kms:Decrypt"])


def decrypt_versions(role: iam.Role, registry: Names, actions: Sequence[str]) -> None:
    """Use the registry's key through S3; its id is known in its own account only, and its policy names this role."""
    allow(
        role,
        "RegistryKey",
        actions,
        [f"arn:aws:kms:{registry.region}:{registry.account}:key/*"],
        because="The key's id is known in its own account only; its policy names who may use it.",
        conditions={"StringEquals": {"kms:ViaService": f"s3.{registry.region}.amazonaws.com"}},
    )


def _pull_image(role: iam.Role, registry: Names) -> None:
    """A ready image's repository is its owner's to open."""
    allow(role, "ImageLogin", ["ecr:GetAuthorizationToken"], ["*"], because="The action knows no resources.")
    repository = f"arn:aws:ecr:{registry.region}:{registry.account}:repository/{registry.repository}"
    allow(role, "PullImage", PULL_ACTIONS, [repository])


def serving_deployer(
    scope: cdk.Stack, id: str, *, models: Sequence[str], names: Names, registry: Names, key: kms.IKey
) -> iam.Role:
    """Change the endpoints of this environment, and nothing else.

    What CloudFormation calls to make, tag, read, change and delete each type stands in the type's schema:
    https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html
    """
    role = _role(scope, id, names.serving_deployer, "cloudformation.amazonaws.com")
    place = f"{scope.region}:{scope.account}"
    arn = f"arn:aws:sagemaker:{place}"
    _endpoints(role, arn, names, models)
    _models_and_configurations(role, arn, names)
    packages = f"arn:aws:sagemaker:{registry.region}:{registry.account}:model-package"
    allow(
        role,
        "ModelsOfVersions",
        ["sagemaker:CreateModel", "sagemaker:DescribeModelPackage"],
        [f"{packages}/{registry.model_package_group(model)}/*" for model in models],
        because="The versions of these groups.",
    )
    allow(
        role,
        "PassEndpointRoles",
        ["iam:PassRole"],
        [f"arn:aws:iam::{scope.account}:role/{names.endpoint_role(model)}" for model in models],
        conditions={"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
    )
    # Whoever makes an endpoint hands SageMaker the key of its volumes:
    # https://docs.aws.amazon.com/sagemaker/latest/dg/api-permissions-reference.html
    for_sagemaker = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
    allow(role, "Volumes", ["kms:CreateGrant"], [key.key_arn], conditions=for_sagemaker)
    _watch(role, place, names)
    _scale(role, place)
    return role


def _endpoints(role: iam.Role, arn: str, names: Names, models: Sequence[str]) -> None:
    tags = ["sagemaker:AddTags", "sagemaker:ListTags"]
    verbs = ("Create", "Delete", "Describe", "Update")
    endpoints = [f"{arn}:endpoint/{names.endpoint(model)}" for model in models]
    allow(role, "Endpoints", [*(f"sagemaker:{verb}Endpoint" for verb in verbs), *tags], endpoints)
    components = [f"{arn}:inference-component/{names.endpoint(m)}" for m in models if names.form(m) == "component"]
    if components:
        actions = [*(f"sagemaker:{verb}InferenceComponent" for verb in verbs), *tags]
        allow(role, "Components", actions, components)


def _models_and_configurations(role: iam.Role, arn: str, names: Names) -> None:
    """CloudFormation names them by chance, so what tells them apart is the tags every resource of ours carries."""
    ours = {"platform": names.platform, "environment": names.environment}
    resources = [f"{arn}:model/*", f"{arn}:endpoint-config/*"]
    allow(
        role,
        "MakeConfigurations",
        ["sagemaker:AddTags", "sagemaker:CreateEndpointConfig", "sagemaker:CreateModel"],
        [*resources, f"{arn}:endpoint/{names.prefix}-*"],  # a configuration is made with what it will serve
        because="Names are given by CloudFormation; the tags of platform and environment are the limit.",
        conditions={"StringEquals": {f"aws:RequestTag/{tag}": value for tag, value in ours.items()}},
    )
    allow(
        role,
        "ChangeConfigurations",
        [
            *(f"sagemaker:{verb}{kind}" for kind in ("EndpointConfig", "Model") for verb in ("Delete", "Describe")),
            "sagemaker:CreateEndpoint",
            "sagemaker:ListTags",
            "sagemaker:UpdateEndpoint",
        ],
        resources,
        because="The same, of what is there already; an endpoint is made and updated with a configuration.",
        conditions={"StringEquals": {f"aws:ResourceTag/{tag}": value for tag, value in ours.items()}},
    )


def _watch(role: iam.Role, place: str, names: Names) -> None:
    tags = [f"cloudwatch:{verb}" for verb in ("ListTagsForResource", "TagResource")]
    allow(
        role,
        "Alarms",
        ["cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms", "cloudwatch:DescribeAlarms", *tags],
        [f"arn:aws:cloudwatch:{place}:alarm:{names.prefix}-*"],
        because="The prefix is this environment's.",
    )
    parameters = f"arn:aws:ssm:{place}:parameter/{names.platform}/{names.environment}/*"
    allow(role, "DesiredVersion", ["ssm:GetParameters"], [parameters], because="One parameter a model.")


def _scale(role: iam.Role, place: str) -> None:
    """Register what scales; the service's own role is made with the account's first target, in the name of the caller.

    https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-service-linked-roles.html
    """
    verbs = (
        *("DeleteScalingPolicy", "DescribeScalingPolicies", "PutScalingPolicy"),
        *("DeleteScheduledAction", "DescribeScheduledActions", "PutScheduledAction"),
        *("DeregisterScalableTarget", "DescribeScalableTargets", "RegisterScalableTarget"),
        *("ListTagsForResource", "TagResource"),
    )
    actions = [f"application-autoscaling:{verb}" for verb in verbs]
    allow(role, "Scaling", actions, ["*"], because="Most of these actions know no resources.")
    only = {"StringEquals": {"iam:AWSServiceName": SCALING_SERVICE}}
    allow(role, "RoleOfScaling", ["iam:CreateServiceLinkedRole"], [scaling_role(place.split(":")[1])], conditions=only)
    _tried_by_scaling(role, place)


def _tried_by_scaling(role: iam.Role, place: str) -> None:
    """What Application Auto Scaling tries in its caller's name before it takes a target, on none of our resources.

    https://docs.aws.amazon.com/autoscaling/application/userguide/security_iam_permission_validation.html
    https://docs.aws.amazon.com/autoscaling/application/userguide/security_iam_id-based-policy-examples.html
    """
    tried = "Application Auto Scaling tries whether its caller may, without a name or with one of its own."
    alarms = [f"cloudwatch:{verb}" for verb in ("DeleteAlarms", "DescribeAlarms", "PutMetricAlarm")]
    allow(role, "AlarmsOfScaling", alarms, [f"arn:aws:cloudwatch:{place}:alarm:*"], because=tried)
    endpoints = ("DescribeEndpoint", "UpdateEndpointWeightsAndCapacities")
    components = ("DescribeInferenceComponent", "UpdateInferenceComponentRuntimeConfig")
    allow(
        role,
        "Capacity",
        [f"sagemaker:{verb}" for verb in (*endpoints, *components)],
        [f"arn:aws:sagemaker:{place}:{kind}/*" for kind in ("endpoint", "inference-component")],
        because=tried,
    )


def _role(scope: cdk.Stack, id: str, name: str, trusted: str) -> iam.Role:
    role = iam.Role(scope, id, role_name=name, assumed_by=service(trusted, scope.account))
    accept_inline_policy(role)
    return role
