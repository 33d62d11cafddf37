"""Key and permissions boundary: what every other room stands on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_kms as kms

from stacks.boundary import make_boundary
from stacks.boundary_documents import Limits
from stacks.key import KeyPlace, make_key

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
        if config.key_arn:
            self.key = kms.Key.from_key_arn(self, "Key", config.key_arn)
            return
        place = KeyPlace(names.key_alias, names.account, names.region, names.prefix)
        self.key = make_key(self, place, rotation_days=config.key_rotation_days, removal=removal)
        make_boundary(self, names.boundary, Limits(names.account, f"{names.prefix}-*", (names.region,)))

    def open_to(self, readers: Readers) -> None:
        """Let other environments' roles read what this key encrypts; a baseline's key is its owner's to open."""
        if not isinstance(self.key, kms.Key) or not readers.environments:
            return
        who = [*readers.releasers, *readers.endpoints()]
        self.key.add_to_resource_policy(readers.let("ReadVersions", who, ["kms:Decrypt"], ["*"]))
        if readers.crowning:
            self.key.add_to_resource_policy(
                readers.let("MakeChampion", readers.crowners, ["kms:Decrypt", "kms:GenerateDataKey"], ["*"])
            )
