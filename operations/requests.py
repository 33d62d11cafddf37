"""Asks an environment's starter for a run, as a person does; schedule and arrivals ask the same function."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from operations.starter import Answer, RequestError

if TYPE_CHECKING:
    from collections.abc import Mapping


def ask_starter(functions: Any, function: str, request: Mapping[str, Any]) -> Answer:
    """Ask for a run and hear what becomes of it; `functions` is a Lambda client.

    Raises RequestError if the starter refuses, with its words.
    """
    asked = {"reason": "manual", "token": uuid.uuid4().hex, **request}
    answer = functions.invoke(FunctionName=function, Payload=json.dumps({"ask": asked, "answered": True}).encode())
    told = json.loads(answer["Payload"].read())
    if answer.get("FunctionError"):
        raise RequestError(f"{function} failed: {told.get('errorType')}: {told.get('errorMessage')}")
    if told["outcome"] == "refused":
        raise RequestError(told["because"])
    return Answer(**told)
