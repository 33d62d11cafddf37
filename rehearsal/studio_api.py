"""SageMaker Studio's records: domains, profiles, spaces, applications, and what must be gone before what.

Nothing runs: an application is in service as soon as it is asked for. No home file system is made, so a domain that
wants one is refused. moto knows domains only, and neither names nor what is in them.
https://docs.aws.amazon.com/sagemaker/latest/dg/gs-studio-delete-domain.html
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from moto.sagemaker.responses import SageMakerResponse

from rehearsal.api import Caller, ServiceError, install
from rehearsal.clock import clock
from rehearsal.paging import page

if TYPE_CHECKING:
    from collections.abc import Callable

Json = dict[str, Any]
K = TypeVar("K")
V = TypeVar("V")

ENDED = ("Deleted", "Failed")
APP_KEY = ("SpaceName", "UserProfileName", "AppType", "AppName")
SUMMARY = ("CreationTime", "DomainId", "LastModifiedTime", "Status")


@dataclass
class Domain:
    """One domain with all that is in it; each thing as its Describe operation tells it."""

    told: Json
    profiles: dict[str, Json] = field(default_factory=dict)
    spaces: dict[str, Json] = field(default_factory=dict)
    apps: dict[tuple[str, ...], Json] = field(default_factory=dict)

    def running(self, **of: str) -> list[str]:
        """Names of applications that have not ended, of a space or profile."""
        found = [app for app in self.apps.values() if app["Status"] not in ENDED]
        return [app["AppName"] for app in found if all(app.get(key) == value for key, value in of.items())]


class Studio:
    """The operations, by AWS's names."""

    def __init__(self) -> None:
        self.regions: defaultdict[Caller, dict[str, Domain]] = defaultdict(dict)
        self.tags: dict[str, list[Json]] = {}

    def install(self) -> None:
        others = SageMakerResponse.list_tags
        install(SageMakerResponse, {name: getattr(self, name) for name in dir(type(self)) if name[0].isupper()})
        ours = SageMakerResponse.list_tags

        def list_tags(response: Any) -> Any:
            arn = response._get_param("ResourceArn")  # noqa: SLF001 moto gives no other way
            return (ours if arn in self.tags else others)(response)

        setattr(SageMakerResponse, "list_tags", list_tags)  # noqa: B010 a mend of moto, not an oversight

    def ListTags(self, _caller: Caller, request: Json) -> Json:  # noqa: N802 AWS's name
        return {"Tags": self.tags[request["ResourceArn"]]}

    def CreateDomain(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        domains = self.regions[caller]
        if any(domain.told["DomainName"] == request["DomainName"] for domain in domains.values()):
            raise ServiceError("ResourceInUse", f"Domain with name {request['DomainName']} already exists.")
        if request.get("HomeEfsFileSystemCreation") != "Disabled":
            message = 'the embedded AWS makes no home file system; say HomeEfsFileSystemCreation = "Disabled"'
            raise ServiceError("ValidationException", message)
        made = f"d-{secrets.token_hex(6)}"
        url = f"https://{made}.studio.{caller.region}.sagemaker.aws"
        told = {"DomainId": made, "DomainArn": _arn(caller, f"domain/{made}"), "Url": url, "Status": "InService"}
        domains[made] = Domain({**_given(request), **_times(), **told})
        self.tags[told["DomainArn"]] = request.get("Tags", [])
        return {"DomainArn": told["DomainArn"], "DomainId": made, "Url": url}

    def DescribeDomain(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        return self._domain(caller, request).told

    def UpdateDomain(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        domain = self._domain(caller, request)
        identity = request.get("DomainSettingsForUpdate", {}).get("ExecutionRoleIdentityConfig")
        now = domain.told.get("DomainSettings", {}).get("ExecutionRoleIdentityConfig")
        if identity and identity != now and domain.running():
            raise ServiceError("ValidationException", "ExecutionRoleIdentityConfig changes while no app is in service.")
        settings = request.pop("DomainSettingsForUpdate", None)
        changed = {"DomainSettings": settings} if settings is not None else {}
        domain.told.update({**_given(request), **changed, "LastModifiedTime": clock.now()})
        return {"DomainArn": domain.told["DomainArn"]}

    def DeleteDomain(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        domain = self._domain(caller, request)
        within = [*domain.spaces, *domain.profiles]
        if within:
            message = f"Unable to delete Domain {request['DomainId']} because it has {', '.join(within)} in it."
            raise ServiceError("ResourceInUse", message)
        del self.regions[caller][request["DomainId"]]
        return {}

    def ListDomains(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        found = [domain.told for domain in self.regions[caller].values()]
        return page("Domains", _summaries(found, "DomainArn", "DomainName", "Url"), request)

    def CreateUserProfile(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        domain, name = self._domain(caller, request), request["UserProfileName"]
        _new(domain.profiles, name, "UserProfile")
        arn = _arn(caller, f"user-profile/{request['DomainId']}/{name}")
        domain.profiles[name] = {**_given(request), **_times(), "UserProfileArn": arn, "Status": "InService"}
        self.tags[arn] = request.get("Tags", [])
        return {"UserProfileArn": arn}

    def DescribeUserProfile(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        return self._profile(caller, request)

    def UpdateUserProfile(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        profile = self._profile(caller, request)
        profile.update({**_given(request), "LastModifiedTime": clock.now()})
        return {"UserProfileArn": profile["UserProfileArn"]}

    def DeleteUserProfile(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        domain, name = self._domain(caller, request), request["UserProfileName"]
        self._profile(caller, request)
        owned = [space for space, told in domain.spaces.items() if _owner(told) == name]
        _unused("UserProfile", name, [*owned, *domain.running(UserProfileName=name)])
        del domain.profiles[name]
        return {}

    def ListUserProfiles(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        found = self._within(caller, request, lambda domain: list(domain.profiles.values()))
        wanted = request.get("UserProfileNameContains", "")
        found = [profile for profile in found if wanted in profile["UserProfileName"]]
        return page("UserProfiles", _summaries(found, "UserProfileName"), request, newest_first=False)

    def CreateSpace(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        domain, name = self._domain(caller, request), request["SpaceName"]
        _new(domain.spaces, name, "Space")
        owner = _owner(request)
        if owner is not None and owner not in domain.profiles:
            raise ServiceError("ValidationException", f"UserProfile {owner} does not exist.")
        arn = _arn(caller, f"space/{request['DomainId']}/{name}")
        domain.spaces[name] = {**_given(request), **_times(), "SpaceArn": arn, "Status": "InService"}
        self.tags[arn] = request.get("Tags", [])
        return {"SpaceArn": arn}

    def DescribeSpace(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        return self._space(caller, request)

    def UpdateSpace(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        space = self._space(caller, request)
        space.update({**_given(request), "LastModifiedTime": clock.now()})
        return {"SpaceArn": space["SpaceArn"]}

    def DeleteSpace(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        domain, name = self._domain(caller, request), request["SpaceName"]
        self._space(caller, request)
        _unused("Space", name, domain.running(SpaceName=name))
        del domain.spaces[name]
        return {}

    def ListSpaces(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        found = self._within(caller, request, lambda domain: list(domain.spaces.values()))
        found = [space for space in found if request.get("SpaceNameContains", "") in space["SpaceName"]]
        return page("Spaces", _summaries(found, "SpaceName"), request, newest_first=False)

    def CreateApp(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        domain, key = self._domain(caller, request), _key(request)
        running = domain.apps.get(key)
        if running and running["Status"] not in ENDED:
            raise ServiceError("ResourceInUse", f"App {request['AppName']} already exists.")
        if "SpaceName" in request:
            self._space(caller, request)
        else:
            self._profile(caller, request)
        owner = request.get("SpaceName") or request["UserProfileName"]
        arn = _arn(caller, f"app/{request['DomainId']}/{owner}/{request['AppType']}/{request['AppName']}")
        domain.apps[key] = {**_given(request), "CreationTime": clock.now(), "AppArn": arn, "Status": "InService"}
        self.tags[arn] = request.get("Tags", [])
        return {"AppArn": arn}

    def DescribeApp(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        return self._app(caller, request)

    def DeleteApp(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        self._app(caller, request)["Status"] = "Deleted"  # it stays in lists for a day
        return {}

    def ListApps(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        found = self._within(caller, request, lambda domain: list(domain.apps.values()))
        for key in ("SpaceName", "UserProfileName"):
            wanted = request.get(f"{key}Equals")
            found = [app for app in found if wanted in {None, app.get(key)}]
        members = (*APP_KEY, "DomainId", "Status", "CreationTime", "ResourceSpec")
        listed = [{key: app[key] for key in members if key in app} for app in found]
        return page("Apps", listed, request, newest_first=False)

    def CreatePresignedDomainUrl(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        self._profile(caller, request)
        url = self._domain(caller, request).told["Url"]
        return {"AuthorizedUrl": f"{url}/auth?token={secrets.token_urlsafe(32)}"}

    def _domain(self, caller: Caller, request: Json) -> Domain:
        return _found(self.regions[caller], request["DomainId"], "Domain")

    def _profile(self, caller: Caller, request: Json) -> Json:
        return _found(self._domain(caller, request).profiles, request["UserProfileName"], "UserProfile")

    def _space(self, caller: Caller, request: Json) -> Json:
        return _found(self._domain(caller, request).spaces, request["SpaceName"], "Space")

    def _app(self, caller: Caller, request: Json) -> Json:
        return _found(self._domain(caller, request).apps, _key(request), "App")

    def _within(self, caller: Caller, request: Json, of: Callable[[Domain], list[Json]]) -> list[Json]:
        wanted = request.get("DomainIdEquals")
        return [each for name, domain in self.regions[caller].items() if wanted in {None, name} for each in of(domain)]


def _found(kept: dict[K, V], key: K, kind: str) -> V:
    if key not in kept:
        raise ServiceError("ResourceNotFound", f"{kind} {key!r} does not exist.")
    return kept[key]


def _new(kept: dict[str, Json], name: str, kind: str) -> None:
    if name in kept:
        raise ServiceError("ResourceInUse", f"{kind} {name} already exists.")


def _unused(kind: str, name: str, within: list[str]) -> None:
    if within:
        raise ServiceError("ResourceInUse", f"Unable to delete {kind} {name} because {', '.join(within)} is in use.")


def _owner(space: Json) -> str | None:
    owner: str | None = space.get("OwnershipSettings", {}).get("OwnerUserProfileName")
    return owner


def _key(request: Json) -> tuple[str, ...]:
    return tuple(str(request.get(part, "")) for part in APP_KEY)


def _given(request: Json) -> Json:
    return {key: value for key, value in request.items() if key != "Tags"}


def _times() -> Json:
    return {"CreationTime": clock.now(), "LastModifiedTime": clock.now()}


def _summaries(found: list[Json], *members: str) -> list[Json]:
    return [{key: told[key] for key in (*SUMMARY, *members) if key in told} for told in found]


def _arn(caller: Caller, resource: str) -> str:
    return f"arn:aws:sagemaker:{caller.region}:{caller.account}:{resource}"
