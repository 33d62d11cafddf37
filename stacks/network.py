"""Where jobs run: private subnets whose only ways out are S3 and the services that tenants of the VPC need."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs

from stacks.permissions import accept_inline_policy, acknowledge, service
from stacks.tenants import needed
from stacks.vpc_endpoints import make_gateways, make_interfaces

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_cdk import aws_kms as kms
    from constructs import Construct

    from stacks.names import Names
    from stacks.settings import NetworkSettings
    from stacks.tenants import Tenant

# The spans of config.py in CloudWatch Logs' own words.
RETENTION = {
    30: logs.RetentionDays.ONE_MONTH,
    90: logs.RetentionDays.THREE_MONTHS,
    180: logs.RetentionDays.SIX_MONTHS,
    365: logs.RetentionDays.ONE_YEAR,
    731: logs.RetentionDays.TWO_YEARS,
    1827: logs.RetentionDays.FIVE_YEARS,
}


class Network(cdk.Stack):
    """Owns subnets and the security group of jobs, or takes the subnets of an existing VPC."""

    vpc_id: str
    subnet_ids: list[str]
    security_group_ids: list[str]
    endpoint_group_id: str | None = None

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        config: NetworkSettings,
        registry: Names,
        tenants: Sequence[Tenant],
        key: kms.IKey,
        removal: cdk.RemovalPolicy,
    ) -> None:
        super().__init__(scope, id, description="Private network of the platform's jobs")
        if config.vpc_id:  # its endpoints are its owner's, who pays for them and knows who else uses them
            self.vpc_id = config.vpc_id
            self.subnet_ids = list(config.subnet_ids)
            self.security_group_ids = [self._existing_group(config.vpc_id).attr_group_id]
            return
        self._zones = config.availability_zones
        vpc = self._vpc(config)
        self.vpc_id = vpc.vpc_id
        services, accounts = needed(tenants), sorted({self.account, registry.account})
        make_gateways(vpc, services, accounts)
        group = make_interfaces(vpc, services, accounts)
        self.endpoint_group_id = group.security_group_id if group else None
        self._flow_log(vpc, config, key, removal)
        self.subnet_ids = vpc.select_subnets(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED).subnet_ids
        self.security_group_ids = [self._group(vpc).security_group_id]

    @property
    def availability_zones(self) -> list[str]:
        """Zones named by the region at deployment; CDK's own answer would be a look-up at synth."""
        return [cdk.Fn.select(zone, cdk.Fn.get_azs()) for zone in range(self._zones)]

    def _vpc(self, config: NetworkSettings) -> ec2.Vpc:
        assert config.cidr is not None  # noqa: S101 config promises cidr or vpc_id
        vpc = ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=ec2.IpAddresses.cidr(config.cidr),
            max_azs=config.availability_zones,
            nat_gateways=0,
            subnet_configuration=[ec2.SubnetConfiguration(name="Jobs", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)],
        )
        acknowledge(
            vpc,
            {
                "NIST.800.53.R5::NIST.800.53.R5-VPCDefaultSecurityGroupClosed": (
                    "Nothing joins the default group: jobs name their own, and closing it would take a Lambda function."
                )
            },
        )
        return vpc

    def _flow_log(self, vpc: ec2.Vpc, config: NetworkSettings, key: kms.IKey, removal: cdk.RemovalPolicy) -> None:
        group = logs.LogGroup(
            self,
            "FlowLogGroup",
            encryption_key=key,
            retention=RETENTION[config.flow_log_retention_days],
            removal_policy=removal,
        )
        role = iam.Role(self, "FlowLogRole", assumed_by=service("vpc-flow-logs.amazonaws.com", self.account))
        accept_inline_policy(role)
        vpc.add_flow_log("FlowLog", destination=ec2.FlowLogDestination.to_cloud_watch_logs(group, role))

    def _group(self, vpc: ec2.Vpc) -> ec2.SecurityGroup:
        group = ec2.SecurityGroup(self, "JobGroup", vpc=vpc, description="Jobs", allow_all_outbound=False)
        group.add_egress_rule(
            ec2.Peer.any_ipv4(), ec2.Port.tcp(443), "S3 through its gateway endpoint; the subnets have no other route"
        )
        return group

    def _existing_group(self, vpc_id: str) -> ec2.CfnSecurityGroup:
        return ec2.CfnSecurityGroup(
            self,
            "JobGroup",
            vpc_id=vpc_id,
            group_description="Jobs",
            security_group_egress=[
                ec2.CfnSecurityGroup.EgressProperty(
                    ip_protocol="tcp", from_port=443, to_port=443, cidr_ip="0.0.0.0/0", description="S3"
                )
            ],
        )
