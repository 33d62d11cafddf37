"""What tells people of builds and pipelines, by mail and chat: accepted as it is, made by nobody, told of as such."""

from __future__ import annotations

from rehearsal.resources import Json, Place, Provider


class _Recorded(Provider):
    """Nothing is there to be looked up; inventory.py lists the types."""

    def update(self, place: Place, physical_id: str, old: Json, new: Json) -> None:
        """Nothing is there to be changed."""

    def read(self, place: Place, physical_id: str, properties: Json) -> object:
        return {}

    def delete(self, place: Place, physical_id: str, properties: Json) -> None:
        """Nothing is there to go."""


class NotificationRule(_Recorded):
    type = "AWS::CodeStarNotifications::NotificationRule"
    known = frozenset({"DetailType", "EventTypeIds", "Name", "Resource", "Status", "Targets"})
    fixed = frozenset({"Resource"})

    def create(self, place: Place, name: str, properties: Json) -> str:
        return place.arn("codestar-notifications", f"notificationrule/{name}")


class SlackChannel(_Recorded):
    type = "AWS::Chatbot::SlackChannelConfiguration"
    known = frozenset(
        {"ConfigurationName", "GuardrailPolicies", "IamRoleArn", "SlackChannelId", "SlackWorkspaceId", "SnsTopicArns"}
    )
    fixed = frozenset({"ConfigurationName"})

    def create(self, place: Place, name: str, properties: Json) -> str:
        return place.arn("chatbot", f"chat-configuration/slack-channel/{properties['ConfigurationName']}", region=False)
