"""The builds of the delivery: each a command that a person can run as well, with a role that may what it needs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aws_cdk as cdk
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_iam as iam
from aws_cdk import pipelines

from stacks.delivery_names import CHANGES_PREFIX, bootstrap_role
from stacks.names import Names
from stacks.permissions import accept_inline_policy, allow, service

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_cdk import aws_s3 as s3

    from stacks.config import Config
    from stacks.delivery_names import DeliveryNames
    from stacks.delivery_settings import DeliverySettings, PackagesSettings
    from stacks.settings import Environment

PYTHON = {"phases": {"install": {"runtime-versions": {"python": "3.13"}}}}
INSTALL = "python -m pip install -q --no-deps --require-hashes -r requirements/release.txt"
"""What the `slipway` command needs; the CDK is no part of it."""

ASSEMBLY = "cdk.out"
CHECK_HOURS, ASK_MINUTES = 2, 30
CACHE = "/opt/fetched"
"""Of a build's own machine: where pip, uv and npm keep what they fetched; each checks it by its hash again."""

CACHED = {
    "cache": {"paths": [f"{CACHE}/**/*"]},
    "env": {
        "variables": {
            "PIP_CACHE_DIR": f"{CACHE}/pip",
            "UV_CACHE_DIR": f"{CACHE}/uv",
            "npm_config_cache": f"{CACHE}/npm",
        }
    },
}


@dataclass(frozen=True)
class Workshop:
    """What builds stand on: the source as pushed, and where caches lie."""

    scope: cdk.Stack
    config: Config
    settings: DeliverySettings
    names: DeliveryNames
    source: pipelines.CodePipelineSource
    cache: s3.IBucket

    def check(self, command: str) -> pipelines.CodeBuildStep:
        """One of the checks, in a build of its own."""
        return self._step(spoken(command), command, hours=CHECK_HOURS, large=True)

    def synth(self, revision: str, checks: Sequence[pipelines.Step]) -> pipelines.CodeBuildStep:
        """The templates, once for all environments, and never of a source that failed its checks."""
        commit = {"COMMIT": self.source.source_attribute(revision)}
        made = self._step("Synth", "make synth", hours=1, out=ASSEMBLY, env=commit)
        for check in checks:
            made.add_step_dependency(check)
        return made

    def review(self, environment: Environment, synth: pipelines.IFileSetProducer, role: iam.Role) -> pipelines.Step:
        """What would change, on a page; where nobody has to agree, it agrees by itself."""
        ask = f"python cli.py changes {environment.name} --execution $EXECUTION"
        return self._asking(f"Changes-{environment.name}", ask, role, synth)

    def hold(self, environment: Environment, synth: pipelines.IFileSetProducer, role: iam.Role) -> pipelines.Step:
        """After somebody agreed: whether what would change is still what they saw."""
        ask = f"python cli.py changes {environment.name} --execution $EXECUTION --as-agreed"
        return self._asking(f"AsAgreed-{environment.name}", ask, role, synth)

    def verify(self, environment: Environment, role: iam.Role) -> pipelines.Step:
        """Whether the environment works with what was deployed."""
        return self._asking(f"Verify-{environment.name}", f"python cli.py verify {environment.name}", role)

    def reviewer(self) -> iam.Role:
        """May make change sets everywhere and carry none out, write pages, and answer for people where none needs to.

        A change set says what a template would do, values of SSM parameters included; nothing else tells as much.
        """
        role = self._builder("Reviewer", self.names.reviewer)
        platform = self.config.platform
        becomes = {bootstrap_role("lookup", e.account, e.region) for e in self.config.environments}
        reviewers = (Names.of(platform, e) for e in self.config.environments)
        becomes |= {names.role_arn(names.reviewer) for names in reviewers}
        allow(role, "LookAndMakeChangeSets", ["sts:AssumeRole"], sorted(becomes))
        pages = f"arn:aws:s3:::{self.names.bucket}/{CHANGES_PREFIX}/*"
        allow(role, "Pages", ["s3:GetObject", "s3:PutObject"], [pages], because="One page an execution.")
        pipeline = self.names.pipeline_arn
        allow(role, "LookAtApprovals", ["codepipeline:GetPipelineState"], [pipeline])
        allow(
            role,
            "AgreeWhereNobodyMust",
            ["codepipeline:PutApprovalResult"],
            [f"{pipeline}/Review-*/Agree-{e.name}" for e in self.config.environments if e.approval == "permissions"]
            or [f"{pipeline}/none/none"],
            because="A stage is named after the environments that come together.",
        )
        allow(role, "TellApprovers", ["sns:Publish"], [self.names.topic_arn])
        return role

    def verifier(self) -> iam.Role:
        """May become each environment's verifier, and nothing else."""
        role = self._builder("Verifier", self.names.verifier)
        platform = self.config.platform
        verifiers = [
            names.role_arn(names.verifier) for names in (Names.of(platform, e) for e in self.config.environments)
        ]
        allow(role, "BecomeVerifier", ["sts:AssumeRole"], verifiers)
        return role

    def options(self) -> pipelines.CodeBuildOptions:
        """What all builds have in common, those of CDK Pipelines itself included."""
        return pipelines.CodeBuildOptions(
            build_environment=_machine(codebuild.ComputeType.SMALL),
            partial_build_spec=codebuild.BuildSpec.from_object(_spec(self.settings.packages)),
            role_policy=_package_rights(self.settings.packages),
        )

    def _asking(
        self, id: str, command: str, role: iam.Role, synth: pipelines.IFileSetProducer | None = None
    ) -> pipelines.CodeBuildStep:
        return pipelines.CodeBuildStep(
            id,
            input=self.source,
            additional_inputs={ASSEMBLY: synth} if synth else None,
            install_commands=[INSTALL],
            commands=[command],
            env={"EXECUTION": "#{codepipeline.PipelineExecutionId}"},
            role=role,
            timeout=cdk.Duration.minutes(ASK_MINUTES),
        )

    def _step(
        self, id: str, command: str, *, hours: int, out: str = "", env: Any = None, large: bool = False
    ) -> pipelines.CodeBuildStep:
        return pipelines.CodeBuildStep(
            id,
            input=self.source,
            commands=[command],
            primary_output_directory=out or None,
            env=env,
            build_environment=_machine(codebuild.ComputeType.LARGE if large else codebuild.ComputeType.SMALL),
            cache=codebuild.Cache.bucket(self.cache, prefix=id.lower()),
            partial_build_spec=codebuild.BuildSpec.from_object(CACHED),
            timeout=cdk.Duration.hours(hours),
        )

    def _builder(self, id: str, name: str) -> iam.Role:
        """CDK adds what every build needs; its artifacts are named by chance, so with wildcards."""
        role = iam.Role(
            self.scope, id, role_name=name, assumed_by=service("codebuild.amazonaws.com", self.scope.account)
        )
        accept_inline_policy(role)
        return role


