"""An endpoint for every service that something in the VPC asks, and none that nothing asks; each for our accounts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conftest import Assembly
from iam_deployed import Cloud, Made
from iam_simulator import Question, Simulator
from studio_world import STUDIO, USERS, studio_config, with_studio

Json = dict[str, Any]

ENDPOINT_OF = {"cloudwatch": "monitoring", "sagemaker": "sagemaker.api"}
"""Services whose endpoint is called otherwise than their actions."""

BY_THE_PAGE = {"sagemaker.api", "sagemaker.runtime"}
"""Without these Studio does not start:
https://docs.aws.amazon.com/sagemaker/latest/dg/studio-updated-and-internet-access.html
"""

BY_OURSELVES = {"sts"}
"""What `slipway` asks: whose credentials these are."""


def services(cloud: Cloud, environment: str = "dev") -> dict[str, Made]:
    found = [made for made in cloud.of_kind("AWS::EC2::VPCEndpoint") if made.stack == f"slipway-{environment}-Network"]
    return {str(made.properties["ServiceName"]).removeprefix("com.amazonaws.eu-west-1."): made for made in found}


def asked_by(cloud: Cloud, user: str) -> set[str]:
    """The services whose actions somebody's role in Studio may call: by its own policies, key by key."""
    found = set()
    (role,) = (each for each in cloud.roles.values() if each.name.endswith(f".{user}"))
    for policy in role.policies:
        for statement in policy["Statement"]:
            conditions = statement.get("Condition", {})
            if statement["Effect"] != "Allow" or "kms:ViaService" in str(conditions):
                continue  # of a key, S3 and EC2 ask, not the notebook
            actions = statement["Action"]
            found |= {action.split(":")[0] for action in ([actions] if isinstance(actions, str) else actions)}
    return {ENDPOINT_OF.get(service, service) for service in found}


def test_what_is_committed_has_the_free_gateway_only(cloud: Cloud) -> None:
    for environment in ("dev", "staging", "prod"):
        assert set(services(cloud, environment)) == {"s3"}


def test_no_endpoint_stands_that_nothing_asks_and_all_that_is_asked_has_one(studio_cloud: Cloud) -> None:
    asked = {service for user in USERS for service in asked_by(studio_cloud, user["name"])}

    assert set(services(studio_cloud)) == asked | BY_THE_PAGE | BY_OURSELVES
    assert set(services(studio_cloud, "prod")) == {"s3"}


def test_one_persona_alone_needs_less(tmp_path: Path) -> None:
    config = studio_config({**STUDIO, "users": STUDIO["users"][:1]})
    cloud = Cloud(with_studio(tmp_path / "cdk.out", config=config).folder)

    assert set(services(cloud)) == asked_by(cloud, "bo") | BY_THE_PAGE | BY_OURSELVES
    assert not {"dynamodb", "monitoring"} & set(services(cloud))


def test_interfaces_have_private_names_and_a_group_of_their_own(studio_cloud: Cloud) -> None:
    interfaces = [e for e in services(studio_cloud).values() if e.properties["VpcEndpointType"] == "Interface"]
    (group,) = (
        made
        for made in studio_cloud.of_kind("AWS::EC2::SecurityGroup")
        if "endpoints" in made.properties["GroupDescription"]
    )
    (rule,) = studio_cloud.of_kind("AWS::EC2::SecurityGroupIngress")

    assert len(interfaces) == 6
    for endpoint in interfaces:
        assert endpoint.properties["PrivateDnsEnabled"] is True
        assert len(endpoint.properties["SubnetIds"]) == 2
        assert endpoint.properties["SecurityGroupIds"] == [studio_cloud.value(group.stack, _id_of(group))]
    assert "SecurityGroupIngress" not in group.properties
    assert (rule.stack, rule.properties["FromPort"], rule.properties["ToPort"]) == ("slipway-dev-Studio", 443, 443)
    assert rule.properties["GroupId"] == interfaces[0].properties["SecurityGroupIds"][0]


def _id_of(group: Made) -> Json:
    return {"Fn::GetAtt": [group.id, "GroupId"]}


