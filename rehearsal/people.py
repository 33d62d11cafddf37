"""What people try in the story of governance: each deed is put to whoever decides, and done only if it is allowed.

Who decides is handed in. The embedded AWS evaluates no role's own policies, conditions or boundaries, no PassRole and
none of the organization's policies, so it could refuse nothing of this.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from rehearsal.rights import Above

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rehearsal.rights import Held

Json = dict[str, Any]


class PeopleError(Exception):
    """Somebody may what they must not, or may not what they must."""


@dataclass(frozen=True)
class Asked:
    """A request with all that bears on it."""

    role: Held
    action: str
    resource: str
    context: Mapping[str, Any]
    above: Above
    resource_policy: Json | None = None


@dataclass(frozen=True)
class Reason:
    """What stands against a request; without a statement, it is that nothing of this kind allows it."""

    kind: str
    policy: str = ""
    statement: str = ""

    def __str__(self) -> str:
        if self.statement:
            return f"{self.kind} {self.policy}: {self.statement}" if self.policy else f"{self.kind}: {self.statement}"
        return f"{self.kind}: nothing allows it"


@dataclass(frozen=True)
class Answer:
    """A decision; one that refuses says why."""

    allowed: bool
    because: tuple[Reason, ...] = ()


Decide = Callable[[Asked], Answer]


@dataclass(frozen=True)
class Deed:
    """Somebody (`user`), in a role, does something; `allowed` is how it is meant to be decided."""

    user: str
    role: Held
    does: str
    action: str
    resource: str
    allowed: bool
    context: Mapping[str, Any] = field(default_factory=dict)
    resource_policy: Json | None = None


@dataclass(frozen=True)
class Decided:
    """A deed and what was said of it.

    `without` says whether it would be allowed if the organization forbade nothing; `after` how the version stands then.
    """

    deed: Deed
    answer: Answer
    without: bool
    after: str = ""


@dataclass
class People:
    """Puts deeds to whoever decides, as requests of this organization and region."""

    decide: Decide
    above: Above
    organization: str
    region: str
    decided: list[Decided] = field(default_factory=list)

    def try_to(self, deed: Deed, do: Callable[[], str] | None = None) -> None:
        """Raises PeopleError if the decision is not the one that is meant; `do` does it and says what came of it."""
        role = deed.role
        context = {
            "aws:PrincipalArn": role.arn,
            "aws:PrincipalAccount": role.account,
            "aws:PrincipalOrgID": self.organization,
            "aws:PrincipalTag/user": role.tags.get("user", deed.user),  # one person's role says whose it is
            "aws:RequestedRegion": self.region,
            "aws:SecureTransport": "true",
            **deed.context,
        }
        asked = Asked(role, deed.action, deed.resource, context, self.above, deed.resource_policy)
        answer, without = self.decide(asked), self.decide(replace(asked, above=Above()))
        if answer.allowed != deed.allowed:
            why = "; ".join(map(str, answer.because))
            raise PeopleError(
                f"{role.name}, taken on by {deed.user}, {'may' if answer.allowed else 'may not'} do {deed.action} on "
                f"{deed.resource} ({deed.does}){f': {why}' if why else ''}"
            )
        after = do() if do and answer.allowed else ""
        self.decided.append(Decided(deed, answer, without.allowed, after))
