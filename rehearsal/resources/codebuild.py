"""Build projects."""

from __future__ import annotations

from rehearsal.resources import Json, Place, Provider, call


class Project(Provider):
    type = "AWS::CodeBuild::Project"
    known = frozenset(
        {
            "Artifacts",
            "BadgeEnabled",
            "Cache",
            "Description",
            "EncryptionKey",
            "Environment",
            "LogsConfig",
            "Name",
            "QueuedTimeoutInMinutes",
            "SecondaryArtifacts",
            "SecondarySources",
            "ServiceRole",
            "Source",
            "TimeoutInMinutes",
            "Triggers",
            "VpcConfig",
        }
    )
    fixed = frozenset({"Name"})

    def create(self, place: Place, name: str, properties: Json) -> str:
        project = str(properties.get("Name", name))
        call(place.client("codebuild"), "create_project", **self._arguments(project, properties))
        if properties.get("Triggers", {}).get("Webhook"):
            self._hook(place, "create_webhook", project, properties["Triggers"])
        return project

    @staticmethod
    def _hook(place: Place, operation: str, project: str, triggers: Json) -> None:
        """Recorded: no Git host knows of it."""
        told = {key: triggers[key] for key in ("BuildType", "FilterGroups") if key in triggers}
        call(place.client("codebuild"), operation, projectName=project, **told)

    def update(self, place: Place, physical_id: str, old: Json, new: Json) -> None:
        call(place.client("codebuild"), "update_project", **self._arguments(physical_id, new))
        hooks = [bool(each.get("Triggers", {}).get("Webhook")) for each in (old, new)]
        if hooks[1]:
            self._hook(place, "update_webhook" if hooks[0] else "create_webhook", physical_id, new["Triggers"])
        elif hooks[0]:
            place.client("codebuild").delete_webhook(projectName=physical_id)

    @staticmethod
    def _arguments(project: str, properties: Json) -> Json:
        arguments = {**{key: value for key, value in properties.items() if key != "Triggers"}, "Name": project}
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
