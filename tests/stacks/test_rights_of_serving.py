"""What CloudFormation does in a release, the deployer's policy and boundary let it do: all of it, and on ours alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from serving_modes import environment, resources, synthesize, use

from rehearsal.policies import like
from stacks.config import load
from stacks.names import Names

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = Names.of(load().platform, load().environment("dev"))
PLACE = f"{NAMES.region}:{NAMES.account}"
SCALING_ROLE = (
    f"arn:aws:iam::{NAMES.account}:role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com/"
    "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
)
SAGEMAKER_TAGS = ("sagemaker:AddTags", "sagemaker:ListTags")

CALLS: dict[str, tuple[str, ...]] = {
    "AWS::CloudWatch::Alarm": (
        *("cloudwatch:DeleteAlarms", "cloudwatch:DescribeAlarms", "cloudwatch:PutMetricAlarm"),
        *("cloudwatch:ListTagsForResource", "cloudwatch:TagResource"),
    ),
    "AWS::ApplicationAutoScaling::ScalableTarget": tuple(
        f"application-autoscaling:{verb}"
        for verb in (
            *("DeregisterScalableTarget", "DescribeScalableTargets", "RegisterScalableTarget"),
            *("DeleteScheduledAction", "DescribeScheduledActions", "PutScheduledAction"),
            *("ListTagsForResource", "TagResource"),
        )
    ),
    "AWS::ApplicationAutoScaling::ScalingPolicy": tuple(
        f"application-autoscaling:{verb}ScalingPolic{end}"
        for verb, end in (("Delete", "y"), ("Describe", "ies"), ("Put", "y"))
    ),
    "AWS::SageMaker::Endpoint": (
        *(f"sagemaker:{verb}Endpoint" for verb in ("Create", "Delete", "Describe", "Update")),
        *SAGEMAKER_TAGS,
    ),
    "AWS::SageMaker::EndpointConfig": (
        *(f"sagemaker:{verb}EndpointConfig" for verb in ("Create", "Delete", "Describe")),
        *SAGEMAKER_TAGS,
    ),
    "AWS::SageMaker::InferenceComponent": (
        *(f"sagemaker:{verb}InferenceComponent" for verb in ("Create", "Delete", "Describe", "Update")),
        *("sagemaker:UpdateInferenceComponentRuntimeConfig", *SAGEMAKER_TAGS),
    ),
    "AWS::SageMaker::Model": (
        *(f"sagemaker:{verb}Model" for verb in ("Create", "Delete", "Describe")),
        *SAGEMAKER_TAGS,
    ),
}
"""What CloudFormation calls for each type, by the handlers of its published schema."""


def arn(kind: str, name: str) -> str:
    """Of a resource that CloudFormation makes, as IAM sees it."""
    stems = {
        "AWS::CloudWatch::Alarm": f"arn:aws:cloudwatch:{PLACE}:alarm:",
        "AWS::SageMaker::Endpoint": f"arn:aws:sagemaker:{PLACE}:endpoint/",
        "AWS::SageMaker::EndpointConfig": f"arn:aws:sagemaker:{PLACE}:endpoint-config/",
        "AWS::SageMaker::InferenceComponent": f"arn:aws:sagemaker:{PLACE}:inference-component/",
        "AWS::SageMaker::Model": f"arn:aws:sagemaker:{PLACE}:model/",
    }
    return stems[kind] + name if kind in stems else f"arn:aws:application-autoscaling:{PLACE}:scalable-target/{name}"


class Deployer:
    """The policy of the role and its boundary; a call must pass both."""

    def __init__(self, rooms: dict[str, dict[str, Any]]) -> None:
        policies = rooms["Releases"]["Resources"]
        (own,) = (p for n, p in policies.items() if n.startswith("DeployerDefaultPolicy"))
        (outer,) = resources(rooms["Governance"], "AWS::IAM::ManagedPolicy")
        self.documents = [own["Properties"]["PolicyDocument"], outer["PolicyDocument"]]

    def may(self, action: str, resource: str, **context: str) -> bool:
        return all(_decided(document, action, resource, context) for document in self.documents)


def _decided(document: dict[str, Any], action: str, resource: str, context: dict[str, str]) -> bool:
    spoken = {s["Effect"] for s in document["Statement"] if _speaks(s, action, resource, context)}
    return spoken == {"Allow"}


def _speaks(statement: dict[str, Any], action: str, resource: str, context: dict[str, str]) -> bool:
    if statement.get("Sid") == "OtherRegions":
        return False
    conditions = statement.get("Condition", {})
    wanted = {key: value for keys in conditions.values() for key, value in keys.items()}
    return (
        any(like(action, one, fold=True) for one in _listed(statement["Action"]))
        and any(like(resource, _said(one)) for one in _listed(statement["Resource"]))
        and all(context.get(key) in _listed(value) for key, value in wanted.items())
    )


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _said(resource: Any) -> str:
    """A resource of another stack, such as the key, is a reference."""
    return resource if isinstance(resource, str) else "the key"


def tagged(properties: dict[str, Any]) -> dict[str, str]:
    """The resource's tags as conditions see them: of the request that makes it, and of what is there."""
    return {
        f"aws:{when}Tag/{tag['Key']}": tag["Value"]
        for tag in properties.get("Tags", [])
        for when in ("Request", "Resource")
    }


