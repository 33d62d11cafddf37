"""Both ends of a person's request for a run: the person signs it, a function finds out who that is and hands it on.

People reach the starter this way only. Whoever could invoke the starter itself could say who asks.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from operations.proof import author_of, prove, proven
from operations.starter import Answer, RequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

STATED = ("model", "period", "parameters", "steps", "source", "token")
"""What people say of a run; why it runs and whose it is, is found out."""


@dataclass(frozen=True)
class Door:
    """Where people's requests come in: the roles that may ask, the starter, and STS; `functions` is a Lambda client.

    `askers` are roles whose sessions bear a person's name, `in_studio` says of each role in Studio whose it is.
    """

    functions: Any
    starter: str
    askers: tuple[str, ...]
    sts: str
    in_studio: Mapping[str, str] = field(default_factory=dict)

    def hand_on(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """The starter's answer to a request and its proof; raises ProofError or RequestError.

        A proof that comes again asks for the same again, by the same person: the token makes that one run.
        """
        asked = event.get("ask")
        if not isinstance(asked, dict) or not set(asked) <= set(STATED):
            told = sorted(set(asked) - set(STATED)) if isinstance(asked, dict) else asked
            raise RequestError(f"a request says {', '.join(STATED)}; not {told}")
        if not (isinstance(asked.get("token"), str) and asked["token"]):
            raise RequestError("no token; give one that is the same whenever the request is the same")
        arn = proven(event.get("proof"), asked, self.sts)
        author = author_of(arn, self.askers, self.in_studio)
        by = {"reason": "manual", "started_by": arn, "author": author, "token": f"{author}/{asked['token']}"}
        return _invoke(self.functions, self.starter, {"ask": {**asked, **by}, "answered": True})


def ask_for_run(functions: Any, function: str, credentials: Any, request: Mapping[str, Any]) -> Answer:
    """Ask for a run and hear what becomes of it; `functions` is a Lambda client of whose credentials these are.

    Raises RequestError if it is refused, with the words of whoever refused.
    """
    asked = {"token": uuid.uuid4().hex, **request}
    proof = prove(credentials, functions.meta.region_name, asked)
    told = _invoke(functions, function, {"ask": asked, "proof": proof})
    if told["outcome"] == "refused":
        raise RequestError(told["because"])
    return Answer(**told)


def _invoke(functions: Any, function: str, event: Mapping[str, Any]) -> dict[str, Any]:
    answer = functions.invoke(FunctionName=function, Payload=json.dumps(event).encode())
    told: dict[str, Any] = json.loads(answer["Payload"].read())
    if answer.get("FunctionError"):
        raise RequestError(f"{function} failed: {told.get('errorType')}: {told.get('errorMessage')}")
    return told
