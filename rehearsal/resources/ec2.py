"""The network: VPC, subnets, routes, endpoints, security groups, flow logs."""

from __future__ import annotations

import json

from rehearsal.resources import Json, Place, Provider, tags


def _tagged(kind: str, properties: Json) -> list[Json]:
    return [{"ResourceType": kind, "Tags": tags(properties)}] if tags(properties) else []


class Vpc(Provider):
    type = "AWS::EC2::VPC"
    known = frozenset({"CidrBlock", "EnableDnsHostnames", "EnableDnsSupport", "InstanceTenancy"})

    def create(self, place: Place, name: str, properties: Json) -> str:
        ec2 = place.client("ec2")
        vpc = ec2.create_vpc(
            CidrBlock=properties["CidrBlock"],
            InstanceTenancy=properties.get("InstanceTenancy", "default"),
            TagSpecifications=_tagged("vpc", properties),
        )["Vpc"]["VpcId"]
        for setting in ("EnableDnsSupport", "EnableDnsHostnames"):
            if setting in properties:
                ec2.modify_vpc_attribute(VpcId=vpc, **{setting: {"Value": properties[setting]}})
        return str(vpc)

    def read(self, place: Place, physical_id: str, properties: Json) -> object:
        return place.client("ec2").describe_vpcs(VpcIds=[physical_id])["Vpcs"]

    def delete(self, place: Place, physical_id: str, properties: Json) -> None:
        place.client("ec2").delete_vpc(VpcId=physical_id)

    def attributes(self, place: Place, physical_id: str, properties: Json) -> Json:
        return {"VpcId": physical_id, "CidrBlock": properties["CidrBlock"]}


class Subnet(Provider):
    type = "AWS::EC2::Subnet"
    known = frozenset({"AvailabilityZone", "CidrBlock", "MapPublicIpOnLaunch", "VpcId"})

    def create(self, place: Place, name: str, properties: Json) -> str:
        subnet = place.client("ec2").create_subnet(
            VpcId=properties["VpcId"],
            CidrBlock=properties["CidrBlock"],
            AvailabilityZone=properties["AvailabilityZone"],
            TagSpecifications=_tagged("subnet", properties),
        )
        return str(subnet["Subnet"]["SubnetId"])

    def read(self, place: Place, physical_id: str, properties: Json) -> object:
        return place.client("ec2").describe_subnets(SubnetIds=[physical_id])["Subnets"]

    def delete(self, place: Place, physical_id: str, properties: Json) -> None:
        place.client("ec2").delete_subnet(SubnetId=physical_id)

    def attributes(self, place: Place, physical_id: str, properties: Json) -> Json:
        return {"SubnetId": physical_id, "AvailabilityZone": properties["AvailabilityZone"]}


class RouteTable(Provider):
    type = "AWS::EC2::RouteTable"
    known = frozenset({"VpcId"})

    def create(self, place: Place, name: str, properties: Json) -> str:
        table = place.client("ec2").create_route_table(
            VpcId=properties["VpcId"], TagSpecifications=_tagged("route-table", properties)
        )
        return str(table["RouteTable"]["RouteTableId"])

    def read(self, place: Place, physical_id: str, properties: Json) -> object:
        return place.client("ec2").describe_route_tables(RouteTableIds=[physical_id])["RouteTables"]

    def delete(self, place: Place, physical_id: str, properties: Json) -> None:
        place.client("ec2").delete_route_table(RouteTableId=physical_id)

    def attributes(self, place: Place, physical_id: str, properties: Json) -> Json:
        return {"RouteTableId": physical_id}


class SubnetRouteTableAssociation(Provider):
    type = "AWS::EC2::SubnetRouteTableAssociation"
    known = frozenset({"RouteTableId", "SubnetId"})

    def create(self, place: Place, name: str, properties: Json) -> str:
        made = place.client("ec2").associate_route_table(
            RouteTableId=properties["RouteTableId"], SubnetId=properties["SubnetId"]
        )
        return str(made["AssociationId"])

    def read(self, place: Place, physical_id: str, properties: Json) -> object:
        found = [{"Name": "association.route-table-association-id", "Values": [physical_id]}]
        return place.client("ec2").describe_route_tables(Filters=found)["RouteTables"]

    def delete(self, place: Place, physical_id: str, properties: Json) -> None:
        place.client("ec2").disassociate_route_table(AssociationId=physical_id)


class VpcEndpoint(Provider):
    type = "AWS::EC2::VPCEndpoint"
    fixed = frozenset({"ServiceName", "VpcEndpointType", "VpcId"})
    known = fixed | {"PolicyDocument", "PrivateDnsEnabled", "RouteTableIds", "SecurityGroupIds", "SubnetIds"}

    def create(self, place: Place, name: str, properties: Json) -> str:
        kind = properties.get("VpcEndpointType", "Gateway")
        given = {key: properties[key] for key in LISTED if key in properties}
        if kind == "Interface":
            given["PrivateDnsEnabled"] = _true(properties.get("PrivateDnsEnabled", False))
        made = place.client("ec2").create_vpc_endpoint(
            VpcId=properties["VpcId"],
            ServiceName=properties["ServiceName"],
            VpcEndpointType=kind,
            PolicyDocument=json.dumps(properties.get("PolicyDocument", {})),
            TagSpecifications=_tagged("vpc-endpoint", properties),
            **given,
        )
        return str(made["VpcEndpoint"]["VpcEndpointId"])

    def update(self, place: Place, physical_id: str, old: Json, new: Json) -> None:
        changed: Json = {"PolicyDocument": json.dumps(new.get("PolicyDocument", {}))}
        for key in LISTED:
            before, after = set(old.get(key, [])), set(new.get(key, []))
            changed |= {f"Add{key}": sorted(after - before)} if after - before else {}
            changed |= {f"Remove{key}": sorted(before - after)} if before - after else {}
        place.client("ec2").modify_vpc_endpoint(VpcEndpointId=physical_id, **changed)

    def read(self, place: Place, physical_id: str, properties: Json) -> object:
        found = place.client("ec2").describe_vpc_endpoints(VpcEndpointIds=[physical_id])["VpcEndpoints"]
        return [endpoint for endpoint in found if endpoint["State"] != GONE]

    def delete(self, place: Place, physical_id: str, properties: Json) -> None:
        place.client("ec2").delete_vpc_endpoints(VpcEndpointIds=[physical_id])


