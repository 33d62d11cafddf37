"""CodeBuild's projects, where moto forgets what it was told; of webhooks it is recorded, and none hears of anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moto.codebuild import responses
from moto.codebuild.models import codebuild_backends
from moto.codebuild.responses import CodeBuildResponse

from rehearsal.api import Caller, Json, ServiceError, install

if TYPE_CHECKING:
    from collections.abc import Callable

    from rehearsal.resources import Place

FORGOTTEN = ("autoRetryLimit", "concurrentBuildLimit", "encryptionKey", "secondaryArtifacts", "secondarySources")
UNPLACED = frozenset({"CODEPIPELINE", "NO_SOURCE"})


class BuildProjects:
    """The operations, by AWS's names."""

    def __init__(self, place: Callable[[Caller], Place]) -> None:
        self.place = place

    def install(self) -> None:
        install(CodeBuildResponse, {name: getattr(self, name) for name in dir(type(self)) if name[0].isupper()})
        for check in ("_validate_required_params_source", "_validate_required_params_artifacts"):
            setattr(responses, check, _where_needed(getattr(responses, check)))
        setattr(CodeBuildResponse, "create_project", _remembering(CodeBuildResponse.create_project))  # noqa: B010 a mend

    def UpdateProject(self, caller: Caller, request: Json) -> Json:  # noqa: N802 AWS's name
        """What is not named stays as it was; a build that runs keeps what it began with."""
        kept = self._kept(caller, request["name"])
        kept.update(_told(request))
        return {
            "project": self.place(caller).client("codebuild").batch_get_projects(names=[kept["name"]])["projects"][0]
        }

    def CreateWebhook(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        kept = self._kept(caller, request["projectName"])
        if "webhook" in kept:
            raise ServiceError("ResourceAlreadyExistsException", f"Webhook of {kept['name']} exists")
        return self._hook(kept, request)

    def UpdateWebhook(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        kept = self._kept(caller, request["projectName"])
        if "webhook" not in kept:
            raise ServiceError("ResourceNotFoundException", f"Webhook of {kept['name']} cannot be found")
        return self._hook(kept, request)

    def DeleteWebhook(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        self._kept(caller, request["projectName"]).pop("webhook", None)
        return {}

    @staticmethod
    def _hook(kept: Json, request: Json) -> Json:
        told = {key: request[key] for key in ("filterGroups", "buildType") if key in request}
        kept["webhook"] = {"url": kept["source"].get("location", ""), **told}
        return {"webhook": kept["webhook"]}

    @staticmethod
    def _kept(caller: Caller, name: str) -> Json:
        kept = codebuild_backends[caller.account][caller.region].codebuild_projects
        if name not in kept:
            raise ServiceError("ResourceNotFoundException", f"Project cannot be found: {name}")
        return kept[name].project_metadata


def _told(request: Json) -> Json:
    """A request as the project tells of it."""
    badge = {"badge": {"badgeEnabled": request["badgeEnabled"]}} if "badgeEnabled" in request else {}
    return {**{key: value for key, value in request.items() if key != "badgeEnabled"}, **badge}


def _remembering(create: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def create_project(self: Any) -> Any:
        answer = create(self)
        given = {key: self._get_param(key) for key in (*FORGOTTEN, "badgeEnabled")}
        kept = self.codebuild_backend.codebuild_projects[self._get_param("name")].project_metadata
        kept.update(_told({key: value for key, value in given.items() if value is not None}))
        return answer

    return create_project


def _where_needed(check: Callable[[Json], None]) -> Callable[[Json], None]:
    """Moto wants a place for what CodePipeline brings and takes, too."""

    def checked(given: Json) -> None:
        if given.get("type") not in UNPLACED:
            check(given)

    return checked
