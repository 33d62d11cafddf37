"""Looks for ways from one role to another's rights: taking it on, passing it, or using what already has it.

The question is always whether any context would allow a step, so a path that is found may need luck, and one that is
not found is not there. Roles that `cdk bootstrap` makes are part of the ground.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any

from iam_deployed import Cloud, Json, Made, Role
from iam_simulator import Question, Simulator

PASS = {
    "sagemaker.amazonaws.com": {
        "training": ["sagemaker:CreateTrainingJob"],
        "processing": ["sagemaker:CreateProcessingJob"],
        "pipeline": ["sagemaker:UpdatePipeline", "sagemaker:StartPipelineExecution"],
        "new pipeline": ["sagemaker:CreatePipeline", "sagemaker:StartPipelineExecution"],
        "endpoint": ["sagemaker:CreateModel", "sagemaker:CreateEndpointConfig", "sagemaker:CreateEndpoint"],
        "notebook": ["sagemaker:CreateNotebookInstance", "sagemaker:CreatePresignedNotebookInstanceUrl"],
        "studio": ["sagemaker:CreateUserProfile", "sagemaker:CreatePresignedDomainUrl"],
    },
    "lambda.amazonaws.com": {
        "new function": ["lambda:CreateFunction", "lambda:InvokeFunction"],
        "function's role": ["lambda:UpdateFunctionConfiguration"],
    },
    "cloudformation.amazonaws.com": {
        "new stack": ["cloudformation:CreateStack"],
        "stack": ["cloudformation:UpdateStack"],
        "change set": ["cloudformation:CreateChangeSet", "cloudformation:ExecuteChangeSet"],
    },
    "codebuild.amazonaws.com": {
        "new project": ["codebuild:CreateProject", "codebuild:StartBuild"],
        "project": ["codebuild:UpdateProject", "codebuild:StartBuild"],
    },
    "codepipeline.amazonaws.com": {"new release": ["codepipeline:CreatePipeline"]},
    "events.amazonaws.com": {"rule": ["events:PutRule", "events:PutTargets"]},
    "scheduler.amazonaws.com": {"schedule": ["scheduler:CreateSchedule"]},
    "ec2.amazonaws.com": {"instance": ["ec2:RunInstances"]},
}
"""Who may be given a role, and what one must be allowed beside iam:PassRole to use it there."""

USE = {
    "AWS::Lambda::Function": ("Role", ["lambda:UpdateFunctionCode"]),
    "AWS::CodeBuild::Project": ("ServiceRole", ["codebuild:StartBuild", "codebuild:UpdateProject"]),
    "AWS::CodePipeline::Pipeline": ("RoleArn", ["codepipeline:UpdatePipeline"]),
    "AWS::SageMaker::Pipeline": ("RoleArn", ["sagemaker:UpdatePipeline"]),
    "AWS::SageMaker::UserProfile": ("UserSettings.ExecutionRole", ["sagemaker:CreatePresignedDomainUrl"]),
}
"""What has a role already: where it says so, and what turns it to another's use. A profile's tags say whose it is."""

TAGGED = ("AWS::SageMaker::UserProfile",)
"""What is known by its tags, which are then part of the question."""

WRITE = (
    "iam:UpdateAssumeRolePolicy",
    "iam:AttachRolePolicy",
    "iam:PutRolePolicy",
    "iam:DeleteRolePolicy",
    "iam:DetachRolePolicy",
    "iam:DeleteRolePermissionsBoundary",
    "iam:PutRolePermissionsBoundary",
)
KINDS = {
    "cloudformation": "stack/slipway-dev-anything/1",
    "codebuild": "project/anything",
    "codepipeline": "slipway-dev-anything",
    "ec2": "instance/anything",
    "events": "rule/anything",
    "lambda": "function:slipway-dev-anything",
    "sagemaker:CreateEndpoint": "endpoint/anything",
    "sagemaker:CreateEndpointConfig": "endpoint-config/anything",
    "sagemaker:CreateModel": "model/anything",
    "sagemaker:CreateNotebookInstance": "notebook-instance/anything",
    "sagemaker:CreatePipeline": "pipeline/slipway-dev-anything",
    "sagemaker:CreatePresignedDomainUrl": "user-profile/anything/anything",
    "sagemaker:CreatePresignedNotebookInstanceUrl": "notebook-instance/anything",
    "sagemaker:CreateProcessingJob": "processing-job/pipelines-anything",
    "sagemaker:CreateTrainingJob": "training-job/pipelines-anything",
    "sagemaker:CreateUserProfile": "user-profile/anything/anything",
    "sagemaker:StartPipelineExecution": "pipeline/slipway-dev-anything",
    "sagemaker:UpdatePipeline": "pipeline/slipway-dev-anything",
    "scheduler": "schedule/default/anything",
}
"""A resource of the kind that an action is done to; by action, else by service."""


DOMAIN = "d-0a1b2c3d4e5f"
"""Studio's, where there is one."""


