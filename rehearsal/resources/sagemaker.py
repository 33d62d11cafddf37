"""SageMaker pipelines and model package groups."""

from __future__ import annotations

import json

from rehearsal.resources import Json, Place, Provider, tags


class Pipeline(Provider):
    type = "AWS::SageMaker::Pipeline"
    known = frozenset({"PipelineDefinition", "PipelineDescription", "PipelineDisplayName", "PipelineName", "RoleArn"})
    fixed = frozenset({"PipelineName"})

    def create(self, place: Place, name: str, properties: Json) -> str:
        place.client("sagemaker").create_pipeline(
            **self._arguments(properties), ClientRequestToken=f"{name}-{'0' * 32}"[:64], Tags=tags(properties)
        )
        return str(properties["PipelineName"])

    def update(self, place: Place, physical_id: str, old: Json, new: Json) -> None:
        place.client("sagemaker").update_pipeline(**self._arguments(new))

    @staticmethod
    def _arguments(properties: Json) -> Json:
        given = {key: value for key, value in properties.items() if key not in {"PipelineDefinition", "Tags"}}
        return {**given, "PipelineDefinition": properties["PipelineDefinition"]["PipelineDefinitionBody"]}

    def read(self, place: Place, physical_id: str, properties: Json) -> object:
        return place.client("sagemaker").describe_pipeline(PipelineName=physical_id)

    def delete(self, place: Place, physical_id: str, properties: Json) -> None:
        place.client("sagemaker").delete_pipeline(PipelineName=physical_id, ClientRequestToken="0" * 32)


class ModelPackageGroup(Provider):
    type = "AWS::SageMaker::ModelPackageGroup"
    known = frozenset({"ModelPackageGroupDescription", "ModelPackageGroupName", "ModelPackageGroupPolicy"})
    fixed = frozenset({"ModelPackageGroupDescription", "ModelPackageGroupName"})

    def create(self, place: Place, name: str, properties: Json) -> str:
        made = place.client("sagemaker").create_model_package_group(
            ModelPackageGroupName=properties["ModelPackageGroupName"],
            ModelPackageGroupDescription=properties.get("ModelPackageGroupDescription", ""),
            Tags=tags(properties),
        )
        self.update(place, made["ModelPackageGroupArn"], {}, properties)
        return str(made["ModelPackageGroupArn"])

    def update(self, place: Place, physical_id: str, old: Json, new: Json) -> None:
        sagemaker, group = place.client("sagemaker"), new["ModelPackageGroupName"]
        if "ModelPackageGroupPolicy" in new:
            policy = json.dumps(new["ModelPackageGroupPolicy"])
            sagemaker.put_model_package_group_policy(ModelPackageGroupName=group, ResourcePolicy=policy)
        elif "ModelPackageGroupPolicy" in old:
            sagemaker.delete_model_package_group_policy(ModelPackageGroupName=group)

    def read(self, place: Place, physical_id: str, properties: Json) -> object:
        return place.client("sagemaker").describe_model_package_group(ModelPackageGroupName=physical_id)

    def delete(self, place: Place, physical_id: str, properties: Json) -> None:
        group = properties["ModelPackageGroupName"]
        place.client("sagemaker").delete_model_package_group(ModelPackageGroupName=group)

    def attributes(self, place: Place, physical_id: str, properties: Json) -> Json:
        return {"ModelPackageGroupArn": physical_id}
