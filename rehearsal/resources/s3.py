"""S3 buckets and their policies."""

from __future__ import annotations

import json
import re
from typing import Any

from rehearsal.resources import Json, Place, Provider, UnsupportedError, call, tags

# Property of the bucket -> the call that carries it out and that call's argument.
SETTINGS = {
    "VersioningConfiguration": ("put_bucket_versioning", "VersioningConfiguration"),
    "PublicAccessBlockConfiguration": ("put_public_access_block", "PublicAccessBlockConfiguration"),
    "OwnershipControls": ("put_bucket_ownership_controls", "OwnershipControls"),
}


class Bucket(Provider):
    type = "AWS::S3::Bucket"
    known = frozenset(
        {
            *SETTINGS,
            "AccessControl",
            "BucketEncryption",
            "BucketName",
            "LifecycleConfiguration",
            "LoggingConfiguration",
            "NotificationConfiguration",
        }
    )
    fixed = frozenset({"BucketName"})

    def create(self, place: Place, name: str, properties: Json) -> str:
        bucket = str(properties.get("BucketName") or name.lower()[:63].strip("-"))
        where = {} if place.region == "us-east-1" else {"LocationConstraint": place.region}
        created = {"CreateBucketConfiguration": where} if where else {}
        place.client("s3").create_bucket(Bucket=bucket, **created)
        if "AccessControl" in properties:
            place.client("s3").put_bucket_acl(Bucket=bucket, ACL=_dashed(properties["AccessControl"]))
        self._settings(place, bucket, properties)
        return bucket

    def update(self, place: Place, physical_id: str, old: Json, new: Json) -> None:
        self._settings(place, physical_id, new)

    def _settings(self, place: Place, bucket: str, properties: Json) -> None:
        s3 = place.client("s3")
        for name, (operation, argument) in SETTINGS.items():
            if name in properties:
                call(s3, operation, Bucket=bucket, **{argument: properties[name]})
        if "BucketEncryption" in properties:
            rules = [
                {
                    "ApplyServerSideEncryptionByDefault": rule["ServerSideEncryptionByDefault"],
                    "BucketKeyEnabled": rule.get("BucketKeyEnabled", False),
                }
                for rule in properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
            ]
            call(s3, "put_bucket_encryption", Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": rules})
        if "LifecycleConfiguration" in properties:
            rules = [_lifecycle_rule(rule) for rule in properties["LifecycleConfiguration"]["Rules"]]
            call(s3, "put_bucket_lifecycle_configuration", Bucket=bucket, LifecycleConfiguration={"Rules": rules})
        if "LoggingConfiguration" in properties:
            target = properties["LoggingConfiguration"]
            enabled = {
                "TargetBucket": target.get("DestinationBucketName", bucket),
                "TargetPrefix": target.get("LogFilePrefix", ""),
            }
            s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus={"LoggingEnabled": enabled})
        if "NotificationConfiguration" in properties:
            _announce(s3, bucket, properties["NotificationConfiguration"])
        if tags(properties):
            s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags(properties)})

    def read(self, place: Place, physical_id: str, properties: Json) -> object:
        return place.client("s3").head_bucket(Bucket=physical_id)

    def delete(self, place: Place, physical_id: str, properties: Json) -> None:
        place.client("s3").delete_bucket(Bucket=physical_id)

    def attributes(self, place: Place, physical_id: str, properties: Json) -> Json:
        host = f"{physical_id}.s3"
        return {
            "Arn": f"arn:aws:s3:::{physical_id}",
            "DomainName": f"{host}.amazonaws.com",
            "RegionalDomainName": f"{host}.{place.region}.amazonaws.com",
        }


def _announce(s3: Any, bucket: str, configuration: Json) -> None:
    """Let the bucket's changes become events on the account's bus."""
    unknown = ", ".join(sorted(set(configuration) - {"EventBridgeConfiguration"}))
    if unknown:
        raise UnsupportedError(f"the embedded AWS does not carry out NotificationConfiguration {unknown}")
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}})


def _dashed(name: str) -> str:
    """LogDeliveryWrite -> log-delivery-write, as the API spells canned ACLs."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()


def _lifecycle_rule(rule: Json) -> Json:
    """CloudFormation flattens what the API nests."""
    made: Json = {"ID": rule.get("Id", "rule"), "Status": rule["Status"], "Filter": {"Prefix": rule.get("Prefix", "")}}
    if "ExpirationInDays" in rule:
        made["Expiration"] = {"Days": rule["ExpirationInDays"]}
    if "AbortIncompleteMultipartUpload" in rule:
        days = rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"]
        made["AbortIncompleteMultipartUpload"] = {"DaysAfterInitiation": days}
    if "NoncurrentVersionExpiration" in rule:
        days = rule["NoncurrentVersionExpiration"]["NoncurrentDays"]
        made["NoncurrentVersionExpiration"] = {"NoncurrentDays": days}
    if "NoncurrentVersionExpirationInDays" in rule:
        made["NoncurrentVersionExpiration"] = {"NoncurrentDays": rule["NoncurrentVersionExpirationInDays"]}
    return made


class BucketPolicy(Provider):
    type = "AWS::S3::BucketPolicy"
    known = frozenset({"Bucket", "PolicyDocument"})
    fixed = frozenset({"Bucket"})

    def create(self, place: Place, name: str, properties: Json) -> str:
        bucket = str(properties["Bucket"])
        place.client("s3").put_bucket_policy(Bucket=bucket, Policy=json.dumps(properties["PolicyDocument"]))
        return bucket

    def update(self, place: Place, physical_id: str, old: Json, new: Json) -> None:
        self.create(place, physical_id, new)

    def read(self, place: Place, physical_id: str, properties: Json) -> object:
        return place.client("s3").get_bucket_policy(Bucket=physical_id)["Policy"]

    def delete(self, place: Place, physical_id: str, properties: Json) -> None:
        place.client("s3").delete_bucket_policy(Bucket=physical_id)
