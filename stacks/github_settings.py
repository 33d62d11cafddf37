"""Which repository on GitHub may deliver this platform, and from which account it does."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from stacks.shapes import Settings


class GitHubSettings(Settings):
    """Without this section nobody delivers from GitHub."""

    repository: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}$",
        description="owner and name of the repository, capitals as GitHub shows them",
        examples=["example-org/slipway"],
    )
    owner_id: int | None = Field(
        None,
        ge=1,
        description="GitHub's number of the owner, for a repository whose tokens carry it; goes with repository_id",
        examples=[123456],
    )
    repository_id: int | None = Field(
        None, ge=1, description="GitHub's number of the repository; goes with owner_id", examples=[456789]
    )
    branch: str = Field(
        "main", pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,199}$", description="the branch that is delivered, and no other"
    )
    account: str = Field(
        pattern=r"^[0-9]{12}$",
        description="the delivery account: it holds the roles of the workflows, and is no environment's",
        examples=["444444444444"],
    )
    region: str = Field(
        pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$",
        description="where its stack stands; roles know no region",
        examples=["eu-west-1"],
    )
    provider: Literal["stack", "account"] = Field(
        "stack", description='"stack" makes the identity provider; "account" takes the one the account has already'
    )
    boundary: Literal["stack", "baseline"] = Field(
        "stack", description='"stack" makes the boundary of the roles; "baseline" takes that of the account baseline'
    )

    @model_validator(mode="after")
    def _both_numbers(self) -> GitHubSettings:
        if (self.owner_id is None) != (self.repository_id is None):
            raise ValueError("owner_id and repository_id go together: give both, or remove both")
        return self

    @property
    def name(self) -> str:
        """The repository as GitHub's tokens name it: with numbers, which no later owner of the name can have.

        https://docs.github.com/en/actions/reference/security/oidc#immutable-subject-claims
        """
        if self.owner_id is None:
            return self.repository
        owner, name = self.repository.split("/")
        return f"{owner}@{self.owner_id}/{name}@{self.repository_id}"

    def subject(self, environment: str) -> str:
        """Whom a token speaks of that GitHub gives to a job bound to an environment of the repository."""
        return f"repo:{self.name}:environment:{environment}"
