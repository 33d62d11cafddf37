"""CodePipeline pipelines."""

from __future__ import annotations

from rehearsal.resources import Json, Place, Provider, call, tags


class Pipeline(Provider):
    type = "AWS::CodePipeline::Pipeline"
    known = frozenset(
        {
            "ArtifactStore",
            "ArtifactStores",
            "ExecutionMode",
            "Name",
            "PipelineType",
            "RestartExecutionOnUpdate",
            "RoleArn",
            "Stages",
            "Triggers",
            "Variables",
        }
    )
    fixed = frozenset({"Name"})

    def create(self, place: Place, name: str, properties: Json) -> str:
        pipeline = str(properties.get("Name", name[:100]))
        given = [{"key": tag["Key"], "value": tag["Value"]} for tag in tags(properties)]
        call(place.client("codepipeline"), "create_pipeline", pipeline=_declared(pipeline, properties), tags=given)
        return pipeline

    def update(self, place: Place, physical_id: str, old: Json, new: Json) -> None:
        """A pipeline that is to begin anew when it has changed does, with the source as it is then."""
        client = place.client("codepipeline")
        before = client.get_pipeline(name=physical_id)["pipeline"]["version"]
        after = call(client, "update_pipeline", pipeline=_declared(physical_id, new))["pipeline"]["version"]
        if str(new.get("RestartExecutionOnUpdate")).lower() == "true" and after != before:
            client.start_pipeline_execution(name=physical_id)

    def read(self, place: Place, physical_id: str, properties: Json) -> object:
        return place.client("codepipeline").get_pipeline(name=physical_id)

    def delete(self, place: Place, physical_id: str, properties: Json) -> None:
        place.client("codepipeline").delete_pipeline(name=physical_id)

    def attributes(self, place: Place, physical_id: str, properties: Json) -> Json:
        return {"Version": str(place.client("codepipeline").get_pipeline(name=physical_id)["pipeline"]["version"])}


def _declared(name: str, properties: Json) -> Json:
    """CloudFormation alone knows what is to happen after an update."""
    apart = {"Name", "RestartExecutionOnUpdate", "Tags"}
    return {"Name": name, **{key: value for key, value in properties.items() if key not in apart}}
