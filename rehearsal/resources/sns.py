"""SNS topics, their policies and subscriptions."""

from __future__ import annotations

import json

from rehearsal.resources import Json, Place, Provider, tags


class Topic(Provider):
    type = "AWS::SNS::Topic"
    known = frozenset({"DisplayName", "KmsMasterKeyId", "TopicName"})
    fixed = frozenset({"TopicName"})

    def create(self, place: Place, name: str, properties: Json) -> str:
        topic = str(properties.get("TopicName", name))
        attributes = self._attributes(properties)
        made = place.client("sns").create_topic(Name=topic, Attributes=attributes, Tags=tags(properties))
        return str(made["TopicArn"])

    def update(self, place: Place, physical_id: str, old: Json, new: Json) -> None:
        for name, value in self._attributes(new).items():
            place.client("sns").set_topic_attributes(TopicArn=physical_id, AttributeName=name, AttributeValue=value)

    @staticmethod
    def _attributes(properties: Json) -> dict[str, str]:
        return {key: str(properties[key]) for key in ("DisplayName", "KmsMasterKeyId") if key in properties}

    def read(self, place: Place, physical_id: str, properties: Json) -> object:
        return place.client("sns").get_topic_attributes(TopicArn=physical_id)

    def delete(self, place: Place, physical_id: str, properties: Json) -> None:
        place.client("sns").delete_topic(TopicArn=physical_id)

    def attributes(self, place: Place, physical_id: str, properties: Json) -> Json:
        return {"TopicArn": physical_id, "TopicName": physical_id.rsplit(":", 1)[1]}


class TopicPolicy(Provider):
    type = "AWS::SNS::TopicPolicy"
    known = frozenset({"PolicyDocument", "Topics"})
    fixed = frozenset({"Topics"})

    def create(self, place: Place, name: str, properties: Json) -> str:
        self.update(place, name, {}, properties)
        return name

    def update(self, place: Place, physical_id: str, old: Json, new: Json) -> None:
        for topic in new["Topics"]:
            place.client("sns").set_topic_attributes(
                TopicArn=topic, AttributeName="Policy", AttributeValue=json.dumps(new["PolicyDocument"])
            )

    def read(self, place: Place, physical_id: str, properties: Json) -> object:
        (topic, *_) = properties["Topics"]
        return place.client("sns").get_topic_attributes(TopicArn=topic)["Attributes"].get("Policy")

    def delete(self, place: Place, physical_id: str, properties: Json) -> None:
        """A topic's policy goes with the topic."""


class Subscription(Provider):
    type = "AWS::SNS::Subscription"
    known = frozenset({"Endpoint", "Protocol", "TopicArn"})
    fixed = known

    def create(self, place: Place, name: str, properties: Json) -> str:
        made = place.client("sns").subscribe(
            TopicArn=properties["TopicArn"],
            Protocol=properties["Protocol"],
            Endpoint=properties["Endpoint"],
            ReturnSubscriptionArn=True,
        )
        return str(made["SubscriptionArn"])

    def read(self, place: Place, physical_id: str, properties: Json) -> object:
        return place.client("sns").get_subscription_attributes(SubscriptionArn=physical_id)

    def delete(self, place: Place, physical_id: str, properties: Json) -> None:
        place.client("sns").unsubscribe(SubscriptionArn=physical_id)
