"""What a model's folder held when it was deployed last: a parameter a model, which a deployment writes at its end."""

from __future__ import annotations

from typing import Any


def change_of(ssm: Any, parameter: str) -> str:
    """What names the latest change of the parameter's value, the same however often it is told; empty if none.

    A parameter is written anew for its tags, too. The version is part of the name: what is taken back is changed again.
    """
    now = ssm.get_parameter(Name=parameter)["Parameter"]
    version = int(now["Version"])
    if version == 1:
        return ""
    before = ssm.get_parameter(Name=f"{parameter}:{version - 1}")["Parameter"]
    return "" if before["Value"] == now["Value"] else f"{now['Value']}@{version}"
