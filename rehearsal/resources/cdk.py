"""CDK's own metadata: CloudFormation keeps it and makes nothing of it."""

from __future__ import annotations

from rehearsal.resources import Json, Place, Provider


class Metadata(Provider):
    type = "AWS::CDK::Metadata"
    known = frozenset({"Analytics"})

    def create(self, place: Place, name: str, properties: Json) -> str:
        return name

    def update(self, place: Place, physical_id: str, old: Json, new: Json) -> None:
        """Nothing was made, so nothing changes."""

    def read(self, place: Place, physical_id: str, properties: Json) -> object:
        return True

    def delete(self, place: Place, physical_id: str, properties: Json) -> None:
        """Nothing was made."""
