"""DynamoDB tables."""

from __future__ import annotations

from rehearsal.resources import Json, Place, Provider, call, tags


class Table(Provider):
    type = "AWS::DynamoDB::Table"
    known = frozenset(
        {
            "AttributeDefinitions",
            "BillingMode",
            "KeySchema",
            "PointInTimeRecoverySpecification",
            "SSESpecification",
            "TableName",
        }
    )
    fixed = frozenset({"AttributeDefinitions", "KeySchema", "TableName", "SSESpecification", "BillingMode"})

    def create(self, place: Place, name: str, properties: Json) -> str:
        table = str(properties.get("TableName", name))
        given = {key: value for key, value in properties.items() if key != "PointInTimeRecoverySpecification"}
        encryption = dict(given.get("SSESpecification", {}))
        if "SSEEnabled" in encryption:  # CloudFormation's name for what the API calls Enabled
            encryption["Enabled"] = encryption.pop("SSEEnabled")
            given["SSESpecification"] = encryption
        call(place.client("dynamodb"), "create_table", **{**given, "TableName": table, "Tags": tags(properties)})
        self._recovery(place, table, properties)
        return table

    def update(self, place: Place, physical_id: str, old: Json, new: Json) -> None:
        self._recovery(place, physical_id, new)

    @staticmethod
    def _recovery(place: Place, table: str, properties: Json) -> None:
        wanted = properties.get("PointInTimeRecoverySpecification")
        if wanted:
            client = place.client("dynamodb")
            call(client, "update_continuous_backups", TableName=table, PointInTimeRecoverySpecification=wanted)

    def read(self, place: Place, physical_id: str, properties: Json) -> object:
        return place.client("dynamodb").describe_table(TableName=physical_id)

    def delete(self, place: Place, physical_id: str, properties: Json) -> None:
        place.client("dynamodb").delete_table(TableName=physical_id)

    def attributes(self, place: Place, physical_id: str, properties: Json) -> Json:
        return {"Arn": place.arn("dynamodb", f"table/{physical_id}")}
