"""CodePipeline's action for CloudFormation: change sets made and executed, stacks made, changed and removed.

Whoever acts is the action's role, of the target's account: templates are read from the artifact in its name.
https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-CloudFormation.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from rehearsal import archive
from rehearsal.codepipeline_doing import Done
from rehearsal.codepipeline_execution import ActionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rehearsal.api import Json
    from rehearsal.codepipeline_doing import Doing

UNMADE = "REVIEW_IN_PROGRESS"
NOTHING_TO_DO = ("didn't contain changes", "No updates are to be performed")
GOOD = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"})


def deploy(doing: Doing) -> Done:
    """Carry out the action's mode with the keys of its role."""
    return MODES[doing.settings["ActionMode"]](doing)


def _replace_change_set(doing: Doing) -> Done:
    """Make the change set anew; one that would change nothing is taken away, and is no failure."""
    cloudformation, name = doing.place.client("cloudformation"), doing.settings["ChangeSetName"]
    stack = _stack(doing)
    if stack and _change_set(doing):
        cloudformation.delete_change_set(StackName=stack["StackName"], ChangeSetName=name)
    kind = "UPDATE" if stack and stack["StackStatus"] != UNMADE else "CREATE"
    made = cloudformation.create_change_set(ChangeSetName=name, ChangeSetType=kind, **_request(doing))
    result = doing.result(externalExecutionId=made["Id"])
    while (told := cloudformation.describe_change_set(ChangeSetName=made["Id"]))["Status"].startswith("CREATE_IN"):
        doing.waits()
    about = (doing.place.account, doing.settings["StackName"], name)
    doing.execution.unchanged.discard(about)
    if told["Status"] != "FAILED":
        return Done({**result, "externalExecutionSummary": f"Change set {name} was created."})
    if not any(said in told["StatusReason"] for said in NOTHING_TO_DO):
        raise ActionError(f"change set {name} of {about[1]}: {told['StatusReason']}")
    cloudformation.delete_change_set(ChangeSetName=made["Id"])
    doing.execution.unchanged.add(about)
    return Done({**result, "externalExecutionSummary": f"The change set {name} has no changes and was deleted."})


def _execute_change_set(doing: Doing) -> Done:
    """Execute what the execution has prepared, and see how it ends."""
    settings, cloudformation = doing.settings, doing.place.client("cloudformation")
    if (doing.place.account, settings["StackName"], settings["ChangeSetName"]) in doing.execution.unchanged:
        return Done({"externalExecutionSummary": "There are no changes to execute."}, _outputs(doing))
    found = _change_set(doing)
    if found is None:
        raise ActionError(f"change set {settings['ChangeSetName']} of {settings['StackName']} does not exist")
    doing.result(externalExecutionId=found["StackId"])
    cloudformation.execute_change_set(ChangeSetName=found["ChangeSetId"])
    return _ended(doing, found["StackId"])


def _create_or_update(doing: Doing) -> Done:
    cloudformation, stack = doing.place.client("cloudformation"), _stack(doing)
    if stack is None or stack["StackStatus"] == UNMADE:
        made = cloudformation.create_stack(**_request(doing))
        return _ended(doing, made["StackId"])
    try:
        cloudformation.update_stack(**_request(doing))
    except ClientError as error:
        if not any(said in str(error) for said in NOTHING_TO_DO):
            raise
        return Done({"externalExecutionSummary": "No updates are to be performed."}, _outputs(doing))
    return _ended(doing, stack["StackId"])


def _delete(doing: Doing) -> Done:
    stack = _stack(doing)
    if stack is None:
        return Done({"externalExecutionSummary": "The stack does not exist."})
    doing.place.client("cloudformation").delete_stack(StackName=stack["StackName"], **_role(doing))
    status = _settled(doing, stack["StackId"])["StackStatus"]
    if status != "DELETE_COMPLETE":
        raise ActionError(f"stack {stack['StackName']} is in {status}: {_reason(doing, stack['StackId'])}")
    return Done({"externalExecutionId": stack["StackId"]})


