"""Scalable dimensions that AWS has and moto does not know: they are kept and read back, nothing scales by them."""

from __future__ import annotations

from types import SimpleNamespace

from moto.applicationautoscaling import models, responses

MISSING = ("sagemaker:inference-component:DesiredCopyCount",)


def install() -> None:
    """Widen what moto accepts; it asks for the values alone."""
    known = [dimension.value for dimension in models.ScalableDimensionValueSet]
    wider = [SimpleNamespace(value=value) for value in (*known, *MISSING)]
    for module in (models, responses):
        setattr(module, "ScalableDimensionValueSet", wider)  # noqa: B010 a mend of moto, not an oversight
