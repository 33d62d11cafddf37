"""The roles of serving: what SageMaker does in an endpoint's name, and what CloudFormation may change in a release."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import aws_iam as iam

from stacks import names as spelling
from stacks.image import PULL_ACTIONS
from stacks.permissions import accept_inline_policy, allow, service

if TYPE_CHECKING:
    from collections.abc import Sequence

    import aws_cdk as cdk

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
    _tell(role, scope, served)
    if served.form in {"realtime", "async", "component"}:
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


def serving_deployer(scope: cdk.Stack, id: str, *, models: Sequence[str], names: Names, registry: Names) -> iam.Role:
    """Change the endpoints of this environment, and nothing else."""
    role = _role(scope, id, names.serving_deployer, "cloudformation.amazonaws.com")
    place = f"{scope.region}:{scope.account}"
    arn = f"arn:aws:sagemaker:{place}"
    allow(
        role,
        "Endpoints",
        [*(f"sagemaker:{verb}Endpoint" for verb in ("Create", "Delete", "Describe", "Update")), "sagemaker:AddTags"],
        [f"{arn}:endpoint/{names.endpoint(model)}" for model in models],
    )
    components = [f"{arn}:inference-component/{names.endpoint(m)}" for m in models if names.form(m) == "component"]
    if components:
        verbs = ("Create", "Delete", "Describe", "Update")
        actions = [f"sagemaker:{verb}InferenceComponent" for verb in verbs]
        allow(role, "Components", [*actions, "sagemaker:AddTags"], components)
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
    _watch_and_scale(role, place, names)
    return role


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


def _watch_and_scale(role: iam.Role, place: str, names: Names) -> None:
    allow(
        role,
        "Alarms",
        ["cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms", "cloudwatch:DescribeAlarms"],
        [f"arn:aws:cloudwatch:{place}:alarm:{names.prefix}-*"],
        because="The prefix is this environment's.",
    )
    verbs = (
        *("DeleteScalingPolicy", "DescribeScalingPolicies", "PutScalingPolicy"),
        *("DeleteScheduledAction", "DescribeScheduledActions", "PutScheduledAction"),
    )
    targets = ("DeregisterScalableTarget", "DescribeScalableTargets", "RegisterScalableTarget")
    allow(
        role,
        "Scaling",
        [f"application-autoscaling:{action}" for action in (*verbs, *targets)],
        ["*"],
        because="Most of these actions know no resources.",
    )
    parameters = f"arn:aws:ssm:{place}:parameter/{names.platform}/{names.environment}/*"
    allow(role, "DesiredVersion", ["ssm:GetParameters"], [parameters], because="One parameter a model.")


def _role(scope: cdk.Stack, id: str, name: str, trusted: str) -> iam.Role:
    role = iam.Role(scope, id, role_name=name, assumed_by=service(trusted, scope.account))
    accept_inline_policy(role)
    return role
