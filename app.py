"""The CDK app: each environment file becomes one stage; guardrails and GitHub's roles are stacks beside them."""

from __future__ import annotations

import aws_cdk as cdk

from stacks import rules, validated
from stacks.baseline_names import ROLLOUT
from stacks.config import load
from stacks.delivery_names import DELIVERY
from stacks.github import GitHub
from stacks.guardrails import Guardrails
from stacks.rollout import RolloutStage
from stacks.stage import EnvironmentStage


def build(app: cdk.App) -> cdk.App:
    """Add every environment, or only those that the context value `environment` names, with commas between."""
    config = load()
    only = app.node.try_get_context("environment")
    commit = app.node.try_get_context("commit") or "unknown"
    chosen = only.split(",") if only else [*(each.name for each in config.environments), ROLLOUT]
    stages = {
        environment.name: EnvironmentStage(app, config=config, environment=environment, commit=commit)
        for environment in [config.environment(name) for name in chosen if name != ROLLOUT]
    }
    if config.platform.delivery and not only:
        from stacks.code_delivery import CodeDelivery  # and CDK Pipelines, which most synths have no use for

        CodeDelivery(app, f"{config.platform.name}-{DELIVERY}", config=config, stages=stages)
    if config.platform.rollout and ROLLOUT in chosen:
        RolloutStage(app, config=config)
    if config.platform.guardrails.account and not only:
        Guardrails(app, f"{config.platform.name}-Guardrails", config=config)
    if config.platform.github and not only:
        GitHub(app, f"{config.platform.name}-GitHub", config=config)
    return app


if __name__ == "__main__":
    main = build(cdk.App())
    if validated():
        cdk.Validations.of(main).add_plugins(rules.plugin(load().platform))
    main.synth()