PROBES = {
    "dynamodb": ("dynamodb:Query", "arn:aws:dynamodb:eu-west-1:{account}:table/x"),
    "lambda": ("lambda:InvokeFunction", "arn:aws:lambda:eu-west-1:{account}:function:x"),
    "logs": ("logs:FilterLogEvents", "arn:aws:logs:eu-west-1:{account}:log-group:x"),
    "monitoring": ("cloudwatch:ListMetrics", "*"),
    "sagemaker.api": ("sagemaker:DescribeEndpoint", "arn:aws:sagemaker:eu-west-1:{account}:endpoint/x"),
    "sagemaker.runtime": ("sagemaker:InvokeEndpoint", "arn:aws:sagemaker:eu-west-1:{account}:endpoint/x"),
}
"""Not of sts, whose one question here, who one is, the simulator answers to everybody."""


@pytest.mark.parametrize("service", PROBES)
def test_an_endpoint_admits_our_people_and_our_things_only(
    studio_cloud: Cloud, simulator: Simulator, service: str
) -> None:
    """Everything else is allowed; the endpoint alone decides."""
    endpoint, (action, resource) = services(studio_cloud)[service], PROBES[service]
    anything = studio_cloud.role("cdk-hnb659fds-cfn-exec-role-111111111111-eu-west-1")

    def asked(principal: str, owner: str) -> Question:
        context = {"aws:PrincipalAccount": principal, "aws:ResourceAccount": owner}
        named = resource.format(account="111111111111")
        policies = (endpoint.properties["PolicyDocument"],)
        return Question(anything, action, named, context, owner="111111111111", endpoint_policies=policies)

    ours, other = "111111111111", "999999999999"

    assert simulator.may([asked(ours, ours), asked(other, ours), asked(ours, other)]) == [True, False, False]


def test_from_the_vpc_nobody_becomes_somebody_else(studio_cloud: Cloud, simulator: Simulator) -> None:
    administrator = studio_cloud.role("cdk-hnb659fds-cfn-exec-role-111111111111-eu-west-1")
    policy = services(studio_cloud)["sts"].properties["PolicyDocument"]
    context = {"aws:PrincipalAccount": "111111111111", "aws:ResourceAccount": "111111111111"}
    asked = Question(
        administrator, "sts:AssumeRole", studio_cloud.role("slipway-dev-releaser").arn, context,
        studio_cloud.role("slipway-dev-releaser").trust, owner="111111111111", endpoint_policies=(policy,),
    )  # fmt: skip
    open_policy = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}],
    }
    through = Question(**{**vars(asked), "endpoint_policies": (open_policy,)})

    assert simulator.may([asked, through]) == [False, True]


def test_an_organizations_endpoints_shut_everybody_else_out(tmp_path: Path) -> None:
    config = studio_config(platform={"organization_id": "o-a1b2c3d4e5"})
    cloud = Cloud(with_studio(tmp_path / "cdk.out", config=config).folder)

    for service, endpoint in services(cloud).items():
        denials = [s for s in endpoint.properties["PolicyDocument"]["Statement"] if s["Effect"] == "Deny"]
        assert [d["Condition"]["StringNotEqualsIfExists"] for d in denials] == [
            {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}
        ], service


def test_an_existing_networks_endpoints_are_its_owners(tmp_path: Path) -> None:
    network = {"cidr": None, "vpc_id": "vpc-0a1b2c3d", "subnet_ids": ("subnet-0a1b2c3d", "subnet-1a2b3c4d")}
    cloud = Cloud(with_studio(tmp_path / "cdk.out", config=studio_config(network=network)).folder)
    (domain,) = cloud.of_kind("AWS::SageMaker::Domain")

    assert services(cloud) == {}
    assert domain.properties["VpcId"] == "vpc-0a1b2c3d"
    assert domain.properties["SubnetIds"] == ["subnet-0a1b2c3d", "subnet-1a2b3c4d"]
    assert cloud.of_kind("AWS::EC2::SecurityGroupIngress") == []


def test_flows_are_kept_where_a_network_is_made(assembly: Assembly) -> None:
    logged = [flow["Properties"] for _, flow in assembly.resources("AWS::EC2::FlowLog")]

    assert len(logged) == len(assembly.resources("AWS::EC2::VPC")) == 3
    assert {flow["TrafficType"] for flow in logged} == {"ALL"}
