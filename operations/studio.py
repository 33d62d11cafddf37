"""Clears Studio: ends every application, and removes spaces and profiles that were made by hand.

CloudFormation takes away what it made, and cannot while an application that somebody started runs in it.
https://docs.aws.amazon.com/sagemaker/latest/dg/gs-studio-delete-domain.html
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

Json = dict[str, Any]

ENDED = ("Deleted", "Failed")
LONGEST_SECONDS = 1800


class StudioError(Exception):
    """What did not go away in time."""


def clear(sagemaker: Any, domain_name: str, keep: Collection[str], *, every_seconds: float = 5) -> list[str]:
    """What was ended and removed, in order; nothing where there is no such domain, or nothing to clear.

    `keep` names the profiles and spaces of the configuration.
    """
    found = [d for d in _pages(sagemaker, "list_domains", "Domains") if d["DomainName"] == domain_name]
    if not found:
        return []
    domain = {"DomainIdEquals": found[0]["DomainId"]}
    done: list[str] = []
    _until_gone(lambda: _end_apps(sagemaker, domain, done), every_seconds)
    for kind in ("Space", "UserProfile"):
        _until_gone(lambda kind=kind: _remove(sagemaker, domain, kind, keep, done), every_seconds)  # type: ignore[misc]
    return done


def _end_apps(sagemaker: Any, domain: Json, done: list[str]) -> list[str]:
    """Those that still run; what is in service is told to end."""
    running = [app for app in _pages(sagemaker, "list_apps", "Apps", **domain) if app["Status"] not in ENDED]
    for app in running:
        if app["Status"] == "InService":
            named = {key: app[key] for key in ("SpaceName", "UserProfileName", "AppType", "AppName") if key in app}
            sagemaker.delete_app(DomainId=app["DomainId"], **named)
            done.append(f"application {app['AppType']} of {app.get('SpaceName') or app['UserProfileName']}")
    return [app["AppName"] for app in running]


def _remove(sagemaker: Any, domain: Json, kind: str, keep: Collection[str], done: list[str]) -> list[str]:
    """Those that are still there and that no configuration names."""
    snake, key = {"Space": "space", "UserProfile": "user_profile"}[kind], f"{kind}Name"
    by_hand = [x for x in _pages(sagemaker, f"list_{snake}s", f"{kind}s", **domain) if x[key] not in keep]
    for one in by_hand:
        if one["Status"] != "Deleting":
            getattr(sagemaker, f"delete_{snake}")(**{"DomainId": one["DomainId"], key: one[key]})
            done.append(f"{snake.replace('_', ' ')} {one[key]}")
    return [one[key] for one in by_hand]


def _until_gone(left: Callable[[], list[str]], every_seconds: float) -> None:
    end = time.monotonic() + LONGEST_SECONDS
    while names := left():
        if time.monotonic() > end:
            raise StudioError(f"{', '.join(names)} did not go within {LONGEST_SECONDS // 60} minutes; run it again")
        time.sleep(every_seconds)


def _pages(sagemaker: Any, operation: str, key: str, **asked: str) -> Iterator[Json]:
    for page in sagemaker.get_paginator(operation).paginate(**asked):
        yield from page[key]
