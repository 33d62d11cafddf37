"""Image repositories."""

from __future__ import annotations

import json

from rehearsal.resources import Json, Place, Provider, call, tags


class Repository(Provider):
    type = "AWS::ECR::Repository"
    known = frozenset(
        {
            "EmptyOnDelete",
            "EncryptionConfiguration",
            "ImageScanningConfiguration",
            "ImageTagMutability",
            "LifecyclePolicy",
            "RepositoryName",
            "RepositoryPolicyText",
        }
    )
    fixed = frozenset({"EncryptionConfiguration", "RepositoryName"})

    def create(self, place: Place, name: str, properties: Json) -> str:
        ecr = place.client("ecr")
        repository = str(properties.get("RepositoryName", name.lower()))
        settings = ("EncryptionConfiguration", "ImageScanningConfiguration", "ImageTagMutability")
        given = {key: properties[key] for key in settings if key in properties}
        call(ecr, "create_repository", RepositoryName=repository, Tags=tags(properties), **given)
        self._policies(place, repository, properties)
        return repository

    def update(self, place: Place, physical_id: str, old: Json, new: Json) -> None:
        if "ImageTagMutability" in new:
            place.client("ecr").put_image_tag_mutability(
                repositoryName=physical_id, imageTagMutability=new["ImageTagMutability"]
            )
        self._policies(place, physical_id, new)

    def _policies(self, place: Place, repository: str, properties: Json) -> None:
        ecr = place.client("ecr")
        if "LifecyclePolicy" in properties:
            text = properties["LifecyclePolicy"]["LifecyclePolicyText"]
            ecr.put_lifecycle_policy(repositoryName=repository, lifecyclePolicyText=text)
        if "RepositoryPolicyText" in properties:
            text = json.dumps(properties["RepositoryPolicyText"])
            ecr.set_repository_policy(repositoryName=repository, policyText=text)

    def read(self, place: Place, physical_id: str, properties: Json) -> object:
        return place.client("ecr").describe_repositories(repositoryNames=[physical_id])["repositories"]

    def delete(self, place: Place, physical_id: str, properties: Json) -> None:
        force = bool(properties.get("EmptyOnDelete", False))
        place.client("ecr").delete_repository(repositoryName=physical_id, force=force)

    def attributes(self, place: Place, physical_id: str, properties: Json) -> Json:
        host = f"{place.account}.dkr.ecr.{place.region}.amazonaws.com"
        return {"Arn": place.arn("ecr", f"repository/{physical_id}"), "RepositoryUri": f"{host}/{physical_id}"}
