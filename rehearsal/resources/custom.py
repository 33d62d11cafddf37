"""Custom resources: the function a template names is really invoked, and answers as CloudFormation asks it to.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-custom-resources.html
"""

from __future__ import annotations

import json
import uuid

from rehearsal import custom_answers
from rehearsal.resources import Json, Place, Provider


class CustomResourceError(Exception):
    """The reason a custom resource gave, or that it gave none."""


class CustomResource(Provider):
    type = "AWS::CloudFormation::CustomResource"
    known = frozenset()  # its properties are the function's to know

    def create(self, place: Place, name: str, properties: Json) -> str:
        answer = _ask(place, "Create", name, properties, {})
        return str(answer.get("PhysicalResourceId") or name)

    def update(self, place: Place, physical_id: str, old: Json, new: Json) -> None:
        more = {"PhysicalResourceId": physical_id, "OldResourceProperties": old}
        _ask(place, "Update", physical_id, new, more)

    def read(self, place: Place, physical_id: str, properties: Json) -> object:
        """Only its function knows what it made; that it is there, and what it said, is all that can be read."""
        arn = properties["ServiceToken"]
        return place.client("lambda").get_function(FunctionName=arn.rsplit(":", 1)[-1])

    def delete(self, place: Place, physical_id: str, properties: Json) -> None:
        _ask(place, "Delete", physical_id, properties, {"PhysicalResourceId": physical_id})

    def attributes(self, place: Place, physical_id: str, properties: Json) -> Json:
        return custom_answers.data_of(physical_id)


def _ask(place: Place, kind: str, name: str, properties: Json, more: Json) -> Json:
    client, request = place.client("lambda"), uuid.uuid4().hex
    event = {
        "RequestType": kind,
        "RequestId": request,
        "ResponseURL": custom_answers.url(client.meta.endpoint_url, request),
        "StackId": place.arn("cloudformation", f"stack/{name}"),
        "LogicalResourceId": name,
        "ResourceType": CustomResource.type,
        "ResourceProperties": properties,
        **more,
    }
    with custom_answers.expect(request) as answer:
        function = properties["ServiceToken"].rsplit(":", 1)[-1]
        client.invoke(FunctionName=function, InvocationType="Event", Payload=json.dumps(event).encode())
        given = answer()
    if given is None:
        raise CustomResourceError(f"{function} did not answer; CloudFormation would wait an hour for it")
    if given["Status"] != "SUCCESS":
        raise CustomResourceError(str(given.get("Reason") or f"{function} said {given['Status']}"))
    return given
