"""What the synthesized templates deploy, as IAM sees it: roles with all that limits them, resources' own policies."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from rehearsal import templates
from stacks.config import ROOT

Json = dict[str, Any]

NAMED_BY = {
    "AWS::DynamoDB::Table": "TableName",
    "AWS::CodeBuild::Project": "Name",
    "AWS::CodePipeline::Pipeline": "Name",
    "AWS::ECR::Repository": "RepositoryName",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::Role": "RoleName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::SageMaker::Domain": "DomainName",
    "AWS::SageMaker::Endpoint": "EndpointName",
    "AWS::SageMaker::ModelPackageGroup": "ModelPackageGroupName",
    "AWS::SageMaker::Pipeline": "PipelineName",
    "AWS::SageMaker::Space": "SpaceName",
    "AWS::SageMaker::UserProfile": "UserProfileName",
}
ARNS = {
    "AWS::CodeBuild::Project": "codebuild:{place}:project/{name}",
    "AWS::CodePipeline::Pipeline": "codepipeline:{place}:{name}",
    "AWS::DynamoDB::Table": "dynamodb:{place}:table/{name}",
    "AWS::EC2::VPC": "ec2:{place}:vpc/{name}",
    "AWS::ECR::Repository": "ecr:{place}:repository/{name}",
    "AWS::Events::Rule": "events:{place}:rule/{name}",
    "AWS::IAM::ManagedPolicy": "iam::{account}:policy/{name}",
    "AWS::IAM::Role": "iam::{account}:role/{name}",
    "AWS::KMS::Key": "kms:{place}:key/{name}",
    "AWS::Lambda::Function": "lambda:{place}:function:{name}",
    "AWS::Logs::LogGroup": "logs:{place}:log-group:{name}:*",
    "AWS::S3::Bucket": "s3:::{name}",
    "AWS::SageMaker::Space": "sagemaker:{place}:space/d-0a1b2c3d4e5f/{name}",
    "AWS::SageMaker::UserProfile": "sagemaker:{place}:user-profile/d-0a1b2c3d4e5f/{name}",
    "AWS::SNS::Topic": "sns:{place}:{name}",
    "AWS::SQS::Queue": "sqs:{place}:{name}",
}
VERSION = "arn:aws:sagemaker:eu-west-1:111111111111:model-package/slipway-dev-flight-delay/1"
"""What a parameter says that names the version to serve."""

ADMINISTRATOR = {
    "arn:aws:iam::aws:policy/AdministratorAccess": {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
    }
}
"""The one policy of AWS's that is attached here: to the role with which CloudFormation deploys."""

BOOTSTRAP = ROOT / "node_modules/aws-cdk/lib/api/bootstrap/bootstrap-template.yaml"

REF_IS_ARN = frozenset({"AWS::IAM::ManagedPolicy", "AWS::SNS::Topic"})
POLICIES = {
    "AWS::ECR::Repository": "RepositoryPolicyText",
    "AWS::KMS::Key": "KeyPolicy",
    "AWS::SageMaker::ModelPackageGroup": "ModelPackageGroupPolicy",
}
"""Resources that carry their own policy, and where."""

BESIDE = {
    "AWS::S3::BucketPolicy": "Bucket",
    "AWS::SNS::TopicPolicy": "Topics",
    "AWS::SQS::QueuePolicy": "Queues",
}
"""Policies that are resources of their own, and where they name what they are for."""


@dataclass(frozen=True)
class Role:
    """A role with all that limits it."""

    name: str
    arn: str
    trust: Json
    policies: tuple[Json, ...] = ()
    boundary: Json | None = None
    stack: str = ""
    unknown: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def account(self) -> str:
        return self.arn.split(":")[4]

    @property
    def session(self) -> str:
        """Somebody who has become it."""
        return f"arn:aws:sts::{self.account}:assumed-role/{self.name}/somebody"


@dataclass(frozen=True)
class Made:
    """One resource of a template, its functions replaced by what they yield."""

    stack: str
    id: str
    kind: str
    arn: str
    name: str
    properties: Json

    @property
    def account(self) -> str:
        return self.arn.split(":")[4]


@dataclass
class _Stack:
    name: str
    template: Json
    account: str
    region: str


