"""A release makes a version live and proves it in every mode, by the room's own template."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest
from serving_modes import MODEL
from serving_site import PREFIX, STACK, Site

from operations.journal import SUCCEEDED
from operations.place import Place
from operations.release import Releaser
from stacks.capabilities import CAPABILITIES

if TYPE_CHECKING:
    from serving_world import Version


def place(site: Site, form: Any) -> Place:
    return dataclasses.replace(
        site.serving.place,
        stack=STACK,
        endpoint=f"{PREFIX}-flight-delay{CAPABILITIES[form].suffix}",
        parameter=f"/slipway/dev/{MODEL}/version",
        form=form,
        requests=f"s3://{site.bucket}/asynchronous/{MODEL}/requests",
    )


@pytest.mark.parametrize("form", ["serverless", "async", "component", "batch"])
def test_a_version_is_released_and_proved(site: Site, version: Version, form: str) -> None:
    site.serving.build()
    site.serving.tables()
    site.deploy(form, "none")
    releaser = Releaser(site.client, place(site, form))
    assert releaser.live() == "none"

    entry = releaser.release(version.arn)

    assert (entry.outcome, releaser.live()) == (SUCCEEDED, version.arn)