MODES: dict[str, Callable[[Doing], Done]] = {
    "CHANGE_SET_REPLACE": _replace_change_set,
    "CHANGE_SET_EXECUTE": _execute_change_set,
    "CREATE_UPDATE": _create_or_update,
    "DELETE_ONLY": _delete,
}


def _request(doing: Doing) -> Json:
    """Template, parameters and tags as the artifact has them, what the action overrides, and who is to deploy."""
    settings = doing.settings
    configured = settings.get("TemplateConfiguration")
    told: Json = json.loads(_file(doing, configured)) if configured else {}
    unknown = sorted(set(told) - {"Parameters", "Tags"})
    if unknown:
        raise ActionError(f"{configured}: the embedded AWS does not carry out {', '.join(unknown)}")
    parameters = {**told.get("Parameters", {}), **json.loads(settings.get("ParameterOverrides", "{}"))}
    nested = sorted(name for name, value in parameters.items() if not isinstance(value, str))
    if nested:
        raise ActionError(f"ParameterOverrides {', '.join(nested)}: the embedded AWS knows texts only, no functions")
    return {
        "StackName": settings["StackName"],
        "TemplateBody": _file(doing, settings["TemplatePath"]),
        "Parameters": [{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
        "Tags": [{"Key": name, "Value": value} for name, value in told.get("Tags", {}).items()],
        "Capabilities": [each.strip() for each in settings.get("Capabilities", "").split(",") if each],
        **_role(doing),
    }


def _role(doing: Doing) -> Json:
    return {"RoleARN": doing.settings["RoleArn"]} if "RoleArn" in doing.settings else {}


def _file(doing: Doing, named: str) -> str:
    """A file of an artifact, named as `Artifact::path`."""
    artifact, _, path = named.partition("::")
    bucket, _, key = doing.location(artifact).partition("/")
    try:
        body = doing.place.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        raise ActionError(f"artifact {artifact}, {bucket}/{key}: {error}") from None
    try:
        return archive.member(body, path)
    except KeyError:
        raise ActionError(f"artifact {artifact} has no file {path}") from None


def _stack(doing: Doing) -> Json | None:
    return _found(doing, "describe_stacks", "Stacks", StackName=doing.settings["StackName"])


def _change_set(doing: Doing) -> Json | None:
    named = {key: doing.settings[key] for key in ("StackName", "ChangeSetName")}
    return _found(doing, "describe_change_set", "", **named)


def _found(doing: Doing, operation: str, listed: str, **named: str) -> Json | None:
    """What CloudFormation says of it; None where it says that there is no such thing."""
    try:
        answer: Any = getattr(doing.place.client("cloudformation"), operation)(**named)
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    found: Json = answer[listed][0] if listed else answer
    return found


def _settled(doing: Doing, stack: str) -> Json:
    while True:
        (told,) = doing.place.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
        if not told["StackStatus"].endswith("_IN_PROGRESS"):
            found: Json = told
            return found
        doing.waits()


def _ended(doing: Doing, stack: str) -> Done:
    """The stack's outputs are the action's variables; a stack that failed fails it, with its own reason."""
    result = doing.result(externalExecutionId=stack)
    told = _settled(doing, stack)
    if told["StackStatus"] not in GOOD:
        raise ActionError(f"stack {told['StackName']} is in {told['StackStatus']}: {_reason(doing, stack)}")
    return Done(result, _outputs(doing))


def _outputs(doing: Doing) -> dict[str, str]:
    stack = _stack(doing) or {}
    return {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}


def _reason(doing: Doing, stack: str) -> str:
    """What failed first in the stack's newest operation."""
    reason = "no reason was given"
    for event in doing.place.client("cloudformation").describe_stack_events(StackName=stack)["StackEvents"]:
        if event["ResourceStatus"].endswith("_FAILED"):
            reason = f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}"
        if event.get("ResourceStatusReason") == "User Initiated":
            break
    return reason
