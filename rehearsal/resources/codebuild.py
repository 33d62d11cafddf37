"""Build projects."""

from __future__ import annotations

from rehearsal.resources import Json, Place, Provider, call


class Project(Provider):
    type = "AWS::CodeBuild::Project"
    known = frozenset(
        {
            "Artifacts",
            "Cache",
            "Description",
            "EncryptionKey",
            "Environment",
            "LogsConfig",
            "Name",
            "ServiceRole",
            "Source",
            "TimeoutInMinutes",
        }
    )
    fixed = frozenset({"Name"})

    def create(self, place: Place, name: str, properties: Json) -> str:
        project = str(properties.get("Name", name))
        call(place.client("codebuild"), "create_project", **self._arguments(project, properties))
        return project

    def update(self, place: Place, physical_id: str, old: Json, new: Json) -> None:
        call(place.client("codebuild"), "update_project", **self._arguments(physical_id, new))

    @staticmethod
    def _arguments(project: str, properties: Json) -> Json:
        arguments = {**properties, "Name": project}
        source = dict(arguments["Source"])
        if "BuildSpec" in source:
            source["buildspec"] = source.pop("BuildSpec")
        return {**arguments, "Source": source}

    def read(self, place: Place, physical_id: str, properties: Json) -> object:
        return place.client("codebuild").batch_get_projects(names=[physical_id])["projects"]

    def delete(self, place: Place, physical_id: str, properties: Json) -> None:
        place.client("codebuild").delete_project(name=physical_id)

    def attributes(self, place: Place, physical_id: str, properties: Json) -> Json:
        return {"Arn": place.arn("codebuild", f"project/{physical_id}")}