def made(rooms: dict[str, dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Type and properties of what comes and goes with a version."""
    for one in rooms["ServingFlightDelay"]["Resources"].values():
        if one.get("Condition"):
            yield one["Type"], one["Properties"]


@pytest.fixture(scope="module", params=["realtime", "component", "serverless"])
def rooms(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    more: dict[str, Any] = {"step_instances": 2} if request.param == "realtime" else {}
    with pytest.MonkeyPatch.context() as patch:
        use(patch, request.param)
        return synthesize(tmp_path_factory.mktemp(request.param), environment(request.param, **more))


def test_the_deployer_may_make_tag_read_and_delete_all_that_a_release_makes(rooms: dict[str, dict[str, Any]]) -> None:
    deployer, found = Deployer(rooms), list(made(rooms))

    assert found
    for kind, properties in found:
        name = properties.get("InferenceComponentName") or properties.get("EndpointName") or f"{NAMES.prefix}-x"
        for action in CALLS[kind]:
            assert deployer.may(action, arn(kind, name), **tagged(properties)), (kind, action)
        if "Tags" in properties:
            assert any("Tag" in action for action in CALLS[kind]), kind


def test_the_deployer_may_do_what_scaling_tries_and_have_its_role_made(rooms: dict[str, dict[str, Any]]) -> None:
    deployer = Deployer(rooms)
    service = {"iam:AWSServiceName": "sagemaker.application-autoscaling.amazonaws.com"}
    ec2 = SCALING_ROLE.replace("sagemaker.", "ec2.").replace("SageMakerEndpoint", "EC2SpotFleetRequest")

    assert deployer.may("iam:CreateServiceLinkedRole", SCALING_ROLE, **service)
    assert not deployer.may("iam:CreateServiceLinkedRole", SCALING_ROLE)
    assert not deployer.may("iam:CreateServiceLinkedRole", ec2, **service)
    for verb in ("DeleteAlarms", "DescribeAlarms", "PutMetricAlarm"):
        assert deployer.may(f"cloudwatch:{verb}", f"arn:aws:cloudwatch:{PLACE}:alarm:")
    for action in ("DescribeEndpoint", "UpdateEndpointWeightsAndCapacities"):
        assert deployer.may(f"sagemaker:{action}", f"arn:aws:sagemaker:{PLACE}:endpoint/any")


def test_the_deployer_hands_sagemaker_the_volumes_key_and_uses_it_for_nothing_else(
    rooms: dict[str, dict[str, Any]],
) -> None:
    deployer = Deployer(rooms)

    assert deployer.may("kms:CreateGrant", "the key", **{"kms:GrantIsForAWSResource": "true"})
    assert not deployer.may("kms:CreateGrant", "the key")
    assert not deployer.may("kms:Decrypt", "the key")


def test_the_deployer_changes_no_others_endpoint_and_no_others_configuration(rooms: dict[str, dict[str, Any]]) -> None:
    deployer, theirs = Deployer(rooms), f"arn:aws:sagemaker:{PLACE}"

    for action in ("CreateEndpoint", "DeleteEndpoint", "UpdateEndpoint"):
        assert not deployer.may(f"sagemaker:{action}", f"{theirs}:endpoint/others")
    for action, what in (("DeleteModel", "model"), ("DeleteEndpointConfig", "endpoint-config")):
        tags = {"aws:ResourceTag/platform": "theirs", "aws:ResourceTag/environment": "dev"}
        assert not deployer.may(f"sagemaker:{action}", f"{theirs}:{what}/others", **tags)
    assert not deployer.may("cloudwatch:TagResource", f"arn:aws:cloudwatch:{PLACE}:alarm:others")


def test_an_endpoint_in_the_vpc_may_have_network_interfaces(rooms: dict[str, dict[str, Any]]) -> None:
    (policy,) = resources(rooms["ServingFlightDelay"], "AWS::IAM::Policy")
    models = resources(rooms["ServingFlightDelay"], "AWS::SageMaker::Model")
    actions = {action for s in policy["PolicyDocument"]["Statement"] for action in _listed(s["Action"])}

    wanted = {f"ec2:{verb}NetworkInterface{what}" for verb in ("Create", "Delete") for what in ("", "Permission")}
    assert (wanted <= actions) == any("VpcConfig" in model for model in models)
    assert bool(wanted & actions) == any("VpcConfig" in model for model in models)
