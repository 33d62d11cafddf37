"""Who may do what: people's roles. What a verb means stands in `grants.py` and `lifecycle.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_iam as iam

from stacks.grants import (
    Ground,
    approve,
    ask_for_release,
    deploy,
    invoke,
    release,
    see_endpoints,
    see_platform,
    see_runs,
    see_versions,
    train,
    upload_data,
)
from stacks.names import title
from stacks.permissions import accept_inline_policy
from stacks.persona_trust import ways
from stacks.studio_grants import clear_studio, see_studio, trust, work_in_studio

if TYPE_CHECKING:
    from collections.abc import Callable

    from constructs import Construct

    from stacks.names import Names
    from stacks.persona_settings import PersonasSettings, Principals
    from stacks.studio_settings import StudioSettings

WHO_MAY: dict[str, tuple[Callable[[iam.Role, Ground], None], ...]] = {
    "data_scientist": (see_versions, see_runs, upload_data, train, ask_for_release),
    "ml_engineer": (see_versions, see_runs, see_endpoints, upload_data, train, ask_for_release, release),
    "approver": (see_versions, see_runs, approve),
    "platform_admin": (see_versions, see_runs, see_endpoints, see_platform, release, deploy),
    "auditor": (see_versions, see_runs, see_endpoints, see_platform),
    "consumer": (invoke,),
}
OF_STUDIO: dict[str, Callable[[iam.Role, Ground], None]] = {"platform_admin": clear_studio, "auditor": see_studio}
"""What those may do about Studio, where there is one, who do not work in it."""


def who_may(verb: Callable[[iam.Role, Ground], None], config: PersonasSettings, names: Names) -> list[str]:
    """The names of the roles that may do something."""
    return [names.persona(persona) for persona, _ in config.given() if verb in WHO_MAY[persona]]


class Personas(cdk.Stack):
    """Owns the roles that people take on; built last, since it speaks of every other room."""

    def __init__(
        self, scope: Construct, id: str, *, config: PersonasSettings, on: Ground, studio: StudioSettings | None
    ) -> None:
        super().__init__(scope, id, description="Roles of people")
        self._studio = studio
        for persona, principals in config.given():
            if persona != "consumer":
                self._role(on.names.persona(persona), persona, principals, on)
                continue
            for model in on.models:  # one endpoint each: who may ask one model may not ask another
                alone = Ground(on.names, on.registry, (model,), on.key_arn)
                self._role(on.names.consumer(model), persona, principals, alone)

    def _role(self, name: str, persona: str, principals: Principals, on: Ground) -> None:
        first, *others = [s for way in ways(principals, self.account) for s in way.statements()]
        role = iam.Role(
            self,
            title(name.removeprefix(on.names.prefix).replace("-", "_")),
            role_name=name,
            assumed_by=iam.PrincipalWithConditions(first.principals[0], first.conditions),
            max_session_duration=cdk.Duration.hours(8),
        )
        document = role.assume_role_policy
        assert document is not None  # noqa: S101 a role made here has one
        document.add_statements(*others)
        accept_inline_policy(role)
        for verb in WHO_MAY[persona]:
            verb(role, on)
        if self._studio and persona in self._studio.personas:
            document.add_statements(*trust(persona, self._studio, self.account))
            work_in_studio(role, on, persona, self._studio)
        elif self._studio and persona in OF_STUDIO:
            OF_STUDIO[persona](role, on)
