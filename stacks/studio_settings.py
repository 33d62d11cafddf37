"""Who works in SageMaker Studio, and on what: `[studio]` of an environment; without the section there is none."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from stacks.shapes import InstanceType, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stacks.names import Names
    from stacks.persona_settings import PersonasSettings

Gigabytes = Annotated[int, Field(ge=5, le=16384)]
IdleMinutes = Annotated[int, Field(ge=60, le=525600)]
"""https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_IdleSettings.html"""


MOST_USERS = 40
"""Each has a role: with one model those of all take half of a template of 1 MB, and more models take more; their names
fit into the 4 KB of one function's settings.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
"""

LONGEST_ROLE = 64
"""https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""


class StudioUser(Settings):
    """A person, with a role, a profile and a space that are nobody else's."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_+=.@-]{0,61}[A-Za-z0-9]$")] = Field(
        description="the tag `user` by which every role knows this person", examples=["bo@example.com"]
    )
    persona: Literal["approver", "data_scientist", "ml_engineer"] = Field(
        description="what the person may do in Studio; who administers or audits does so elsewhere"
    )
    instance_type: InstanceType | None = Field(
        None, description="what the person's space starts with; left out, the first of instance_types"
    )
    volume_gb: Gigabytes | None = Field(None, description="size of the space's encrypted volume; left out, volume_gb")

    @property
    def profile(self) -> str:
        """The name of profile and space; SageMaker takes letters, digits and dashes."""
        return re.sub(r"[^A-Za-z0-9]+", "-", self.name)

    @property
    def part(self) -> str:
        """The profile's name as part of a construct's id."""
        return "".join(word.capitalize() for word in self.profile.split("-"))


class StudioSettings(Settings):
    """A domain without internet; whoever is not listed has no profile in it."""

    users: tuple[StudioUser, ...] = Field(
        strict=False,
        min_length=1,
        max_length=MOST_USERS,
        description="who works in Studio, a table each",
        examples=[[{"name": "bo@example.com", "persona": "data_scientist"}]],
    )
    instance_types: tuple[InstanceType, ...] = Field(
        ("ml.t3.medium",), strict=False, min_length=1, description="what people may choose, the first unless they do"
    )
    volume_gb: Gigabytes = Field(20, description="size of a space's encrypted volume")
    idle_minutes: IdleMinutes = Field(60, description="after so long without work an application is shut down")
    longest_idle_minutes: IdleMinutes = Field(480, description="the most that people may set for their own spaces")

    @property
    def personas(self) -> tuple[str, ...]:
        """Those that somebody here is of."""
        return tuple(sorted({user.persona for user in self.users}))

    def instance_type(self, user: StudioUser) -> str:
        return user.instance_type or self.instance_types[0]

    def without_role(self, personas: PersonasSettings) -> Iterator[str]:
        """Users whose persona nobody may take on, so that they could not come in."""
        given = dict(personas.given())
        for user in self.users:
            if user.persona not in given:
                yield (
                    f"studio.users: {user.name} is a {user.persona}, which nobody may take on here; "
                    f"add {user.persona} to [personas], or remove {user.name}"
                )

    def too_long(self, names: Names) -> Iterator[str]:
        """Users whose role could not be named after them."""
        for user in self.users:
            role = names.in_studio(user.persona, user.name)
            if len(role) > LONGEST_ROLE:
                yield (
                    f"studio.users: {user.name} has a role in Studio by the name {role}, {len(role)} characters of at "
                    f"most {LONGEST_ROLE}; let the identity provider tag people with something shorter"
                )

    @model_validator(mode="after")
    def _nobody_passes_for_an_approver(self) -> StudioSettings:
        """Policies of the organization let roles named `*-approver.*` approve."""
        for user in self.users:
            if "-approver." in user.name.lower():
                raise ValueError(
                    f"users names {user.name}; no name may hold '-approver.', by which approvers' roles are known"
                )
        return self

    @model_validator(mode="after")
    def _each_once(self) -> StudioSettings:
        seen: dict[str, str] = {}
        for user in self.users:
            profile = user.profile.lower()
            if profile in seen:
                raise ValueError(
                    f"users names {user.name} and {seen[profile]}, whose profile is the same ({user.profile}); "
                    "a person has one profile and is of one persona"
                )
            seen[profile] = user.name
        return self

    @model_validator(mode="after")
    def _limits_agree(self) -> StudioSettings:
        if self.longest_idle_minutes < self.idle_minutes:
            raise ValueError(
                f"longest_idle_minutes = {self.longest_idle_minutes} is below idle_minutes = {self.idle_minutes}"
            )
        for user in self.users:
            if user.instance_type and user.instance_type not in self.instance_types:
                raise ValueError(
                    f"{user.name} starts with {user.instance_type}, which is not in instance_types; "
                    f"allowed are {', '.join(self.instance_types)}"
                )
        return self
