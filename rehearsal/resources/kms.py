"""KMS keys and aliases."""

from __future__ import annotations

import json

from rehearsal.resources import Json, Place, Provider, tags


class Key(Provider):
    type = "AWS::KMS::Key"
    known = frozenset({"Description", "EnableKeyRotation", "KeyPolicy", "PendingWindowInDays", "RotationPeriodInDays"})

    def create(self, place: Place, name: str, properties: Json) -> str:
        kms = place.client("kms")
        key = kms.create_key(
            Description=properties.get("Description", ""),
            Policy=json.dumps(properties["KeyPolicy"]),
            Tags=[{"TagKey": tag["Key"], "TagValue": tag["Value"]} for tag in tags(properties)],
        )["KeyMetadata"]["KeyId"]
        if properties.get("EnableKeyRotation"):
            kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=int(properties.get("RotationPeriodInDays", 365)))
        return str(key)

    def update(self, place: Place, physical_id: str, old: Json, new: Json) -> None:
        kms = place.client("kms")
        kms.put_key_policy(KeyId=physical_id, PolicyName="default", Policy=json.dumps(new["KeyPolicy"]))
        kms.update_key_description(KeyId=physical_id, Description=new.get("Description", ""))

    def read(self, place: Place, physical_id: str, properties: Json) -> object:
        return place.client("kms").describe_key(KeyId=physical_id)["KeyMetadata"]["Enabled"]

    def delete(self, place: Place, physical_id: str, properties: Json) -> None:
        days = int(properties.get("PendingWindowInDays", 30))
        place.client("kms").schedule_key_deletion(KeyId=physical_id, PendingWindowInDays=days)

    def attributes(self, place: Place, physical_id: str, properties: Json) -> Json:
        return {"Arn": place.arn("kms", f"key/{physical_id}"), "KeyId": physical_id}

    def told(self, place: Place, physical_id: str, properties: Json) -> Json:
        kms = place.client("kms")
        policy = kms.get_key_policy(KeyId=physical_id, PolicyName="default")["Policy"]
        return {
            "Description": kms.describe_key(KeyId=physical_id)["KeyMetadata"]["Description"],
            "EnableKeyRotation": kms.get_key_rotation_status(KeyId=physical_id)["KeyRotationEnabled"],
            "KeyPolicy": json.loads(policy),
        }


class Alias(Provider):
    type = "AWS::KMS::Alias"
    known = frozenset({"AliasName", "TargetKeyId"})
    fixed = frozenset({"AliasName"})

    def create(self, place: Place, name: str, properties: Json) -> str:
        alias = str(properties["AliasName"])
        place.client("kms").create_alias(AliasName=alias, TargetKeyId=properties["TargetKeyId"])
        return alias

    def update(self, place: Place, physical_id: str, old: Json, new: Json) -> None:
        place.client("kms").update_alias(AliasName=physical_id, TargetKeyId=new["TargetKeyId"])

    def read(self, place: Place, physical_id: str, properties: Json) -> object:
        return place.client("kms").describe_key(KeyId=physical_id)

    def delete(self, place: Place, physical_id: str, properties: Json) -> None:
        place.client("kms").delete_alias(AliasName=physical_id)