class Cloud:
    """All stacks of an assembly: every account at once."""

    def __init__(self, folder: Path, change: Callable[[dict[str, Json]], None] | None = None) -> None:
        """With `change`, the templates by stack name are changed before anything is read of them."""
        self._stacks = {stack.name: stack for stack in [*_read(folder), *_bootstrap(_read(folder))]}
        if change:
            change({name: stack.template for name, stack in self._stacks.items()})
        self._see({})

    def changed(self, change: Callable[[dict[str, Json]], None]) -> Cloud:
        """Another one whose templates were changed; what did not change is not read again."""
        other = copy.copy(self)
        other._stacks = {name: replace(stack, template=_copied(stack.template)) for name, stack in self._stacks.items()}
        change({name: stack.template for name, stack in other._stacks.items()})
        same = {name for name, stack in self._stacks.items() if other._stacks[name].template == stack.template}
        kept: dict[str, list[Made]] = {name: [] for name in same}
        for made in self.made:
            if made.stack in kept:
                kept[made.stack].append(made)
        other._see(kept)
        return other

    def templates(self) -> dict[str, Json]:
        """By the name of the stack."""
        return {name: stack.template for name, stack in self._stacks.items()}

    def _see(self, known: Mapping[str, list[Made]]) -> None:
        self._exports: dict[str, tuple[str, Any]] = {}
        for stack in self._stacks.values():
            scope = _Scope(self, stack)
            for output in stack.template.get("Outputs", {}).values():
                if "Export" in output:
                    name = templates.evaluate(output["Export"]["Name"], stack.template, scope)
                    self._exports[name] = stack.name, output["Value"]
        self.made = [
            made
            for stack in self._stacks.values()
            for made in (known[stack.name] if stack.name in known else self._all(stack))
        ]
        self._policies: dict[str, Json] | None = None
        self.roles = {role.arn: role for role in self._roles()}

    def of_kind(self, kind: str) -> list[Made]:
        return [made for made in self.made if made.kind == kind]

    def role(self, name: str) -> Role:
        """The one role of this name; names carry the environment."""
        (found,) = (role for role in self.roles.values() if role.name == name)
        return found

    def resource_policies(self) -> dict[str, Json]:
        """By the ARN of what each guards."""
        if self._policies is None:
            self._policies = self._guarding()
        return self._policies

    def _guarding(self) -> dict[str, Json]:
        found = {
            made.arn: made.properties[POLICIES[made.kind]]
            for made in self.made
            if made.kind in POLICIES and POLICIES[made.kind] in made.properties
        }
        for made in self.made:
            if made.kind in BESIDE:
                for guarded in _listed(made.properties[BESIDE[made.kind]]):
                    arn = f"arn:aws:s3:::{guarded}" if made.kind == "AWS::S3::BucketPolicy" else _queue_arn(guarded)
                    found[arn] = made.properties["PolicyDocument"]
        return found

    def name(self, stack: str, id: str) -> str:
        resource = self._stacks[stack].template["Resources"][id]
        given = resource.get("Properties", {}).get(NAMED_BY.get(resource["Type"], ""))
        return str(self.value(stack, given)) if given else f"{stack}-{id}".lower()[:63]

    def arn(self, stack: str, id: str) -> str:
        """Of a resource, by its logical id."""
        at, kind = self._stacks[stack], self._stacks[stack].template["Resources"][id]["Type"]
        service, thing = kind.split("::")[-2:]
        dashed = re.sub(r"(?<!^)(?=[A-Z])", "-", thing).lower()
        form = ARNS.get(kind, f"{service.lower()}:{{place}}:{dashed}/{{name}}")
        place = f"{at.region}:{at.account}"
        return "arn:aws:" + form.format(place=place, account=at.account, name=self.name(stack, id))

    def value(self, stack: str, value: Any) -> Any:
        """A value of a stack's template, its functions replaced."""
        at = self._stacks[stack]
        return templates.evaluate(value, at.template, _Scope(self, at))

    def imported(self, export: str) -> Any:
        stack, value = self._exports[export]
        return self.value(stack, value)

    def parameter(self, stated: Json) -> Any:
        """A parameter's value: of those that CloudFormation reads from SSM, the version to serve."""
        if stated["Type"].startswith("AWS::SSM::Parameter::Value") and "cdk-bootstrap" not in str(
            stated.get("Default")
        ):
            return VERSION
        return stated.get("Default", "")

    def _all(self, stack: _Stack) -> list[Made]:
        scope = _Scope(self, stack)
        return [
            self._made(stack, each)
            for each in stack.template["Resources"]
            if templates.wanted(stack.template, each, scope)
        ]

    def _made(self, stack: _Stack, id: str) -> Made:
        resource = stack.template["Resources"][id]
        properties = self.value(stack.name, resource.get("Properties", {}))
        arn, name = self.arn(stack.name, id), self.name(stack.name, id)
        return Made(stack.name, id, resource["Type"], arn, name, properties)

    def _roles(self) -> Iterator[Role]:
        managed = {made.arn: made.properties["PolicyDocument"] for made in self.of_kind("AWS::IAM::ManagedPolicy")}
        managed |= ADMINISTRATOR
        attached = list(self._attached())
        for made in self.of_kind("AWS::IAM::Role"):
            stated = made.properties
            named = stated.get("ManagedPolicyArns", [])
            documents = [policy["PolicyDocument"] for policy in stated.get("Policies", [])]
            documents += [managed[arn] for arn in named if arn in managed]
            documents += [
                document for account, role, document in attached if (account, role) == (made.account, made.name)
            ]
            yield Role(
                made.name,
                made.arn,
                stated["AssumeRolePolicyDocument"],
                tuple(documents),
                managed.get(stated.get("PermissionsBoundary", "")),
                made.stack,
                tuple(arn for arn in named if arn not in managed),
                {tag["Key"]: tag["Value"] for tag in stated.get("Tags", [])},
            )

    def _attached(self) -> Iterator[tuple[str, str, Json]]:
        for kind in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
            for made in self.of_kind(kind):
                for role in made.properties.get("Roles", []):
                    yield made.account, role.split("/")[-1], made.properties["PolicyDocument"]


