"""Builds one environment's rooms in order; the only file that knows them all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_iam as iam

from stacks.config import models
from stacks.data import Data
from stacks.governance import Governance
from stacks.image import Image
from stacks.names import Names, title
from stacks.network import Network
from stacks.registry import Registry
from stacks.releases import Releases
from stacks.serving import Serving, Surroundings
from stacks.training import Neighbours, Training
from stacks.triggers import Triggers

if TYPE_CHECKING:
    from constructs import Construct

    from stacks.settings import Environment, Platform


class EnvironmentStage(cdk.Stage):
    """One environment: what all models share, then registry, training and serving for each of them."""

    def __init__(self, scope: Construct, *, platform: Platform, environment: Environment, commit: str) -> None:
        names = Names.of(platform, environment)
        super().__init__(
            scope,
            names.prefix,
            env=cdk.Environment(account=environment.account, region=environment.region),
            permissions_boundary=cdk.PermissionsBoundary.from_name(names.boundary),
        )
        removal = cdk.RemovalPolicy.DESTROY if environment.disposable else cdk.RemovalPolicy.RETAIN
        self._tag(platform, environment)
        governance = Governance(self, "Governance", config=environment.governance, names=names, removal=removal)
        key = governance.key
        network = Network(self, "Network", config=environment.network, key=key, removal=removal)
        image = Image(
            self,
            "Image",
            config=environment.image,
            organization_id=platform.organization_id,
            names=names,
            key=key,
            removal=removal,
        )
        data = Data(self, "Data", config=environment.data, names=names, key=key, removal=removal)
        for account in environment.registry.reader_accounts:
            data.grant_read_versions(iam.AccountPrincipal(account))
        triggers = Triggers(
            self, "Triggers", config=environment.triggers, names=names, models=models(), key=key, removal=removal
        )
        releases = Releases(
            self,
            "Releases",
            config=environment.serving,
            names=names,
            models=models(),
            key=key,
            notices=triggers.notices,
            removal=removal,
        )
        rooms = Surroundings(key, network, image)
        for model in models():
            training, serving = self._model_rooms(model, environment, names, commit, rooms)
            training.add_stack_dependency(data)
            triggers.add_stack_dependency(training)
            serving.add_stack_dependency(data)
            serving.add_stack_dependency(releases)
        # Boundary and buckets are named, not referred to, so CloudFormation must be told what comes first.
        for room in self.node.children:
            if isinstance(room, cdk.Stack) and room is not governance:
                room.add_stack_dependency(governance)

    def _model_rooms(
        self, model: str, environment: Environment, names: Names, commit: str, rooms: Surroundings
    ) -> tuple[Training, Serving]:
        """What each model has for itself."""
        removal = cdk.RemovalPolicy.DESTROY if environment.disposable else cdk.RemovalPolicy.RETAIN
        registry = Registry(
            self, f"Registry{title(model)}", model=model, config=environment.registry, names=names, removal=removal
        )
        training = Training(
            self,
            f"Training{title(model)}",
            model=model,
            config=environment.training,
            names=names,
            commit=commit,
            rooms=Neighbours(rooms.key, rooms.network, rooms.image, registry),
        )
        serving = Serving(
            self, f"Serving{title(model)}", model=model, config=environment.serving, names=names, rooms=rooms
        )
        return training, serving

    def _tag(self, platform: Platform, environment: Environment) -> None:
        tags = {**platform.tags, "platform": platform.name, "environment": environment.name}
        for tag, value in tags.items():
            cdk.Tags.of(self).add(tag, value)
