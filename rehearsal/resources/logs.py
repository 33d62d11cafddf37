"""CloudWatch log groups."""

from __future__ import annotations

from rehearsal.resources import Json, Place, Provider, tags


class LogGroup(Provider):
    type = "AWS::Logs::LogGroup"
    known = frozenset({"KmsKeyId", "LogGroupName", "RetentionInDays"})
    fixed = frozenset({"LogGroupName"})

    def create(self, place: Place, name: str, properties: Json) -> str:
        group = str(properties.get("LogGroupName", name))
        key = {"kmsKeyId": properties["KmsKeyId"]} if "KmsKeyId" in properties else {}
        labels = {tag["Key"]: tag["Value"] for tag in tags(properties)}
        place.client("logs").create_log_group(logGroupName=group, **({"tags": labels} if labels else {}), **key)
        self.update(place, group, {}, properties)
        return group

    def update(self, place: Place, physical_id: str, old: Json, new: Json) -> None:
        if "RetentionInDays" in new:
            place.client("logs").put_retention_policy(
                logGroupName=physical_id, retentionInDays=int(new["RetentionInDays"])
            )

    def read(self, place: Place, physical_id: str, properties: Json) -> object:
        found = place.client("logs").describe_log_groups(logGroupNamePrefix=physical_id)["logGroups"]
        return [group for group in found if group["logGroupName"] == physical_id]

    def delete(self, place: Place, physical_id: str, properties: Json) -> None:
        place.client("logs").delete_log_group(logGroupName=physical_id)

    def attributes(self, place: Place, physical_id: str, properties: Json) -> Json:
        return {"Arn": place.arn("logs", f"log-group:{physical_id}:*")}
