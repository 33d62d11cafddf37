"""The verb that delivers without an account: pushes through the real pipeline, into four embedded accounts."""

from __future__ import annotations

import json
from pathlib import Path  # noqa: TC003 typer reads annotations at run time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commands.choice import ModelName, UsageError, console
from commands.rehearse import rehearsal_plan, writable
from stacks.config import ROOT, load
from stacks.delivery_names import CHANGES_PREFIX, OBJECT_KEY, DeliveryNames

if TYPE_CHECKING:
    from stacks.config import Config

ACCOUNT = "444444444444"
"""Where the rehearsed pipeline stands: in an account of its own."""

CHECKS = ("make check",)
"""What the rehearsed pipeline runs before it deploys; the whole of it takes a quarter of an hour a push."""


def rehearse_delivery(
    model: ModelName = "flight_delay",
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the facts of the run to this file.")] = None,
) -> None:
    """Push changes through the pipeline in an embedded AWS: good ones, bad ones, two at once."""
    from rehearsal import delivery_facts as results
    from rehearsal.delivery_story import start

    if json_file:
        writable(json_file)
    with start(delivery_plan(model), tell=console.print) as story:
        story.run()
        found = results.facts(story)
        for table in results.tables(found):
            console.print(table)
        if json_file:
            json_file.write_text(json.dumps(found, indent=1) + "\n")


def delivery_plan(model: str) -> Any:
    """What the story needs to know, in plain values."""
    from rehearsal.delivery_story import DeliveryPlan

    config = load()
    training = rehearsal_plan(_trains(config), model)
    names = DeliveryNames(config.platform.name, ACCOUNT, training.region)
    return DeliveryPlan(
        root=ROOT,
        training=training,
        account=names.account,
        region=names.region,
        stack=names.stack,
        pipeline=names.pipeline,
        bucket=names.bucket,
        source_bucket=names.source_bucket,
        source_key=OBJECT_KEY,
        pages=CHANGES_PREFIX,
        checks=CHECKS,
    )


def _trains(config: Config) -> str:
    if config.platform.registry is None:
        raise UsageError("the story of delivery is of versions that go on: name the `registry` in platform.toml")
    return config.platform.registry
