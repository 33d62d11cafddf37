"""SageMaker Studio: domains, user profiles and spaces."""

from __future__ import annotations

from rehearsal.resources import Json, Place, Provider, call, tags

FOR_UPDATE = {"DomainSettings": "DomainSettingsForUpdate"}
"""What UpdateDomain calls otherwise than CreateDomain."""


class Domain(Provider):
    type = "AWS::SageMaker::Domain"
    fixed = frozenset({"AuthMode", "DomainName", "KmsKeyId"})
    changing = frozenset(
        {
            "AppNetworkAccessType",
            "DefaultUserSettings",
            "DomainSettings",
            "HomeEfsFileSystemCreation",
            "SubnetIds",
            "TagPropagation",
            "VpcId",
        }
    )
    known = fixed | changing

    def create(self, place: Place, name: str, properties: Json) -> str:
        given = {key: value for key, value in properties.items() if key != "Tags"}
        made = call(place.client("sagemaker"), "create_domain", **given, Tags=tags(properties))
        return str(made["DomainId"])

    def update(self, place: Place, physical_id: str, old: Json, new: Json) -> None:
        changed = {FOR_UPDATE.get(key, key): new[key] for key in self.changing if key in new}
        call(place.client("sagemaker"), "update_domain", DomainId=physical_id, **changed)

    def read(self, place: Place, physical_id: str, properties: Json) -> object:
        return place.client("sagemaker").describe_domain(DomainId=physical_id)

    def delete(self, place: Place, physical_id: str, properties: Json) -> None:
        place.client("sagemaker").delete_domain(DomainId=physical_id)

    def attributes(self, place: Place, physical_id: str, properties: Json) -> Json:
        told = place.client("sagemaker").describe_domain(DomainId=physical_id)
        return {key: told[key] for key in ("DomainArn", "DomainId", "Url")}


class _Within:
    """What stands in a domain, under a name of its own; CloudFormation's id of it is `name|domain`."""

    kind: str
    snake: str
    changing: frozenset[str]

    def create(self, place: Place, name: str, properties: Json) -> str:
        given = {key: value for key, value in properties.items() if key != "Tags"}
        call(place.client("sagemaker"), f"create_{self.snake}", **given, Tags=tags(properties))
        return f"{properties[f'{self.kind}Name']}|{properties['DomainId']}"

    def update(self, place: Place, physical_id: str, old: Json, new: Json) -> None:
        changed = {key: new[key] for key in self.changing if key in new}
        call(place.client("sagemaker"), f"update_{self.snake}", **self._named(physical_id), **changed)

    def read(self, place: Place, physical_id: str, properties: Json) -> object:
        return call(place.client("sagemaker"), f"describe_{self.snake}", **self._named(physical_id))

    def delete(self, place: Place, physical_id: str, properties: Json) -> None:
        call(place.client("sagemaker"), f"delete_{self.snake}", **self._named(physical_id))

    def attributes(self, place: Place, physical_id: str, properties: Json) -> Json:
        arn = f"{self.kind}Arn"
        return {arn: call(place.client("sagemaker"), f"describe_{self.snake}", **self._named(physical_id))[arn]}

    def _named(self, physical_id: str) -> Json:
        name, domain = physical_id.split("|")
        return {"DomainId": domain, f"{self.kind}Name": name}


class UserProfile(_Within, Provider):
    type = "AWS::SageMaker::UserProfile"
    kind, snake = "UserProfile", "user_profile"
    fixed = frozenset({"DomainId", "UserProfileName"})
    changing = frozenset({"UserSettings"})
    known = fixed | changing


class Space(_Within, Provider):
    type = "AWS::SageMaker::Space"
    kind, snake = "Space", "space"
    fixed = frozenset({"DomainId", "OwnershipSettings", "SpaceName", "SpaceSharingSettings"})
    changing = frozenset({"SpaceDisplayName", "SpaceSettings"})
    known = fixed | changing
