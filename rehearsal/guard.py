"""Keeps the rehearsal on this machine: no real credentials come in, no connection goes out."""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

LONG_LIVED, TEMPORARY = "AKIA", "ASIA"
KEPT = ("HOME", "LANG", "LC_ALL", "PATH", "TERM", "TMPDIR", "TZ")
"""What a rehearsed process may see of the user's environment; AWS settings, profiles and proxies are not among it."""


class GuardError(Exception):
    """Something of a real AWS account is in reach; says what and how to take it away."""


def check(environment: Mapping[str, str]) -> None:
    """Refuse to rehearse where a mistake could reach a real account."""
    problems = []
    endpoint = environment.get("AWS_ENDPOINT_URL", "")
    rehearsed = bool(endpoint) and is_loopback(endpoint.split("//")[-1].rsplit(":", 1)[0])
    key = environment.get("AWS_ACCESS_KEY_ID", "")
    if key.startswith((LONG_LIVED, TEMPORARY)) and not rehearsed:
        problems.append(f"AWS_ACCESS_KEY_ID={key[:8]}... looks like a real key; unset it for the rehearsal")
    if environment.get("AWS_PROFILE"):
        problems.append(f"AWS_PROFILE={environment['AWS_PROFILE']} names a profile; unset it for the rehearsal")
    if endpoint and not rehearsed:
        problems.append(f"AWS_ENDPOINT_URL={endpoint} is not on this machine; unset it for the rehearsal")
    if problems:
        raise GuardError("\n".join(problems))


def clean(environment: Mapping[str, str]) -> dict[str, str]:
    """The part of the user's environment that a rehearsed process gets."""
    kept = {name: environment[name] for name in KEPT if name in environment}
    return {**kept, "NO_PROXY": "localhost,127.0.0.1"}


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def stay_on_loopback() -> None:
    """From now on this process can connect to this machine only, whatever a library wants."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in {socket.AF_INET, socket.AF_INET6} and not is_loopback(str(address[0])):
            raise GuardError(f"the embedded AWS wanted to connect to {address[0]}; it may reach this machine only")
        connect(self, address)

    setattr(socket.socket, "connect", guarded)  # noqa: B010 a guard, not an oversight
