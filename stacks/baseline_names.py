"""What the account baseline calls its things: environments that use it must spell them alike.

No environment is among these names. The baseline is there before any environment is, the same in every account: AWS
gives accounts that join later the stack set's own parameters, never those overridden for one unit or account.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-orgs-manage-auto-deployment.html
"""

from __future__ import annotations

from dataclasses import dataclass

ROLLOUT = "rollout"
"""The stage of the stack sets; no environment may have this name while there is one."""


@dataclass(frozen=True)
class BaselineNames:
    """The physical names of the baseline, in every account alike."""

    platform: str

    @property
    def prefix(self) -> str:
        return f"{self.platform}-baseline"

    @property
    def boundary(self) -> str:
        """What roles of the platform may do at most."""
        return f"{self.prefix}-boundary"

    @property
    def deployments(self) -> str:
        """What deployments may do at most. Not called a boundary, so that no role is made with it instead of one."""
        return f"{self.prefix}-deployments"

    @property
    def key_alias(self) -> str:
        return f"alias/{self.prefix}"

    @property
    def key_export(self) -> str:
        """The export under which stacks of the same account and region find the key's ARN."""
        return f"{self.prefix}-key"

    @property
    def auditor(self) -> str:
        """The role that looks whether guardrails stand."""
        return f"{self.prefix}-auditor"

    @property
    def stack_set(self) -> str:
        return self.prefix

    @property
    def bootstrap_stack_set(self) -> str:
        return f"{self.platform}-bootstrap"
