"""The ways from the VPC to AWS's services: gateways, and an interface for each service that a tenant needs.

Every endpoint admits principals of this account and what belongs to this account or to the one that trains, and nobody
and nothing else: credentials that somebody carries in reach nothing from here, and data goes to nobody else's account.
https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam

from stacks.tenants import GATEWAYS

if TYPE_CHECKING:
    from collections.abc import Sequence

ACTIONS = {"monitoring": "cloudwatch", "sagemaker.api": "sagemaker", "sagemaker.runtime": "sagemaker"}
"""Services whose actions have another prefix than the endpoint's name."""


def make_gateways(vpc: ec2.Vpc, services: Sequence[str], accounts: Sequence[str]) -> None:
    """S3's, and DynamoDB's where it is asked for; they cost nothing."""
    known = {"dynamodb": ec2.GatewayVpcEndpointAwsService.DYNAMODB, "s3": ec2.GatewayVpcEndpointAwsService.S3}
    for service in [name for name in GATEWAYS if name in services]:
        endpoint = vpc.add_gateway_endpoint(_id(service), service=known[service])
        # S3's asks for the bucket's account only: what SageMaker signs with when it fetches and keeps files for a job
        # is documented nowhere.
        caller = {} if service == "s3" else {"aws:PrincipalAccount": cdk.Stack.of(vpc).account}
        endpoint.add_to_policy(_admit(service, {"aws:ResourceAccount": sorted(accounts), **caller}))


def make_interfaces(vpc: ec2.Vpc, services: Sequence[str], accounts: Sequence[str]) -> ec2.SecurityGroup | None:
    """One a service, with its private name; the group lets nobody in until a tenant's room lets its own group in."""
    stack = cdk.Stack.of(vpc)
    wanted = [service for service in services if service not in GATEWAYS]
    if not wanted:
        return None
    group = ec2.SecurityGroup(
        stack, "EndpointGroup", vpc=vpc, description="Interface endpoints, for tenants only", allow_all_outbound=False
    )
    ours = {"aws:PrincipalAccount": stack.account, "aws:ResourceAccount": sorted(accounts)}
    for service in wanted:
        endpoint = vpc.add_interface_endpoint(
            _id(service),
            service=ec2.InterfaceVpcEndpointService(f"com.amazonaws.{stack.region}.{service}", 443),
            subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
            private_dns_enabled=True,
            open=False,
            security_groups=[group],
        )
        # Who one is belongs to nobody, so that question is asked of no account.
        own = {"aws:PrincipalAccount": stack.account} if service == "sts" else ours
        endpoint.add_to_policy(_admit(service, own))
    return group


def let_in(scope: cdk.Stack, tenant: ec2.CfnSecurityGroup, endpoints: str) -> None:
    """Let a tenant's group reach the endpoints, and no other group."""
    ec2.CfnSecurityGroupIngress(
        scope,
        "ToEndpoints",
        group_id=endpoints,
        source_security_group_id=tenant.attr_group_id,
        ip_protocol="tcp",
        from_port=443,
        to_port=443,
        description="AWS's services by their endpoints",
    )


def _admit(service: str, equals: dict[str, Any]) -> iam.PolicyStatement:
    sid = {"s3": "BucketsOfOurAccounts"}.get(service, "OursOnly")
    actions = ["sts:GetCallerIdentity"] if service == "sts" else [f"{ACTIONS.get(service, service)}:*"]
    return iam.PolicyStatement(
        sid=sid,
        principals=[iam.StarPrincipal()],
        actions=actions,  # what a principal may do says its own policy
        resources=["*"],  # any resource, but only of the accounts in the condition
        conditions={"StringEquals": equals},
    )


def _id(service: str) -> str:
    """A construct's id; S3's and DynamoDB's as AWS spells them."""
    spelled = {"dynamodb": "DynamoDb", "s3": "S3", "sts": "Sts"}
    return spelled.get(service) or "".join(part.capitalize() for part in service.split("."))