def _machine(size: codebuild.ComputeType) -> codebuild.BuildEnvironment:
    return codebuild.BuildEnvironment(build_image=codebuild.LinuxBuildImage.STANDARD_7_0, compute_type=size)


def spoken(command: str) -> str:
    """A command as the name of an action: `make test` is MakeTest."""
    return "".join(word[:1].upper() + word[1:] for word in re.split(r"[^A-Za-z0-9]+", command) if word)[:60]


def specification(packages: PackagesSettings | None, phases: dict[str, Any]) -> dict[str, Any]:
    """A whole build specification: what every build has, and these phases."""
    common = _spec(packages)["phases"]["install"]
    commands = [*common.get("commands", []), *phases.get("install", {}).get("commands", [])]
    return {"version": "0.2", "phases": {**phases, "install": {**common, "commands": commands}}}


def _spec(packages: PackagesSettings | None) -> dict[str, Any]:
    """Python as a build needs it; in a closed network also where pip and npm find packages.

    https://docs.aws.amazon.com/codeartifact/latest/ug/using-python-packages-in-codebuild.html
    """
    if packages is None:
        return PYTHON
    where = f"--domain {packages.domain} --domain-owner {packages.domain_owner}"
    logins = [
        f"aws codeartifact login --tool {tool} --repository {repository} {where}"
        for tool, repository in (("pip", packages.python), ("npm", packages.npm))
    ]
    # uv reads nothing of pip's settings: https://docs.astral.sh/uv/pip/compatibility/
    tell_uv = 'export UV_DEFAULT_INDEX="$(python -m pip config get global.index-url)"'
    return {"phases": {"install": {**PYTHON["phases"]["install"], "commands": [*logins, tell_uv]}}}


def _package_rights(packages: PackagesSettings | None) -> list[iam.PolicyStatement] | None:
    if packages is None:
        return None
    stem = f"arn:aws:codeartifact:{cdk.Aws.REGION}:{packages.domain_owner}"
    repositories = [f"{stem}:repository/{packages.domain}/{name}" for name in (packages.python, packages.npm)]
    token = {"StringEquals": {"sts:AWSServiceName": "codeartifact.amazonaws.com"}}
    return [
        iam.PolicyStatement(
            actions=["codeartifact:GetAuthorizationToken"], resources=[f"{stem}:domain/{packages.domain}"]
        ),
        iam.PolicyStatement(
            actions=["codeartifact:GetRepositoryEndpoint", "codeartifact:ReadFromRepository"], resources=repositories
        ),
        # The action knows no resources; the service is its limit.
        iam.PolicyStatement(actions=["sts:GetServiceBearerToken"], resources=["*"], conditions=token),
    ]
