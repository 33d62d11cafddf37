"""Builds that validate pull requests: the same checks as before a delivery, with no right but to say what they found.

Whoever may open a pull request writes what these builds run, so their role may nothing, and they share no cache.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs

from stacks.network import RETENTION
from stacks.permissions import accept_inline_policy, allow, service

if TYPE_CHECKING:
    import aws_cdk as cdk
    from aws_cdk import aws_kms as kms

    from stacks.delivery_names import DeliveryNames
    from stacks.delivery_settings import DeliverySettings, SourceSettings

HOSTS = {"github": "GITHUB", "gitlab": "GITLAB", "bitbucket": "BITBUCKET", "codecommit": "CODECOMMIT"}
ADDRESSES = {
    "github": "https://github.com/{}.git",
    "gitlab": "https://gitlab.com/{}.git",
    "bitbucket": "https://bitbucket.org/{}.git",
}
EVENTS = "PULL_REQUEST_CREATED, PULL_REQUEST_UPDATED, PULL_REQUEST_REOPENED"
MINUTES = 120

Project = codebuild.CfnProject


def validate_pull_requests(scope: cdk.Stack, settings: DeliverySettings, names: DeliveryNames, key: kms.IKey) -> None:
    """The project, and what starts it; a bucket has no pull requests."""
    source = settings.source
    if source.provider == "s3":
        return
    group = logs.LogGroup(
        scope,
        "ValidationLogs",
        log_group_name=f"/aws/codebuild/{names.validation}",
        encryption_key=key,
        retention=RETENTION[settings.log_retention_days],
    )
    role = _role(scope, source, names, group)
    project = Project(
        scope,
        "Validation",
        name=names.validation,
        description="Checks pull requests; what it finds stands beside them",
        service_role=role.role_arn,
        encryption_key=key.key_arn,
        artifacts=Project.ArtifactsProperty(type="NO_ARTIFACTS"),
        environment=Project.EnvironmentProperty(
            type="LINUX_CONTAINER", compute_type="BUILD_GENERAL1_LARGE", image="aws/codebuild/standard:7.0"
        ),
        source=_source(scope, source, settings.checks),
        triggers=_webhook(source),
        logs_config=Project.LogsConfigProperty(
            cloud_watch_logs=Project.CloudWatchLogsConfigProperty(status="ENABLED", group_name=group.log_group_name)
        ),
        timeout_in_minutes=MINUTES,
    )
    project.node.add_dependency(role.node.find_child("DefaultPolicy"))
    if source.provider == "codecommit":
        _on_pull_request(scope, source, project)


def _role(scope: cdk.Stack, source: SourceSettings, names: DeliveryNames, group: logs.LogGroup) -> iam.Role:
    role = iam.Role(
        scope,
        "ValidationRole",
        role_name=names.validation,
        assumed_by=service("codebuild.amazonaws.com", scope.account),
    )
    accept_inline_policy(role)
    allow(role, "Logs", ["logs:CreateLogStream", "logs:PutLogEvents"], [group.log_group_arn])
    if source.connection_arn:
        verbs = ("GetConnection", "GetConnectionToken", "UseConnection")
        kind = source.connection_arn.split(":")[2]
        allow(role, "Fetch", [f"{kind}:{verb}" for verb in verbs], [source.connection_arn])
    else:
        repository = f"arn:aws:codecommit:{scope.region}:{scope.account}:{source.repository}"
        allow(role, "Fetch", ["codecommit:GitPull"], [repository])
    return role


def _source(scope: cdk.Stack, source: SourceSettings, checks: tuple[str, ...]) -> Project.SourceProperty:
    """A connection fetches and says at the host how it went.

    https://docs.aws.amazon.com/codebuild/latest/userguide/connections.html
    """
    spec = {
        "version": 0.2,
        "phases": {"install": {"runtime-versions": {"python": "3.13"}}, "build": {"commands": list(checks)}},
    }
    address = (
        ADDRESSES[source.provider].format(source.repository)
        if source.is_connected
        else f"https://git-codecommit.{scope.region}.amazonaws.com/v1/repos/{source.repository}"
    )
    auth = Project.SourceAuthProperty(type="CODECONNECTIONS", resource=source.connection_arn)
    return Project.SourceProperty(
        type=HOSTS[source.provider],
        location=address,
        auth=auth if source.is_connected else None,
        report_build_status=True if source.is_connected else None,
        git_clone_depth=1,
        build_spec=json.dumps(spec),
    )


def _webhook(source: SourceSettings) -> Project.ProjectTriggersProperty | None:
    """Pull requests to the branch whose pushes are delivered.

    https://docs.aws.amazon.com/codebuild/latest/userguide/github-webhook.html
    """
    if not source.is_connected:
        return None
    wanted = [
        Project.WebhookFilterProperty(type="EVENT", pattern=EVENTS),
        Project.WebhookFilterProperty(type="BASE_REF", pattern=f"^refs/heads/{source.branch}$"),
    ]
    return Project.ProjectTriggersProperty(webhook=True, build_type="BUILD", filter_groups=[wanted])


def _on_pull_request(scope: cdk.Stack, source: SourceSettings, project: Project) -> None:
    """https://docs.aws.amazon.com/codecommit/latest/userguide/monitoring-events.html."""
    made = codebuild.Project.from_project_arn(scope, "ValidationProject", project.attr_arn)
    role = iam.Role(scope, "PullRequestRole", assumed_by=iam.ServicePrincipal("events.amazonaws.com"))
    allow(role, "Validate", ["codebuild:StartBuild"], [project.attr_arn])
    events.Rule(
        scope,
        "PullRequest",
        description="A pull request was made or changed",
        event_pattern=events.EventPattern(
            source=["aws.codecommit"],
            detail_type=["CodeCommit Pull Request State Change"],
            resources=[f"arn:aws:codecommit:{scope.region}:{scope.account}:{source.repository}"],
            detail={
                "event": ["pullRequestCreated", "pullRequestSourceBranchUpdated"],
                "destinationReference": [f"refs/heads/{source.branch}"],
            },
        ),
        targets=[
            targets.CodeBuildProject(
                made,
                event_role=role.without_policy_updates(),
                event=events.RuleTargetInput.from_object(
                    {"sourceVersion": events.EventField.from_path("$.detail.sourceCommit")}
                ),
            )
        ],
    )
