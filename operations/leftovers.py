"""Configurations and models that releases have replaced; CloudFormation keeps them, so that a release can go back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from operations.journal import Entry

MISSING = "Could not find"
LOOKED_AT = 20
"""How many configurations, the latest that were replaced, are looked for."""


def found(call: Callable[..., Any], **request: str) -> Any:
    """What SageMaker answers, or None if the thing is not there."""
    try:
        return call(**request)
    except ClientError as error:
        if MISSING in str(error):
            return None
        raise


def collect(sagemaker: Any, entries: Sequence[Entry], live: str) -> None:
    """Remove what the releases replaced or took back, but never the configuration that is live.

    Models go first: killed in between, the configuration still tells which they were.
    """
    named = [name for entry in entries for name in (entry.replaced, entry.taken_back) if name]
    for name in list(dict.fromkeys(named))[:LOOKED_AT]:
        config = None if name == live else found(sagemaker.describe_endpoint_config, EndpointConfigName=name)
        if config is None:
            continue
        for variant in [*config["ProductionVariants"], *config.get("ShadowProductionVariants", [])]:
            if "ModelName" in variant:  # behind inference components a variant has none
                found(sagemaker.delete_model, ModelName=variant["ModelName"])
        found(sagemaker.delete_endpoint_config, EndpointConfigName=name)
