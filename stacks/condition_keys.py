"""Which actions carry which condition keys; a denial about any other action would match nothing.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsagemaker.html
"""

from __future__ import annotations

# Actions that carry sagemaker:VpcSubnets when they start something. CreateEndpointConfig carries it too, but says it
# for inference components only: any other endpoint runs where its model says. Updates need not repeat what stays.
VPC_ACTIONS = (
    "sagemaker:CreateAutoMLJob",
    "sagemaker:CreateAutoMLJobV2",
    "sagemaker:CreateCluster",
    "sagemaker:CreateDataQualityJobDefinition",
    "sagemaker:CreateDomain",
    "sagemaker:CreateHyperParameterTuningJob",
    "sagemaker:CreateJob",
    "sagemaker:CreateModelBiasJobDefinition",
    "sagemaker:CreateModelExplainabilityJobDefinition",
    "sagemaker:CreateModelQualityJobDefinition",
    "sagemaker:CreateMonitoringSchedule",
    "sagemaker:CreateNotebookInstance",
    "sagemaker:CreateProcessingJob",
    "sagemaker:CreateTrainingJob",
)
VOLUME_ACTIONS = (
    "sagemaker:CreateAutoMLJob",
    "sagemaker:CreateAutoMLJobV2",
    "sagemaker:CreateDataQualityJobDefinition",
    "sagemaker:CreateDomain",
    "sagemaker:CreateEndpointConfig",
    "sagemaker:CreateHyperParameterTuningJob",
    "sagemaker:CreateLabelingJob",
    "sagemaker:CreateModelBiasJobDefinition",
    "sagemaker:CreateModelExplainabilityJobDefinition",
    "sagemaker:CreateModelQualityJobDefinition",
    "sagemaker:CreateMonitoringSchedule",
    "sagemaker:CreateNotebookInstance",
    "sagemaker:CreateProcessingJob",
    "sagemaker:CreateTrainingJob",
    "sagemaker:CreateTransformJob",
)
NO_OUTPUT_KEY = ("sagemaker:CreateDomain", "sagemaker:CreateEndpointConfig", "sagemaker:CreateNotebookInstance")
OUTPUT_ACTIONS = (*(action for action in VOLUME_ACTIONS if action not in NO_OUTPUT_KEY), "sagemaker:CreateJob")
INSTANCE_ACTIONS = (
    "sagemaker:CreateApp",
    "sagemaker:CreateCluster",
    "sagemaker:CreateDataQualityJobDefinition",
    "sagemaker:CreateDomain",
    "sagemaker:CreateEndpointConfig",
    "sagemaker:CreateHyperParameterTuningJob",
    "sagemaker:CreateModelBiasJobDefinition",
    "sagemaker:CreateModelExplainabilityJobDefinition",
    "sagemaker:CreateModelQualityJobDefinition",
    "sagemaker:CreateMonitoringSchedule",
    "sagemaker:CreateNotebookInstance",
    "sagemaker:CreateProcessingJob",
    "sagemaker:CreateSpace",
    "sagemaker:CreateTrainingJob",
    "sagemaker:CreateTransformJob",
    "sagemaker:CreateUserProfile",
    "sagemaker:UpdateCluster",
    "sagemaker:UpdateDomain",
    "sagemaker:UpdateMonitoringSchedule",
    "sagemaker:UpdateNotebookInstance",
    "sagemaker:UpdateSpace",
    "sagemaker:UpdateTrainingJob",
    "sagemaker:UpdateUserProfile",
)
WITHOUT_INSTANCE = "system"
"""How Studio names what runs on no instance of ours."""

OVERRIDES = {
    "Source": "source.location",
    "BuildSpec": "source.buildspec",
    "SecondSource": "secondarySources",
    "Image": "environment.image",
    "Variables": "environment.environmentVariables",
    "Privileges": "environment.privilegedMode",
    "Role": "serviceRole",
    "Output": "artifacts.location",
    "Key": "encryptionKey",
    "Logs": "logsConfig",
}
"""What whoever starts a build could change for it: https://docs.aws.amazon.com/codebuild/latest/userguide/action-context-keys.html"""
