"""Who may do what: people's roles. What a verb means stands in `grants.py` and `lifecycle.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
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
from stacks.studio_grants import clear_studio, enter_studio, see_studio, trust, work_in_studio

if TYPE_CHECKING:
    from constructs import Construct

    from stacks.names import Names
    from stacks.persona_settings import PersonasSettings, Principals
    from stacks.studio_settings import StudioSettings, StudioUser

Verb = Callable[[iam.Role, Ground], None]

WHO_MAY: dict[str, tuple[Verb, ...]] = {
    "data_scientist": (see_versions, see_runs, upload_data, train, ask_for_release),
    "ml_engineer": (see_versions, see_runs, see_endpoints, upload_data, train, ask_for_release, release),
    "approver": (see_versions, see_runs, approve),
    "platform_admin": (see_versions, see_runs, see_endpoints, see_platform, release, deploy),
    "auditor": (see_versions, see_runs, see_endpoints, see_platform),
    "consumer": (invoke,),
}
NOT_IN_STUDIO = (release,)
"""From a shell only: the releaser asks services to which the VPC has no way, and nobody waits for Studio to go back."""

OF_STUDIO: dict[str, Verb] = {"platform_admin": clear_studio, "auditor": see_studio}
"""What those may do about Studio, where there is one, who do not work in it."""


def who_may(verb: Verb, config: PersonasSettings, names: Names) -> list[str]:
    """The names of the roles that may do something, but for those in Studio."""
    return [names.persona(persona) for persona, _ in config.given() if verb in WHO_MAY[persona]]


def who_may_in_studio(verb: Verb, studio: StudioSettings | None) -> list[str]:
    """The people whose roles in Studio may do something."""
    may = {persona for persona, verbs in WHO_MAY.items() if verb in verbs and verb not in NOT_IN_STUDIO}
    return [user.name for user in studio.users if user.persona in may] if studio else []


class Personas(cdk.Stack):
    """Owns the roles that people take on; built last, since it speaks of every other room."""

    def __init__(
        self, scope: Construct, id: str, *, config: PersonasSettings, on: Ground, studio: StudioSettings | None
    ) -> None:
        # Nearly a third of a large template would be spaces, and CloudFormation counts them.
        super().__init__(scope, id, description="Roles of people", suppress_template_indentation=True)
        self._studio = studio
        for persona, principals in config.given():
            if persona != "consumer":
                self._role(on.names.persona(persona), persona, principals, on)
                continue
            for model in on.models:  # one endpoint each: who may ask one model may not ask another
                alone = replace(on, route=replace(on.route, models=(model,)))
                self._role(on.names.consumer(model), persona, principals, alone)
        if studio:
            for user in studio.users:
                self._in_studio(user, studio, on)

    def _role(self, name: str, persona: str, principals: Principals, on: Ground) -> None:
        part = title(name.removeprefix(on.names.prefix).replace("-", "_"))
        role = self._made(part, name, [s for way in ways(principals, self.account) for s in way.statements()], hours=8)
        for verb in WHO_MAY[persona]:
            verb(role, on)
        if self._studio and persona in self._studio.personas:
            enter_studio(role, on, persona)
        elif self._studio and persona in OF_STUDIO:
            OF_STUDIO[persona](role, on)

    def _in_studio(self, user: StudioUser, studio: StudioSettings, on: Ground) -> None:
        """A person's role in Studio: what the persona may do, by a role whose tag says who that is.

        SageMaker names and tags no session, so a role of several people would not know which of them acts.
        https://docs.aws.amazon.com/IAM/latest/UserGuide/access_iam-tags.html
        """
        name = on.names.in_studio(user.persona, user.name)
        role = self._made(f"Studio{user.part}", name, list(trust(user, self.account)))
        cdk.Tags.of(role).add("user", user.name)
        cdk.Tags.of(role).add("persona", user.persona)
        for verb in WHO_MAY[user.persona]:
            if verb not in NOT_IN_STUDIO:
                verb(role, on)
        work_in_studio(role, on, studio)

    def _made(self, id: str, name: str, trusted: list[iam.PolicyStatement], hours: int | None = None) -> iam.Role:
        """A role of people, with a trust of these statements alone."""
        first, *others = trusted
        role = iam.Role(
            self,
            id,
            role_name=name,
            assumed_by=iam.PrincipalWithConditions(first.principals[0], first.conditions),
            max_session_duration=cdk.Duration.hours(hours) if hours else None,
        )
        document = role.assume_role_policy
        assert document is not None  # noqa: S101 a role made here has one
        document.add_statements(*others)
        accept_inline_policy(role)
        return role
