"""IAM roles, their inline policies, managed policies, identity providers."""

from __future__ import annotations

import json

from rehearsal.resources import Json, Place, Provider, tags


class Role(Provider):
    type = "AWS::IAM::Role"
    known = frozenset(
        {
            "AssumeRolePolicyDocument",
            "Description",
            "ManagedPolicyArns",
            "MaxSessionDuration",
            "Path",
            "PermissionsBoundary",
            "Policies",
            "RoleName",
        }
    )
    fixed = frozenset({"RoleName", "Path"})

    def create(self, place: Place, name: str, properties: Json) -> str:
        role = str(properties.get("RoleName") or name[:64])
        optional = {key: properties[key] for key in ("Description", "Path", "PermissionsBoundary") if key in properties}
        place.client("iam").create_role(
            RoleName=role,
            AssumeRolePolicyDocument=json.dumps(properties["AssumeRolePolicyDocument"]),
            Tags=tags(properties),
            **optional,
        )
        self._policies(place, role, properties)
        return role

    def update(self, place: Place, physical_id: str, old: Json, new: Json) -> None:
        iam = place.client("iam")
        iam.update_assume_role_policy(RoleName=physical_id, PolicyDocument=json.dumps(new["AssumeRolePolicyDocument"]))
        if "PermissionsBoundary" in new:
            iam.put_role_permissions_boundary(RoleName=physical_id, PermissionsBoundary=new["PermissionsBoundary"])
        for gone in set(old.get("ManagedPolicyArns", [])) - set(new.get("ManagedPolicyArns", [])):
            iam.detach_role_policy(RoleName=physical_id, PolicyArn=gone)
        self._policies(place, physical_id, new)

    def _policies(self, place: Place, role: str, properties: Json) -> None:
        iam = place.client("iam")
        for arn in properties.get("ManagedPolicyArns", []):
            iam.attach_role_policy(RoleName=role, PolicyArn=arn)
        for policy in properties.get("Policies", []):
            iam.put_role_policy(
                RoleName=role, PolicyName=policy["PolicyName"], PolicyDocument=json.dumps(policy["PolicyDocument"])
            )

    def read(self, place: Place, physical_id: str, properties: Json) -> object:
        return place.client("iam").get_role(RoleName=physical_id)

    def delete(self, place: Place, physical_id: str, properties: Json) -> None:
        iam = place.client("iam")
        for policy in iam.list_role_policies(RoleName=physical_id)["PolicyNames"]:
            iam.delete_role_policy(RoleName=physical_id, PolicyName=policy)
        for policy in iam.list_attached_role_policies(RoleName=physical_id)["AttachedPolicies"]:
            iam.detach_role_policy(RoleName=physical_id, PolicyArn=policy["PolicyArn"])
        iam.delete_role(RoleName=physical_id)

    def attributes(self, place: Place, physical_id: str, properties: Json) -> Json:
        role = place.client("iam").get_role(RoleName=physical_id)["Role"]
        return {"Arn": role["Arn"], "RoleId": role["RoleId"]}

    def told(self, place: Place, physical_id: str, properties: Json) -> Json:
        iam = place.client("iam")
        role = iam.get_role(RoleName=physical_id)["Role"]
        attached = iam.list_attached_role_policies(RoleName=physical_id)["AttachedPolicies"]
        found, stated = {policy["PolicyArn"] for policy in attached}, properties.get("ManagedPolicyArns", [])
        inline = {
            name: iam.get_role_policy(RoleName=physical_id, PolicyName=name)["PolicyDocument"]
            for name in iam.list_role_policies(RoleName=physical_id)["PolicyNames"]
        }
        return {
            "AssumeRolePolicyDocument": role["AssumeRolePolicyDocument"],
            "ManagedPolicyArns": stated if found == set(stated) else sorted(found),
            "PermissionsBoundary": role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
            "Policies": [
                {"PolicyName": policy["PolicyName"], "PolicyDocument": inline.get(policy["PolicyName"])}
                for policy in properties.get("Policies", [])
            ],
        }


