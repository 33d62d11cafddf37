"""SSM parameters."""

from __future__ import annotations

from rehearsal.resources import Json, Place, Provider


class Parameter(Provider):
    type = "AWS::SSM::Parameter"
    known = frozenset({"Description", "Name", "Type", "Value"})
    fixed = frozenset({"Name", "Type"})

    def create(self, place: Place, name: str, properties: Json) -> str:
        parameter = str(properties.get("Name", name))
        self._put(place, parameter, properties, overwrite=False)
        return parameter

    def update(self, place: Place, physical_id: str, old: Json, new: Json) -> None:
        self._put(place, physical_id, new, overwrite=True)

    @staticmethod
    def _put(place: Place, parameter: str, properties: Json, *, overwrite: bool) -> None:
        about = {"Description": properties["Description"]} if "Description" in properties else {}
        place.client("ssm").put_parameter(
            Name=parameter, Type=properties["Type"], Value=str(properties["Value"]), Overwrite=overwrite, **about
        )

    def read(self, place: Place, physical_id: str, properties: Json) -> object:
        return place.client("ssm").get_parameter(Name=physical_id)

    def delete(self, place: Place, physical_id: str, properties: Json) -> None:
        place.client("ssm").delete_parameter(Name=physical_id)

    def attributes(self, place: Place, physical_id: str, properties: Json) -> Json:
        return {"Type": properties["Type"], "Value": properties["Value"]}

    def told(self, place: Place, physical_id: str, properties: Json) -> Json:
        return {"Value": place.client("ssm").get_parameter(Name=physical_id)["Parameter"]["Value"]}
