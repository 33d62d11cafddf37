"""Key and permissions boundary: what every other room stands on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_kms as kms

from stacks.baseline_names import BaselineNames
from stacks.boundary import make_boundary
from stacks.boundary_documents import Limits
from stacks.key import KeyPlace, make_key, opened_to

if TYPE_CHECKING:
    from constructs import Construct

    from stacks.names import Names
    from stacks.readers import Readers
    from stacks.settings import GovernanceSettings


class Governance(cdk.Stack):
    """Owns the customer managed key and the permissions boundary of an environment."""

    key: kms.IKey

    def __init__(
        self, scope: Construct, id: str, *, config: GovernanceSettings, names: Names, removal: cdk.RemovalPolicy
    ) -> None:
        super().__init__(scope, id, description="Key and permissions boundary of the platform")
        if config.owner == "baseline":
            # The export of the baseline's stack in this account and region: it cannot go while we use it.
            exported = cdk.Fn.import_value(BaselineNames(names.platform).key_export)
            self.key = kms.Key.from_key_arn(self, "Key", config.key_arn or exported)
            return
        place = KeyPlace(names.key_alias, names.account, names.region, names.prefix)
        self.key = make_key(self, place, rotation_days=config.key_rotation_days, removal=removal)
        make_boundary(self, names.boundary, Limits(names.account, f"{names.prefix}-*", (names.region,)))

    def open_to(self, readers: Readers) -> None:
        """Let other environments' roles read what this key encrypts; a baseline's key its own template opens."""
        if isinstance(self.key, kms.Key):
            for statement in opened_to(readers):
                self.key.add_to_resource_policy(statement)