def inside(role: Role, profile: str) -> Role:
    """The role as a session of Studio has it: AWS fills in whose it is, where discovery would fill in anybody's."""
    text = json.dumps(role.policies).replace("${sagemaker:DomainId}", DOMAIN)
    return replace(role, policies=tuple(json.loads(text.replace("${sagemaker:UserProfileName}", profile))))


RELEASES = (
    "Releases and goes back; the releaser makes live only what was approved as it stands, and writes into the journal "
    "who asked. It could give a serving stack another template, within what the deployer may: endpoints, alarms, "
    "scaling of this environment."
)
DEPLOYS = "Who runs `cdk deploy` makes the platform, its roles among them; the boundary and SCPs are the limit."

ACCEPTED = {
    ("*-ml-engineer", "*-releaser"): RELEASES,
    ("*-ml-engineer", "*-serving-deployer"): RELEASES,
    ("*-ml-engineer", "*-endpoint"): RELEASES,
    ("*-platform-admin", "*"): DEPLOYS,
}
"""Person and role that may be had: why that is right."""


@dataclass(frozen=True)
class Step:
    """From one role to another, and how."""

    start: str
    end: str
    how: str


@dataclass
class Search:
    """All steps between the roles of a cloud."""

    cloud: Cloud
    simulator: Simulator
    _answers: dict[tuple[str, str, str], bool] = field(default_factory=dict)
    _known: dict[str, list[Step]] = field(default_factory=dict)

    def reached(self, start: Role) -> dict[str, list[Step]]:
        """Every role whose rights can be had from this one, and the shortest way; an administrator leads everywhere."""
        ways: dict[str, list[Step]] = {start.arn: []}
        todo = [start.arn]
        while todo:
            here = todo.pop(0)
            for step in self.steps(self.cloud.roles[here]):
                if step.end not in ways:
                    ways[step.end] = [*ways[here], step]
                    todo.append(step.end)
        del ways[start.arn]
        return ways

    def steps(self, start: Role) -> list[Step]:
        """Where one role leads at once."""
        if start.arn not in self._known:
            roles = list(self.cloud.roles.values())
            found = set() if _speaks(start, "iam:AnythingAtAll") else set(self._from(start, roles))
            self._known[start.arn] = sorted(found, key=str)
        return self._known[start.arn]

    def _from(self, start: Role, roles: list[Role]) -> Iterator[Step]:
        own = [made.name for made in self.cloud.of_kind("AWS::SageMaker::UserProfile") if _role_of(made) == start.arn]
        start = inside(start, own[0] if own else "nobody")
        for end in roles:
            if end.arn == start.arn:
                continue
            if self._assumes(start, end):
                yield Step(start.arn, end.arn, "takes it on")
            if start.account != end.account:
                continue
            yield from (Step(start.arn, end.arn, action) for action in WRITE if self._may(start, action, end.arn))
            yield from (Step(start.arn, end.arn, f"passes it: {how}") for how in self._passes(start, end))
        for kind, (_, actions) in USE.items():
            for made in self.cloud.of_kind(kind):
                yield from self._uses(start, made, actions)

    def _uses(self, start: Role, made: Made, actions: list[str]) -> Iterator[Step]:
        end = self.cloud.roles.get(_role_of(made))
        if end is None or end.arn == start.arn or end.account != start.account:
            return
        arn = self.cloud.arn(made.stack, made.id)
        tags = {tag["Key"]: tag["Value"] for tag in made.properties["Tags"]} if made.kind in TAGGED else {}
        yield from (
            Step(start.arn, end.arn, f"{action} {made.name}")
            for action in actions
            if self._may(start, action, arn, tags=tags)
        )

    def _passes(self, start: Role, end: Role) -> Iterator[str]:
        for service, ways in PASS.items():
            if not _trusts(end, service) or not self._may(start, "iam:PassRole", end.arn, service):
                continue
            for how, actions in ways.items():
                if all(self._could(start, action) for action in actions):
                    yield how

    def _could(self, start: Role, action: str) -> bool:
        """On anything it names, or on anything at all."""
        return any(self._may(start, action, arn) for arn in [*_named(start, action), _any(start, action)])

    def _assumes(self, start: Role, end: Role) -> bool:
        if not (_speaks(start, "sts:AssumeRole") or start.arn in str(end.trust)):
            return False
        asked = Question(
            start,
            "sts:AssumeRole",
            end.arn,
            {"aws:PrincipalArn": start.arn, "aws:PrincipalAccount": start.account},
            end.trust,
            owner=end.account,
            discover=True,
        )
        return self.simulator.may([asked])[0]

    def _may(
        self, start: Role, action: str, resource: str, passed_to: str = "", tags: Mapping[str, str] | None = None
    ) -> bool:
        if not _speaks(start, action):
            return False
        asked = (start.arn, action, resource + passed_to)
        if asked not in self._answers:
            context = {"iam:PassedToService": passed_to} if passed_to else {}
            if tags:  # discovery would fill in other tags, so the question is asked of whom it suits best
                context |= {f"sagemaker:ResourceTag/{key}": value for key, value in tags.items()}
                context |= {"aws:PrincipalTag/user": tags.get("user", ""), "aws:PrincipalArn": start.arn}
                context |= {"aws:RequestedRegion": "eu-west-1"}
            question = Question(start, action, resource, context, discover=not tags)
            self._answers[asked] = self.simulator.may([question])[0]
        return self._answers[asked]