class Policy(Provider):
    type = "AWS::IAM::Policy"
    known = frozenset({"PolicyDocument", "PolicyName", "Roles"})
    fixed = frozenset({"PolicyName"})

    def create(self, place: Place, name: str, properties: Json) -> str:
        for role in properties.get("Roles", []):
            place.client("iam").put_role_policy(
                RoleName=role,
                PolicyName=properties["PolicyName"],
                PolicyDocument=json.dumps(properties["PolicyDocument"]),
            )
        return str(properties["PolicyName"])

    def update(self, place: Place, physical_id: str, old: Json, new: Json) -> None:
        gone = [role for role in old.get("Roles", []) if role not in new.get("Roles", [])]
        self.delete(place, physical_id, {**old, "Roles": gone})
        self.create(place, physical_id, new)

    def read(self, place: Place, physical_id: str, properties: Json) -> object:
        iam = place.client("iam")
        return [iam.get_role_policy(RoleName=role, PolicyName=physical_id) for role in properties.get("Roles", [])]

    def delete(self, place: Place, physical_id: str, properties: Json) -> None:
        for role in properties.get("Roles", []):
            place.client("iam").delete_role_policy(RoleName=role, PolicyName=physical_id)


class ManagedPolicy(Provider):
    type = "AWS::IAM::ManagedPolicy"
    known = frozenset({"Description", "ManagedPolicyName", "Path", "PolicyDocument", "Roles"})
    fixed = frozenset({"Description", "ManagedPolicyName", "Path"})

    def create(self, place: Place, name: str, properties: Json) -> str:
        iam = place.client("iam")
        arn = iam.create_policy(
            PolicyName=properties.get("ManagedPolicyName", name),
            Path=properties.get("Path", "/"),
            Description=properties.get("Description", ""),
            PolicyDocument=json.dumps(properties["PolicyDocument"]),
            Tags=tags(properties),
        )["Policy"]["Arn"]
        for role in properties.get("Roles", []):
            iam.attach_role_policy(RoleName=role, PolicyArn=arn)
        return str(arn)

    def update(self, place: Place, physical_id: str, old: Json, new: Json) -> None:
        iam = place.client("iam")
        versions = iam.list_policy_versions(PolicyArn=physical_id)["Versions"]
        for version in versions:
            if not version["IsDefaultVersion"]:
                iam.delete_policy_version(PolicyArn=physical_id, VersionId=version["VersionId"])
        document = json.dumps(new["PolicyDocument"])
        iam.create_policy_version(PolicyArn=physical_id, PolicyDocument=document, SetAsDefault=True)

    def read(self, place: Place, physical_id: str, properties: Json) -> object:
        return place.client("iam").get_policy(PolicyArn=physical_id)

    def delete(self, place: Place, physical_id: str, properties: Json) -> None:
        iam = place.client("iam")
        for role in properties.get("Roles", []):
            iam.detach_role_policy(RoleName=role, PolicyArn=physical_id)
        iam.delete_policy(PolicyArn=physical_id)

    def attributes(self, place: Place, physical_id: str, properties: Json) -> Json:
        return {"PolicyArn": physical_id}

    def told(self, place: Place, physical_id: str, properties: Json) -> Json:
        iam = place.client("iam")
        version = iam.get_policy(PolicyArn=physical_id)["Policy"]["DefaultVersionId"]
        found = iam.get_policy_version(PolicyArn=physical_id, VersionId=version)["PolicyVersion"]
        return {"PolicyDocument": found["Document"]}


class OidcProvider(Provider):
    type = "AWS::IAM::OIDCProvider"
    known = frozenset({"ClientIdList", "Url"})
    fixed = frozenset({"Url"})

    def create(self, place: Place, name: str, properties: Json) -> str:
        made = place.client("iam").create_open_id_connect_provider(
            Url=properties["Url"], ClientIDList=properties.get("ClientIdList", []), Tags=tags(properties)
        )
        return str(made["OpenIDConnectProviderArn"])

    def read(self, place: Place, physical_id: str, properties: Json) -> object:
        return place.client("iam").get_open_id_connect_provider(OpenIDConnectProviderArn=physical_id)

    def delete(self, place: Place, physical_id: str, properties: Json) -> None:
        place.client("iam").delete_open_id_connect_provider(OpenIDConnectProviderArn=physical_id)

    def attributes(self, place: Place, physical_id: str, properties: Json) -> Json:
        return {"Arn": physical_id}

    def told(self, place: Place, physical_id: str, properties: Json) -> Json:
        found = place.client("iam").get_open_id_connect_provider(OpenIDConnectProviderArn=physical_id)
        return {"ClientIdList": found["ClientIDList"]}
