"""The desired state of an environment: for each model an SSM parameter that names the version to serve, or `none`.

A serving stack reads it anew at every operation, so a deployment of infrastructure can never change what is live.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html (SSM parameter types)
"""

from __future__ import annotations

import json
from typing import Any
from urllib.request import Request, urlopen

NONE = "none"
ANSWER_SECONDS = 30


def make(ssm: Any, name: str) -> None:
    """Make the parameter with `none`; one that is there keeps what it says."""
    try:
        ssm.put_parameter(Name=name, Value=NONE, Type="String", Overwrite=False)
    except ssm.exceptions.ParameterAlreadyExists:
        return


def read(ssm: Any, name: str) -> str:
    """The version to serve, a model package's ARN, or `none`."""
    return str(ssm.get_parameter(Name=name)["Parameter"]["Value"])


def write(ssm: Any, name: str, version: str) -> None:
    """Say which version is to be served; the stack must be updated for it to come true."""
    ssm.put_parameter(Name=name, Value=version, Type="String", Overwrite=True)


def answer(event: dict[str, Any], answered: dict[str, Any]) -> None:
    """Tell CloudFormation how a custom resource went.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html
    """
    told = {key: event[key] for key in ("StackId", "RequestId", "LogicalResourceId")}
    body = json.dumps({**told, **answered}).encode()
    request = Request(event["ResponseURL"], body, {"Content-Type": ""}, method="PUT")  # noqa: S310 CloudFormation's own
    with urlopen(request, timeout=ANSWER_SECONDS):  # noqa: S310
        pass