def _role_of(made: Made) -> str:
    """The role that a resource has already."""
    found: Any = made.properties
    for part in USE[made.kind][0].split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return str(found)


def people(cloud: Cloud) -> list[Role]:
    return [role for role in cloud.roles.values() if role.stack.endswith("-Personas")]


def accepted(start: Role, end: Role) -> str | None:
    """The reason why one may have the other's rights; never in another account."""
    found = [
        why for (who, whom), why in ACCEPTED.items() if fnmatchcase(start.name, who) and fnmatchcase(end.name, whom)
    ]
    return found[0] if found and start.account == end.account else None


def climbs(search: Search) -> Iterator[str]:
    """Ways from people to others' rights that are not meant."""
    for start in people(search.cloud):
        for end, way in search.reached(start).items():
            if not accepted(start, search.cloud.roles[end]):
                yield f"{start.name} -> {search.cloud.roles[end].name}: {', then '.join(step.how for step in way)}"


def _speaks(role: Role, action: str) -> bool:
    """Whether any statement of its own allows an action of this name; no other can be allowed."""
    return any(True for _ in _allowing(role, action))


def _named(role: Role, action: str) -> Iterator[str]:
    """What its statements say the action may be done to, wildcards filled with a word."""
    for statement in _allowing(role, action):
        named = [str(resource) for resource in _listed(statement.get("Resource", "*"))]
        yield from (resource.replace("*", "anything") for resource in named if resource != "*")


def _allowing(role: Role, action: str) -> Iterator[Json]:
    for policy in role.policies:
        for statement in _listed(policy["Statement"]):
            patterns = [str(pattern).lower() for pattern in _listed(statement.get("Action", "*"))]
            if statement["Effect"] == "Allow" and any(fnmatchcase(action.lower(), pattern) for pattern in patterns):
                yield statement


def _any(role: Role, action: str) -> str:
    service = action.split(":", maxsplit=1)[0]
    return f"arn:aws:{service}:eu-west-1:{role.account}:{KINDS.get(action) or KINDS[service]}"


def _trusts(role: Role, service: str) -> bool:
    return any(
        service in _listed(statement.get("Principal", {}).get("Service", []))
        for statement in _listed(role.trust["Statement"])
        if isinstance(statement.get("Principal"), dict)
    )


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
