"""Who may take on which role: people as Identity Center, an identity provider or an account of theirs knows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field, model_validator

from stacks.shapes import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

Account = Annotated[str, Field(pattern=r"^[0-9]{12}$")]


class Principals(Settings):
    """Whoever comes this way, with a session tag `user` that says who it is."""

    permission_sets: tuple[Annotated[str, Field(pattern=r"^[\w+=,.@-]{1,32}$")], ...] = Field(
        (),
        strict=False,
        description="permission sets of IAM Identity Center in this account",
        examples=[["Scientists"]],
    )
    saml_providers: tuple[
        Annotated[str, Field(pattern=r"^arn:aws:iam::[0-9]{12}:saml-provider/[\w.-]{1,128}$")], ...
    ] = Field((), strict=False, description="SAML identity providers of this account, by ARN")
    accounts: tuple[Account, ...] = Field(
        (), strict=False, description="accounts whose own roles may come", examples=[["444444444444"]]
    )

    @model_validator(mode="after")
    def _somebody(self) -> Principals:
        if not (self.permission_sets or self.saml_providers or self.accounts):
            raise ValueError("nobody may take it on; give permission_sets, saml_providers or accounts, or remove it")
        for key in ("permission_sets", "saml_providers", "accounts"):
            given = getattr(self, key)
            twice = sorted({one for one in given if given.count(one) > 1})
            if twice:
                raise ValueError(f"{key} names {', '.join(twice)} twice; once is enough")
        return self


class PersonasSettings(Settings):
    """The people of an environment; who is left out has no role here."""

    data_scientist: Principals | None = Field(None, description="uploads data, trains, asks for a release")
    ml_engineer: Principals | None = Field(None, description="a data scientist who also releases and goes back")
    approver: Principals | None = Field(None, description="approves, rejects and archives what others made")
    platform_admin: Principals | None = Field(None, description="deploys the platform, sees all, releases")
    auditor: Principals | None = Field(None, description="reads everything but data, changes nothing")
    consumer: Principals | None = Field(None, description="invokes endpoints, nothing else; one role a model")

    def given(self) -> Iterator[tuple[str, Principals]]:
        """Those that somebody may take on."""
        for persona in type(self).model_fields:
            principals = getattr(self, persona)
            if principals is not None:
                yield persona, principals
