"""What SSM announces of parameters, whoever changes them: https://docs.aws.amazon.com/systems-manager/latest/userguide/monitoring-systems-manager-event-examples.html."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moto.ssm.models import SimpleSystemManagerBackend as Parameters

from rehearsal import events
from rehearsal.api import Caller

if TYPE_CHECKING:
    from collections.abc import Callable

    from rehearsal.resources import Place


def install(place_of: Callable[[Caller], Place]) -> None:
    """Announce what moto's own operations have done."""
    put, delete, delete_some = Parameters.put_parameter, Parameters.delete_parameter, Parameters.delete_parameters

    def tell(parameters: Any, operation: str, one: Any) -> None:
        _tell(place_of(Caller(parameters.account_id, parameters.region_name)), operation, one)

    def put_parameter(self: Any, *given: Any, **named: Any) -> Any:
        made = put(self, *given, **named)
        tell(self, "Create" if made.version == 1 else "Update", made)
        return made

    def delete_parameter(self: Any, name: str) -> None:
        one = self.get_parameter(name)
        delete(self, name)
        tell(self, "Delete", one)

    def delete_parameters(self: Any, names: list[str]) -> list[str]:
        kept = {name: self.get_parameter(name) for name in names}
        gone = delete_some(self, names)
        for name in gone:
            tell(self, "Delete", kept[name])
        return gone

    for ours in (put_parameter, delete_parameter, delete_parameters):
        setattr(Parameters, ours.__name__, ours)


def _tell(place: Place, operation: str, one: Any) -> None:
    detail = {"operation": operation, "name": one.name, "type": one.parameter_type}
    if one.description:
        detail["description"] = one.description
    arn = place.arn("ssm", f"parameter/{one.name.removeprefix('/')}")
    events.send(place, "aws.ssm", "Parameter Store Change", detail, [arn])
