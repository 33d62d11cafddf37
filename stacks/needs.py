"""How many instances of which type an account must be allowed at a time, as Service Quotas calls them.

A quota is the account's in a region: environments that share both share it. Blue/green has two fleets at once, and a
shadow is a fleet of its own; a run does one step at a time, and there is one run a model.
https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-blue-green.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline_code.models import load_model
from pipeline_code.steps import steps
from stacks.capabilities import CAPABILITIES
from stacks.config import models
from stacks.names import Names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stacks.config import Config
    from stacks.serving_settings import ServingSettings
    from stacks.settings import Environment

ENDPOINT, TRANSFORM = "endpoint usage", "transform job usage"
PROCESSING, TRAINING, SPOT = "processing job usage", "training job usage", "spot training job usage"


@dataclass(frozen=True)
class Need:
    """So many instances, under the name of their quota, and the setting that asks for them."""

    quota: str
    number: int
    setting: str


def needs_of(config: Config, environment: Environment) -> list[Need]:
    """What an environment needs of its account and region, with the others that are in the same, by quota."""
    here = (environment.account, environment.region)
    sharing = [each for each in config.environments if (each.account, each.region) == here]
    found: dict[str, list[Need]] = {}
    for each in sharing:
        for need in [*_endpoints(Names.of(config.platform, each), each), *_jobs(each)]:
            found.setdefault(need.quota, []).append(need)
    return [
        Need(quota, sum(need.number for need in asked), ", ".join(dict.fromkeys(need.setting for need in asked)))
        for quota, asked in sorted(found.items())
    ]


def _endpoints(names: Names, environment: Environment) -> Iterator[Need]:
    for model in models():
        form, serving = names.form(model), environment.serving.of(model)
        if form == "serverless":
            continue  # it has no instances
        if form == "batch":
            yield Need(f"{serving.instance_type} for {TRANSFORM}", 1, f"[serving] of {environment.name}")
            continue
        fleets = (2 if CAPABILITIES[form].canary else 1) * (2 if load_model(model).shadow else 1)
        number = fleets * _most_instances(serving)
        yield Need(f"{serving.instance_type} for {ENDPOINT}", number, f"[serving] of {environment.name}")


def _most_instances(serving: ServingSettings) -> int:
    return max([serving.max_instances, *(schedule.max_instances for schedule in serving.schedules)])


def _jobs(environment: Environment) -> Iterator[Need]:
    """One of each kind and type a model, wherever the steps that share it stand in the run."""
    if environment.training is None:
        return
    used = set()
    for step in steps():
        job = environment.training.job(step.name)
        use = PROCESSING if step.kind == "Processing" else SPOT if job.spot_wait_minutes else TRAINING
        used.add(f"{job.instance_type} for {use}")
    for quota in sorted(used):
        yield Need(quota, len(models()), f"[training] of {environment.name}")
