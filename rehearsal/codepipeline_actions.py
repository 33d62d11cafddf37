"""What actions of a pipeline do: take a source, run a build of CodeBuild, wait for a person, deploy a stack.

Each reads and writes artifacts in the pipeline's own bucket, with the keys of its role.
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING

from rehearsal.build_source import NO_GIT_HOST
from rehearsal.codepipeline_cloudformation import deploy
from rehearsal.codepipeline_doing import VARIABLES, AbandonedError, Doing, Done
from rehearsal.codepipeline_execution import ActionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rehearsal.api import Json


def _source(doing: Doing) -> Done:
    """Take the object as it is now, or as the execution was told to, and hand it on, encrypted with the store's key."""
    settings, s3 = doing.settings, doing.place.client("s3")
    bucket, key = settings["S3Bucket"], settings["S3ObjectKey"]
    if s3.get_bucket_versioning(Bucket=bucket).get("Status") != "Enabled":
        raise ActionError(f"bucket {bucket} is not versioned; a source's bucket must be")
    told = doing.execution.overrides.get(doing.action["name"], {"revisionType": ""})
    key = told["revisionValue"] if told["revisionType"] == "S3_OBJECT_KEY" else key
    version = {"VersionId": told["revisionValue"]} if told["revisionType"] == "S3_OBJECT_VERSION_ID" else {}
    got = s3.get_object(Bucket=bucket, Key=key, **version)
    (output,) = doing.outputs
    put, encryption = doing.new_key(output), {"SSEKMSKeyId": doing.key} if doing.key else {}
    s3.put_object(
        Bucket=doing.store["location"], Key=put, Body=got["Body"].read(), ServerSideEncryption="aws:kms", **encryption
    )
    doing.made(output, put)
    _note_revision(doing, got["VersionId"], f"Amazon S3 version id: {got['VersionId']}", got["LastModified"])
    variables = {"BucketName": bucket, "ObjectKey": key, "VersionId": got["VersionId"], "ETag": got["ETag"].strip('"')}
    return Done({"externalExecutionId": got["VersionId"]}, variables)


def _note_revision(doing: Doing, revision: str, summary: str, created: object) -> None:
    noted = {"actionName": doing.action["name"], "name": doing.outputs[0], "revisionId": revision}
    kept = [each for each in doing.execution.revisions if each["actionName"] != doing.action["name"]]
    doing.execution.revisions = [*kept, {**noted, "revisionSummary": summary, "created": created}]


def _connection(doing: Doing) -> Done:
    """A connection needs a person's consent at the Git host's; here it is recorded, and says so when it is asked."""
    repository, branch = doing.settings.get("FullRepositoryId"), doing.settings.get("BranchName")
    raise ActionError(f"{repository}, branch {branch}: {NO_GIT_HOST}")


def _build(doing: Doing) -> Done:
    """Start the build with the input artifacts as its sources, and see how it ends; to stop does not end it."""
    codebuild = doing.place.client("codebuild")
    puts = {name: doing.new_key(name) for name in doing.outputs}
    started = codebuild.start_build(
        projectName=doing.settings["ProjectName"],
        environmentVariablesOverride=json.loads(doing.settings.get(VARIABLES, "[]")),
        **_build_sources(doing),
        **_build_artifacts(doing, puts),
    )["build"]
    result = doing.result(externalExecutionId=started["id"])
    while True:
        (build,) = codebuild.batch_get_builds(ids=[started["id"]])["builds"]
        if build["buildStatus"] != "IN_PROGRESS":
            break
        doing.waits()
    if build["buildStatus"] != "SUCCEEDED":
        raise ActionError(f"Build terminated with state: {build['buildStatus']}, {started['id']}")
    for name, key in puts.items():
        doing.made(name, key)
    return Done(result, {each["name"]: each["value"] for each in build.get("exportedEnvironmentVariables", [])})


def _build_sources(doing: Doing) -> Json:
    """The primary source by itself, the others by the names of their artifacts."""
    primary = doing.settings.get("PrimarySource") or (doing.inputs[0] if len(doing.inputs) == 1 else "")
    if primary not in doing.inputs:
        raise ActionError(f"PrimarySource = {primary!r}: name one of {', '.join(doing.inputs)}")
    others = [
        {"type": "S3", "location": doing.location(name), "sourceIdentifier": name}
        for name in doing.inputs
        if name != primary
    ]
    return {
        "sourceTypeOverride": "S3",
        "sourceLocationOverride": doing.location(primary),
        **({"secondarySourcesOverride": others} if others else {}),
    }


def _build_artifacts(doing: Doing, puts: dict[str, str]) -> Json:
    """The only output is what a build specification's `artifacts` name, several are its secondary artifacts.

    https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-CodeBuild.html
    """
    to = {"type": "S3", "location": doing.store["location"], "packaging": "ZIP", "namespaceType": "NONE"}
    named = [
        {**to, "path": key.rpartition("/")[0], "name": key.rpartition("/")[2], "artifactIdentifier": name}
        for name, key in puts.items()
    ]
    key = {"encryptionKeyOverride": doing.key} if doing.key else {}
    if len(named) == 1:
        return {"artifactsOverride": {k: v for k, v in named[0].items() if k != "artifactIdentifier"}, **key}
    return {
        "artifactsOverride": {"type": "NO_ARTIFACTS"},
        **({"secondaryArtifactsOverride": named} if named else {}),
        **key,
    }


def _approval(doing: Doing) -> Done:
    """Wait until somebody says yes or no; the token stands in the pipeline's state.

    Nobody is asked any longer once an action beside it has failed: the answer could change nothing.
    """
    token, approvals = str(uuid.uuid4()), doing.approvals
    asked: Json = {"stage": doing.told["stageName"], "action": doing.told["actionName"]}
    approvals.waiting[token] = asked
    doing.told["token"] = token
    try:
        while "result" not in asked:
            if doing.execution.broken:
                raise AbandonedError("Nobody is asked any longer: an action beside it has failed")
            doing.waits()
    finally:
        doing.told.pop("token")
        approvals.waiting.pop(token, None)
    result = asked["result"]
    if result["status"] != "Approved":
        raise ActionError(f"Rejected: {result['summary']}")
    return Done({"externalExecutionSummary": result["summary"]})


ACTIONS: dict[str, Callable[[Doing], Done]] = {
    "S3": _source,
    "CodeStarSourceConnection": _connection,
    "CodeBuild": _build,
    "Manual": _approval,
    "CloudFormation": deploy,
}
