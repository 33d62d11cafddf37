"""Builds one environment's rooms in order; the only file that knows them all."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import aws_cdk as cdk

from stacks.budgets import Budgets
from stacks.config import models
from stacks.copies import Copies
from stacks.data import Data
from stacks.delivery import Delivery
from stacks.delivery_names import Deliverers
from stacks.function import Shared
from stacks.governance import Governance
from stacks.grants import Ground, train
from stacks.image import Image
from stacks.names import Names, title
from stacks.network import Network
from stacks.notices import Notices
from stacks.organization import keep_within
from stacks.personas import Personas, who_may, who_may_in_studio
from stacks.readers import Readers
from stacks.registry import Registry
from stacks.releases import Releases
from stacks.route import Route
from stacks.served import Surroundings
from stacks.serving import Serving
from stacks.studio import Studio
from stacks.tenants import tenants_of
from stacks.training import Neighbours, Training
from stacks.triggers import Triggers

if TYPE_CHECKING:
    from constructs import Construct

    from stacks.config import Config
    from stacks.settings import Environment


class EnvironmentStage(cdk.Stage):
    """One environment: what all models share, then what each of them has; training only where models are trained."""

    def __init__(self, scope: Construct, *, config: Config, environment: Environment, commit: str) -> None:
        self._config, self._environment, self._commit = config, environment, commit
        self._names = names = Names.of(config.platform, environment)
        self._route = Route.of(config, environment)
        super().__init__(
            scope,
            names.prefix,
            env=cdk.Environment(account=environment.account, region=environment.region),
            permissions_boundary=cdk.PermissionsBoundary.from_name(names.boundary),
        )
        self._removal = cdk.RemovalPolicy.DESTROY if environment.disposable else cdk.RemovalPolicy.RETAIN
        self._tag()
        self._governance = Governance(
            self, "Governance", config=environment.governance, names=names, removal=self._removal
        )
        key = self._governance.key
        self._network = Network(
            self,
            "Network",
            config=environment.network,
            registry=self._route.holds,
            tenants=tenants_of(environment),
            key=key,
            removal=self._removal,
        )
        self._notices = Notices(self, "Notices", config=environment.notices, names=names, key=key)
        Budgets(self, "Budgets", config=environment.budget, names=names, tags=self._tags).add_stack_dependency(
            self._notices
        )
        self._data = Data(self, "Data", config=environment.data, names=names, key=key, removal=self._removal)
        self._train()
        if self._route.copies:
            self._keep_copies()
        self._serve()
        self._people()
        if config.platform.organization_id:
            keep_within(self, config.platform.organization_id)
        # Boundary and buckets are named, not referred to, so CloudFormation must be told what comes first.
        for room in self.node.children:
            if isinstance(room, cdk.Stack) and room is not self._governance:
                room.add_stack_dependency(self._governance)

    def _train(self) -> None:
        """Where models are trained: images, triggers, a pipeline and a registry for each, and what releases them."""
        environment, names, key = self._environment, self._names, self._governance.key
        if not (environment.image and environment.training and environment.triggers):
            return
        readers = self._readers()
        self._governance.open_to(readers)
        self._data.keep_runs(names, readers)
        image = Image(
            self, "Image", config=environment.image, names=names, readers=readers, key=key, removal=self._removal
        )
        triggers = Triggers(
            self,
            "Triggers",
            config=environment.triggers,
            names=names,
            models=models(),
            askers=who_may(train, environment.personas, names),
            in_studio=who_may_in_studio(train, environment.studio),
            image=image,
            key=key,
            notices=self._notices.topic,
            removal=self._removal,
        )
        for model in models():
            registry = Registry(
                self, f"Registry{title(model)}", model=model, names=names, readers=readers, removal=self._removal
            )
            training = Training(
                self,
                f"Training{title(model)}",
                model=model,
                config=environment.training,
                names=names,
                commit=self._commit,
                rooms=Neighbours(key, self._network, image, registry, {**self._tags, "model": model}),
            )
            cdk.Tags.of(registry).add("model", model)
            cdk.Tags.of(training).add("model", model)
            training.add_stack_dependency(self._data)
            triggers.add_stack_dependency(training)

    def _keep_copies(self) -> None:
        """Where versions come to be copied: a registry without what trains for it."""
        names = self._names
        self._data.keep_copies(names)
        Copies(self, "Copies", names=names, key=self._governance.key, removal=self._removal)
        for model in models():
            registry = Registry(
                self,
                f"Registry{title(model)}",
                model=model,
                names=names,
                readers=self._readers(),
                removal=self._removal,
            )
            cdk.Tags.of(registry).add("model", model)

    def _serve(self) -> None:
        """What every environment has: the versions it is to serve, and an endpoint for each model."""
        environment, names, route = self._environment, self._names, self._route
        key = self._governance.key
        releases = Releases(
            self,
            "Releases",
            names=names,
            route=route,
            deliverers=Deliverers.of(self._config.platform, environment),
            shared=self._shared(environment.serving.log_retention_days),
        )
        for model in models():
            rooms = Surroundings(key, self._network, route.holds)
            serving = Serving(
                self, f"Serving{title(model)}", model=model, config=environment.serving, names=names, rooms=rooms
            )
            cdk.Tags.of(serving).add("model", model)
            serving.add_stack_dependency(self._data)
            serving.add_stack_dependency(self._notices)
            serving.add_stack_dependency(releases)
        if route.trains == names:
            delivery = Delivery(
                self,
                "Delivery",
                names=names,
                targets=self._targets(),
                models=models(),
                table=releases.table,
                shared=self._shared(environment.serving.log_retention_days),
            )
            delivery.add_stack_dependency(self._data)

    def _people(self) -> None:
        """Last, because people may touch what every other room made."""
        ground = Ground(self._names, self._route, self._governance.key.key_arn)
        people, studio = self._environment.personas, self._environment.studio
        if not any(people.given()):
            return
        personas = Personas(self, "Personas", config=people, on=ground, studio=studio)
        if studio:
            key, network = self._governance.key, self._network
            room = Studio(self, "Studio", config=studio, names=self._names, key=key, network=network)
            room.add_stack_dependency(personas)

    def _targets(self) -> list[tuple[Names, str]]:
        """The environments that take versions from here, each with its stage."""
        platform = self._config.platform
        return [(Names.of(platform, e), e.stage) for e in self._config.released_from(self._environment)]

    def _readers(self) -> Readers:
        return Readers.of(self._config, self._environment)

    def _shared(self, log_days: int) -> Shared:
        return Shared(self._governance.key, self._notices.topic, json.dumps({}), log_days, self._removal)

    @property
    def _tags(self) -> dict[str, str]:
        """On all that bears tags; what is one model's says so too."""
        platform = self._config.platform
        return {**platform.tags, "platform": platform.name, "environment": self._environment.name}

    def _tag(self) -> None:
        for tag, value in self._tags.items():
            cdk.Tags.of(self).add(tag, value)
