"""The platform with a pipeline that delivers its code, as if environments/ said so."""

from pathlib import Path
from typing import Any

from conftest import Assembly, synthesize

from stacks.config import Config, load
from stacks.delivery_settings import ChatSettings, DeliverySettings, PackagesSettings, SourceSettings

ACCOUNT, REGION = "444444444444", "eu-west-1"
CONNECTION = f"arn:aws:codeconnections:{REGION}:{ACCOUNT}:connection/0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
STACK = "slipway-Delivery"

SOURCES = {
    "s3": SourceSettings(provider="s3"),
    "github": SourceSettings(
        provider="github", repository="my-team/slipway", connection_arn=CONNECTION, paths=("stacks/**", "*.toml")
    ),
    "codecommit": SourceSettings(provider="codecommit", repository="slipway"),
}


def with_delivery(source: str = "s3", **said: Any) -> Config:
    """The configuration with `[delivery]`, a source of that kind, and whatever else it is to say."""
    config = load()
    delivery = DeliverySettings(account=ACCOUNT, region=REGION, source=SOURCES[source], **said)
    return config.model_copy(update={"platform": config.platform.model_copy(update={"delivery": delivery})})


def everything(source: str) -> Config:
    """With all that `[delivery]` may say."""
    return with_delivery(
        source,
        emails=("ml@example.com",),
        chat=ChatSettings(workspace_id="T0123456789", channel_id="C0123456789"),
        packages=PackagesSettings(domain="ml", domain_owner=ACCOUNT, python="pypi-store", npm="npm-store"),
    )


def delivered(folder: Path, config: Config, *, nag: bool = False) -> Assembly:
    return synthesize(folder, nag=nag, config=config)
