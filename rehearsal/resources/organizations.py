"""An organization's policies, and what they are attached to."""

from __future__ import annotations

import json

from rehearsal.resources import Json, Place, Provider, tags


class Policy(Provider):
    type = "AWS::Organizations::Policy"
    known = frozenset({"Content", "Description", "Name", "TargetIds", "Type"})
    fixed = frozenset({"Type"})

    def create(self, place: Place, name: str, properties: Json) -> str:
        organizations = place.client("organizations")
        made = organizations.create_policy(
            Name=properties["Name"],
            Description=properties.get("Description", ""),
            Type=properties["Type"],
            Content=_text(properties["Content"]),
            Tags=tags(properties),
        )["Policy"]["PolicySummary"]["Id"]
        for target in properties.get("TargetIds", []):
            organizations.attach_policy(PolicyId=made, TargetId=target)
        return str(made)

    def update(self, place: Place, physical_id: str, old: Json, new: Json) -> None:
        organizations = place.client("organizations")
        organizations.update_policy(
            PolicyId=physical_id,
            Name=new["Name"],
            Description=new.get("Description", ""),
            Content=_text(new["Content"]),
        )
        before, after = set(old.get("TargetIds", [])), set(new.get("TargetIds", []))
        for target in sorted(after - before):
            organizations.attach_policy(PolicyId=physical_id, TargetId=target)
        for target in sorted(before - after):
            organizations.detach_policy(PolicyId=physical_id, TargetId=target)

    def read(self, place: Place, physical_id: str, properties: Json) -> object:
        """There, as it should be, and attached to what it should be."""
        organizations = place.client("organizations")
        content = organizations.describe_policy(PolicyId=physical_id)["Policy"]["Content"]
        targets = organizations.list_targets_for_policy(PolicyId=physical_id)["Targets"]
        attached = {target["TargetId"] for target in targets} >= set(properties.get("TargetIds", []))
        return attached and json.loads(content) == json.loads(_text(properties["Content"]))

    def delete(self, place: Place, physical_id: str, properties: Json) -> None:
        organizations = place.client("organizations")
        for target in organizations.list_targets_for_policy(PolicyId=physical_id)["Targets"]:
            organizations.detach_policy(PolicyId=physical_id, TargetId=target["TargetId"])
        organizations.delete_policy(PolicyId=physical_id)

    def attributes(self, place: Place, physical_id: str, properties: Json) -> Json:
        summary = place.client("organizations").describe_policy(PolicyId=physical_id)["Policy"]["PolicySummary"]
        return {"Arn": summary["Arn"], "AwsManaged": summary["AwsManaged"], "Id": physical_id}


def _text(content: Json | str) -> str:
    """Without white space, which counts against a policy's size."""
    return content if isinstance(content, str) else json.dumps(content, separators=(",", ":"))
