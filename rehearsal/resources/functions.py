"""Lambda functions and who may invoke them."""

from __future__ import annotations

from rehearsal.resources import Json, Place, Provider, call

CONFIGURATION = frozenset(
    {
        "DeadLetterConfig",
        "Description",
        "Environment",
        "Handler",
        "KmsKeyArn",
        "LoggingConfig",
        "MemorySize",
        "Role",
        "Runtime",
        "Timeout",
    }
)


class Function(Provider):
    type = "AWS::Lambda::Function"
    known = frozenset({*CONFIGURATION, "Architectures", "Code", "FunctionName"})
    fixed = frozenset({"FunctionName"})

    def create(self, place: Place, name: str, properties: Json) -> str:
        function = str(properties.get("FunctionName", name[:64]))
        given = {key: value for key, value in properties.items() if key not in {"FunctionName", "KmsKeyArn", "Tags"}}
        if "KmsKeyArn" in properties:
            given["KMSKeyArn"] = properties["KmsKeyArn"]
        call(place.client("lambda"), "create_function", FunctionName=function, **given)
        return function

    def update(self, place: Place, physical_id: str, old: Json, new: Json) -> None:
        client = place.client("lambda")
        if old["Code"] != new["Code"]:
            call(client, "update_function_code", FunctionName=physical_id, **new["Code"])
        given = {key: value for key, value in new.items() if key in CONFIGURATION - {"KmsKeyArn"}}
        call(client, "update_function_configuration", FunctionName=physical_id, **given)

    def read(self, place: Place, physical_id: str, properties: Json) -> object:
        return place.client("lambda").get_function(FunctionName=physical_id)

    def delete(self, place: Place, physical_id: str, properties: Json) -> None:
        place.client("lambda").delete_function(FunctionName=physical_id)

    def attributes(self, place: Place, physical_id: str, properties: Json) -> Json:
        return {"Arn": place.arn("lambda", f"function:{physical_id}")}


class Permission(Provider):
    type = "AWS::Lambda::Permission"
    known = frozenset({"Action", "FunctionName", "Principal", "SourceAccount", "SourceArn"})
    fixed = known

    def create(self, place: Place, name: str, properties: Json) -> str:
        function = properties["FunctionName"].rsplit(":", 1)[-1]
        given = {key: value for key, value in properties.items() if key != "FunctionName"}
        statement = name[:100]
        place.client("lambda").add_permission(FunctionName=function, StatementId=statement, **given)
        return statement

    def read(self, place: Place, physical_id: str, properties: Json) -> object:
        function = properties["FunctionName"].rsplit(":", 1)[-1]
        return physical_id in place.client("lambda").get_policy(FunctionName=function)["Policy"]

    def delete(self, place: Place, physical_id: str, properties: Json) -> None:
        function = properties["FunctionName"].rsplit(":", 1)[-1]
        place.client("lambda").remove_permission(FunctionName=function, StatementId=physical_id)