class _Scope:
    """What a template's functions may ask of all stacks."""

    def __init__(self, cloud: Cloud, stack: _Stack) -> None:
        self._cloud, self._stack = cloud, stack

    def ref(self, name: str) -> Any:
        at = self._stack
        pseudo = {
            "AWS::AccountId": at.account,
            "AWS::Partition": "aws",
            "AWS::Region": at.region,
            "AWS::StackId": f"arn:aws:cloudformation:{at.region}:{at.account}:stack/{at.name}/1",
            "AWS::StackName": at.name,
            "AWS::URLSuffix": "amazonaws.com",
        }
        if name in pseudo:
            return pseudo[name]
        if name in at.template.get("Parameters", {}):
            return self._cloud.parameter(at.template["Parameters"][name])
        kind = at.template["Resources"][name]["Type"]
        return self._cloud.arn(at.name, name) if kind in REF_IS_ARN else self._cloud.name(at.name, name)

    def attribute(self, resource: str, name: str) -> Any:
        if name.endswith("Arn"):
            return self._cloud.arn(self._stack.name, resource)
        return f"{self._cloud.name(self._stack.name, resource)}.{name}"

    def imported(self, export: str) -> str:
        return str(self._cloud.imported(export))

    def zones(self, region: str) -> list[str]:
        return [f"{region or self._stack.region}{letter}" for letter in "abc"]


def with_policy(role: Role, *statements: Mapping[str, Any]) -> Role:
    """The role and these statements beside its own."""
    extra = {"Version": "2012-10-17", "Statement": list(statements)}
    return replace(role, policies=(*role.policies, extra))


def _bootstrap(stacks: Iterable[_Stack]) -> Iterator[_Stack]:
    """What `cdk bootstrap` makes beforehand in every account."""
    for account, region in sorted({(stack.account, stack.region) for stack in stacks}):
        yield _Stack(f"CDKToolkit-{account}", json.loads(_toolkit()), account, region)


@cache
def _toolkit() -> str:
    return json.dumps(templates.parse(BOOTSTRAP.read_text(encoding="utf-8")))


def _copied(template: Json) -> Json:
    made: Json = json.loads(json.dumps(template))
    return made


def _read(folder: Path) -> Iterator[_Stack]:
    for manifest in sorted(folder.rglob("manifest.json")):
        for named, artifact in json.loads(manifest.read_text()).get("artifacts", {}).items():
            if artifact["type"] == "aws:cloudformation:stack":
                account, region = artifact["environment"].removeprefix("aws://").split("/")
                template = json.loads((manifest.parent / artifact["properties"]["templateFile"]).read_text())
                yield _Stack(artifact["properties"].get("stackName", named), template, account, region)


def _queue_arn(guarded: str) -> str:
    """A topic is named by its ARN, a queue by its address or, here, its name."""
    return str(guarded)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