GONE = "deleted"
"""moto goes on telling of an endpoint that is deleted."""

LISTED = ("RouteTableIds", "SecurityGroupIds", "SubnetIds")
"""What of an endpoint is changed by adding and removing."""


def _true(value: object) -> bool:
    return str(value).lower() == "true"


class SecurityGroup(Provider):
    type = "AWS::EC2::SecurityGroup"
    known = frozenset({"GroupDescription", "GroupName", "SecurityGroupEgress", "SecurityGroupIngress", "VpcId"})

    def create(self, place: Place, name: str, properties: Json) -> str:
        ec2 = place.client("ec2")
        group = ec2.create_security_group(
            GroupName=properties.get("GroupName", name),
            Description=properties["GroupDescription"],
            VpcId=properties["VpcId"],
            TagSpecifications=_tagged("security-group", properties),
        )["GroupId"]
        if "SecurityGroupEgress" in properties:
            open_rule = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissionsEgress"]
            ec2.revoke_security_group_egress(GroupId=group, IpPermissions=open_rule)
            self._allow(ec2.authorize_security_group_egress, group, properties["SecurityGroupEgress"])
        if "SecurityGroupIngress" in properties:
            self._allow(ec2.authorize_security_group_ingress, group, properties["SecurityGroupIngress"])
        return str(group)

    @staticmethod
    def _allow(authorize: object, group: str, rules: list[Json]) -> None:
        permissions = [
            {
                "IpProtocol": str(rule["IpProtocol"]),
                "FromPort": int(rule.get("FromPort", -1)),
                "ToPort": int(rule.get("ToPort", -1)),
                "IpRanges": [{"CidrIp": rule["CidrIp"], "Description": rule.get("Description", "")}],
            }
            for rule in rules
        ]
        authorize(GroupId=group, IpPermissions=permissions)  # type: ignore[operator]

    def read(self, place: Place, physical_id: str, properties: Json) -> object:
        return place.client("ec2").describe_security_groups(GroupIds=[physical_id])["SecurityGroups"]

    def delete(self, place: Place, physical_id: str, properties: Json) -> None:
        place.client("ec2").delete_security_group(GroupId=physical_id)

    def attributes(self, place: Place, physical_id: str, properties: Json) -> Json:
        return {"GroupId": physical_id, "VpcId": properties["VpcId"]}


class SecurityGroupIngress(Provider):
    """One rule of a group, made by another stack than the group: who else may come in."""

    type = "AWS::EC2::SecurityGroupIngress"
    known = frozenset({"Description", "FromPort", "GroupId", "IpProtocol", "SourceSecurityGroupId", "ToPort"})

    def create(self, place: Place, name: str, properties: Json) -> str:
        made = place.client("ec2").authorize_security_group_ingress(
            GroupId=properties["GroupId"], IpPermissions=[self._rule(properties)]
        )
        return str(made["SecurityGroupRules"][0]["SecurityGroupRuleId"])

    def read(self, place: Place, physical_id: str, properties: Json) -> object:
        found = place.client("ec2").describe_security_group_rules(SecurityGroupRuleIds=[physical_id])
        return found["SecurityGroupRules"]

    def delete(self, place: Place, physical_id: str, properties: Json) -> None:
        place.client("ec2").revoke_security_group_ingress(
            GroupId=properties["GroupId"], IpPermissions=[self._rule(properties)]
        )

    @staticmethod
    def _rule(properties: Json) -> Json:
        source = {"GroupId": properties["SourceSecurityGroupId"], "Description": properties.get("Description", "")}
        return {
            "IpProtocol": properties["IpProtocol"],
            "FromPort": int(properties["FromPort"]),
            "ToPort": int(properties["ToPort"]),
            "UserIdGroupPairs": [source],
        }


class FlowLog(Provider):
    type = "AWS::EC2::FlowLog"
    known = frozenset(
        {"DeliverLogsPermissionArn", "LogDestinationType", "LogGroupName", "ResourceId", "ResourceType", "TrafficType"}
    )

    def create(self, place: Place, name: str, properties: Json) -> str:
        made = place.client("ec2").create_flow_logs(
            ResourceIds=[properties["ResourceId"]],
            ResourceType=properties["ResourceType"],
            TrafficType=properties["TrafficType"],
            LogDestinationType=properties["LogDestinationType"],
            LogGroupName=properties["LogGroupName"],
            DeliverLogsPermissionArn=properties["DeliverLogsPermissionArn"],
        )
        return str(made["FlowLogIds"][0])

    def read(self, place: Place, physical_id: str, properties: Json) -> object:
        return place.client("ec2").describe_flow_logs(FlowLogIds=[physical_id])["FlowLogs"]

    def delete(self, place: Place, physical_id: str, properties: Json) -> None:
        place.client("ec2").delete_flow_logs(FlowLogIds=[physical_id])
