"""What every part of one model's serving room is made from: the stack, the settings, what it stands on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import aws_cdk as cdk

from stacks.capabilities import CAPABILITIES, Capability

if TYPE_CHECKING:
    from aws_cdk import aws_kms as kms

    from stacks.capabilities import Form
    from stacks.names import Names
    from stacks.network import Network
    from stacks.serving_settings import ServingSettings

R = TypeVar("R", bound=cdk.CfnResource)

VARIANT = "main"


@dataclass(frozen=True)
class Surroundings:
    """What a serving room stands on; `registry` names where its versions come from."""

    key: kms.IKey
    network: Network
    registry: Names


@dataclass(frozen=True)
class Served:
    """One model of one environment, as its room builds it; `live` holds while there is a version to serve."""

    stack: cdk.Stack
    model: str
    config: ServingSettings
    names: Names
    rooms: Surroundings
    live: cdk.CfnCondition

    @property
    def form(self) -> Form:
        return self.names.form(self.model)

    @property
    def can(self) -> Capability:
        return CAPABILITIES[self.form]

    @property
    def endpoint(self) -> str:
        return self.names.endpoint(self.model)

    @property
    def component(self) -> str:
        """The one inference component of an endpoint that scales to zero has the endpoint's name."""
        return self.endpoint

    def while_live(self, resource: R) -> R:
        resource.cfn_options.condition = self.live
        return resource

    def replaceable(self, resource: R, condition: cdk.CfnCondition | None = None) -> R:
        """Only while live; what it replaces stays until a release is proved, so that going back needs nothing new."""
        resource.cfn_options.condition = condition or self.live
        resource.cfn_options.update_replace_policy = cdk.CfnDeletionPolicy.RETAIN
        resource.cfn_options.deletion_policy = cdk.CfnDeletionPolicy.DELETE
        return resource
