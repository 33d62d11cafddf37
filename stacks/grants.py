"""What people may do, a verb each; `personas.py` says who may do which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stacks import lifecycle
from stacks import names as spelling
from stacks.boundary_documents import LOOKS
from stacks.permissions import allow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_cdk import aws_iam as iam

    from stacks.names import Names
    from stacks.route import Route

NAMED_LATER = "Named when it is made; the prefix is this environment's."
NAMED = {"Null": {"aws:PrincipalTag/user": "false"}}
"""By people who are known: of a session without the tag nobody could say afterwards whose it was."""

NO_RESOURCES = "These actions list or describe, and know no resources."


@dataclass(frozen=True)
class Ground:
    """Where people work: the environment, how versions come to it, and the key."""

    names: Names
    route: Route
    key_arn: str

    @property
    def models(self) -> tuple[str, ...]:
        return self.route.models

    @property
    def trains(self) -> bool:
        return self.names == self.route.trains

    def arn(self, service: str, resource: str) -> str:
        """An ARN of this environment."""
        return f"arn:aws:{service}:{self.names.region}:{self.names.account}:{resource}"

    def each(self, service: str, pattern: str) -> list[str]:
        """An ARN a model; `{name}` is what pipeline, group and endpoint of the model are called."""
        return [self.arn(service, pattern.format(name=self.names.pipeline(model))) for model in self.models]

    @property
    def versions(self) -> list[str]:
        return self.each("sagemaker", "model-package/{name}/*")

    @property
    def endpoints(self) -> list[str]:
        return [self.arn("sagemaker", f"endpoint/{self.names.endpoint(model)}") for model in self.models]


def upload_data(role: iam.Role, on: Ground) -> None:
    """Put periods where runs read them, and see what is there."""
    if not on.trains:
        return
    bucket = f"arn:aws:s3:::{on.names.data_bucket}"
    periods = [f"{bucket}/{spelling.periods_prefix(model)}/*" for model in on.models]
    allow(role, "UploadPeriods", ["s3:PutObject", "s3:GetObject"], periods, because="A period's files are named later.")
    shown = {"StringLike": {"s3:prefix": [f"{spelling.PERIODS_PREFIX}/*"]}}
    allow(role, "ListPeriods", ["s3:ListBucket"], [bucket], conditions=shown)
    _use_key(role, on, "s3", "kms:Decrypt", "kms:GenerateDataKey")


def train(role: iam.Role, on: Ground) -> None:
    """Ask for runs, retry them, stop them; nobody reaches the starter past the function that proves who asks."""
    if not on.trains:
        return
    function = on.arn("lambda", f"function:{on.names.requests}")
    allow(role, "AskForRuns", ["lambda:InvokeFunction"], [function], conditions=NAMED)
    executions = on.each("sagemaker", "pipeline/{name}/execution/*")
    verbs = ["sagemaker:RetryPipelineExecution", "sagemaker:StopPipelineExecution"]
    allow(role, "RetryAndStop", verbs, executions, because=NAMED_LATER)


def ask_for_release(role: iam.Role, on: Ground) -> None:
    """Ask that a version be approved."""
    if on.trains:
        lifecycle.ask(role, on.versions)


def approve(role: iam.Role, on: Ground) -> None:
    """Approve, reject, archive; a copy was approved where it was trained, and may be rejected by itself."""
    if on.trains:
        lifecycle.approve(role, on.versions)
    elif on.route.copies:
        lifecycle.refuse(role, on.versions)


def release(role: iam.Role, on: Ground) -> None:
    """Become the releaser, which releases only what was approved as it stands, and goes back; not without a name."""
    allow(role, "BecomeReleaser", ["sts:AssumeRole"], [on.names.role_arn(on.names.releaser)], conditions=NAMED)


def invoke(role: iam.Role, on: Ground) -> None:
    """Ask the endpoints."""
    allow(role, "Invoke", ["sagemaker:InvokeEndpoint"], on.endpoints)
    queued = [model for model in on.models if on.names.form(model) == "async"]
    if queued:
        endpoints = [on.arn("sagemaker", f"endpoint/{on.names.endpoint(model)}") for model in queued]
        allow(role, "InvokeQueued", ["sagemaker:InvokeEndpointAsync"], endpoints)


def see_versions(role: iam.Role, on: Ground) -> None:
    """The registry, with each version's report, evaluation and record; of copies, the registry and the record."""
    if not on.trains and not on.route.copies:
        return
    groups = on.each("sagemaker", "model-package-group/{name}")
    actions = [f"sagemaker:{verb}" for verb in ("DescribeModelPackage", "DescribeModelPackageGroup", "ListTags")]
    allow(role, "Versions", actions, [*groups, *on.versions], because=lifecycle.VERSIONS)
    allow(role, "ListVersions", ["sagemaker:ListModelPackages"], ["*"], because=NO_RESOURCES)
    runs, records = f"arn:aws:s3:::{on.names.runs_bucket}", f"arn:aws:s3:::{on.names.provenance_bucket}"
    kinds = ("report", "evaluation") if on.trains else ()
    read = [f"{runs}/{spelling.runs_prefix(model)}/*/{kind}/*" for model in on.models for kind in kinds]
    allow(role, "Reports", ["s3:GetObject"], [*read, f"{records}/*"], because="An execution's folder is named later.")
    _use_key(role, on, "s3", "kms:Decrypt")


