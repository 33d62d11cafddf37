"""Puts operations of our own behind AWS's protocols: moto parses the request and writes the response."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.core.utils import camelcase_to_underscores

from rehearsal.callers import caller_of, organization
from rehearsal.policies import Principal
from rehearsal.shapes import output_shape, problems

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from moto.core.responses import BaseResponse

Json = dict[str, Any]
Operation = "Callable[[Caller, Json], Json]"


class ServiceError(ServiceException):
    """An error as the service gives it: its code and its message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code, self.message = code, message


@dataclass(frozen=True)
class Caller:
    """Who asks, and where; equal for all roles of an account."""

    account: str
    region: str
    role: str = field(default="", compare=False)
    tags: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def principal(self) -> Principal:
        arn = self.role or Principal.root(self.account).arn
        return Principal(self.account, arn, organization.of(self.account), self.tags)


def install(service: type[BaseResponse], operations: Mapping[str, Callable[[Caller, Json], Json]]) -> None:
    """Answer operations (AWS's names) by functions of caller and request, whatever moto did before."""
    service.RESPONSE_KEY_PATH_TO_TRANSFORMER = {}  # they fit moto's own objects, our answers have AWS's form already
    for name, operation in operations.items():
        setattr(service, camelcase_to_underscores(name), _method(name, operation))


def _method(name: str, operation: Callable[[Caller, Json], Json]) -> Callable[[Any], ActionResult]:
    def method(self: Any) -> ActionResult:
        given = self.params if hasattr(self, "params") else json.loads(self.body or "{}")  # services that parse by hand
        request = given.original_dict() if hasattr(given, "original_dict") else dict(given)
        asks = caller_of(self)
        answer = operation(Caller(self.current_account, self.region, asks.arn, asks.tags), request)
        wrong = list(problems(answer, output_shape(self.service_name, name), name))
        if wrong:
            raise ServiceError("InternalFailure", f"the embedded AWS answers in no form of AWS's: {'; '.join(wrong)}")
        return ActionResult(answer)

    return method