def see_runs(role: iam.Role, on: Ground) -> None:
    """Runs, their jobs, and what those wrote into their logs."""
    if not on.trains:
        return
    pipelines = [*on.each("sagemaker", "pipeline/{name}"), *on.each("sagemaker", "pipeline/{name}/execution/*")]
    kinds = ("DescribePipeline", "DescribePipelineExecution", "DescribePipelineDefinitionForExecution")
    lists = ("ListPipelineExecutions", "ListPipelineExecutionSteps", "ListPipelineParametersForExecution")
    allow(role, "Runs", [f"sagemaker:{verb}" for verb in (*kinds, *lists)], pipelines, because=NAMED_LATER)
    jobs = [on.arn("sagemaker", f"{kind}-job/pipelines-*") for kind in ("processing", "training")]
    allow(role, "Jobs", ["sagemaker:DescribeProcessingJob", "sagemaker:DescribeTrainingJob"], jobs, because=NAMED_LATER)
    groups = [on.arn("logs", f"log-group:/aws/sagemaker/{kind}Jobs:*") for kind in ("Processing", "Training")]
    _read_logs(role, "JobLogs", groups)


def see_endpoints(role: iam.Role, on: Ground) -> None:
    """What serves, how it does, what it wrote into its logs, and what happened to it."""
    allow(role, "Endpoints", ["sagemaker:DescribeEndpoint"], on.endpoints)
    named = [on.arn("sagemaker", "endpoint-config/*"), on.arn("sagemaker", "model/*")]
    tagged = {
        "StringEquals": {
            "aws:ResourceTag/platform": on.names.platform,
            "aws:ResourceTag/environment": on.names.environment,
        }
    }
    describe = ["sagemaker:DescribeEndpointConfig", "sagemaker:DescribeModel"]
    allow(role, "Configurations", describe, named, because="Named by CloudFormation; tags limit it.", conditions=tagged)
    watched = ["cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData", "cloudwatch:ListMetrics"]
    dashboards = ["cloudwatch:GetDashboard", "cloudwatch:ListDashboards"]
    allow(role, "Metrics", [*watched, *dashboards], ["*"], because=NO_RESOURCES)
    groups = [on.arn("logs", f"log-group:/aws/sagemaker/Endpoints/{on.names.endpoint(model)}:*") for model in on.models]
    _read_logs(role, "EndpointLogs", groups)
    journal = on.arn("dynamodb", f"table/{on.names.releases}")
    allow(role, "ReadJournal", ["dynamodb:GetItem", "dynamodb:Query"], [journal])
    _use_key(role, on, "dynamodb", "kms:Decrypt")


def see_platform(role: iam.Role, on: Ground) -> None:
    """How the environment is made and who did what: settings and trails, no data."""
    # Global services answer from the first region.
    here = {"StringEquals": {"aws:RequestedRegion": sorted({on.names.region, "us-east-1"})}}
    allow(role, "LookAround", list(LOOKS), ["*"], because=NO_RESOURCES, conditions=here)


def deploy(role: iam.Role, on: Ground) -> None:
    """`cdk deploy`: become the roles that `cdk bootstrap` made in this account."""
    parts = ("deploy", "file-publishing", "image-publishing", "lookup")
    roles = [
        f"arn:aws:iam::{on.names.account}:role/cdk-hnb659fds-{part}-role-{on.names.account}-{on.names.region}"
        for part in parts
    ]
    allow(role, "BecomeDeployer", ["sts:AssumeRole"], roles)


def _read_logs(role: iam.Role, sid: str, groups: Sequence[str]) -> None:
    actions = ["logs:DescribeLogStreams", "logs:FilterLogEvents", "logs:GetLogEvents"]
    allow(role, sid, actions, groups, because="SageMaker makes a stream a job or instance in these groups.")


def _use_key(role: iam.Role, on: Ground, service: str, *actions: str) -> None:
    """The key through the one service that encrypts with it, never by itself."""
    sid = f"Key{service.capitalize()}" + "".join(action.split(":")[1] for action in actions)
    through = {"StringEquals": {"kms:ViaService": f"{service}.{on.names.region}.amazonaws.com"}}
    allow(role, sid, actions, [on.key_arn], conditions=through)
