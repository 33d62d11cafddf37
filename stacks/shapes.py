"""What every settings class stands on: frozen, strict, and the limits that several of them share."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

LogDays = Literal[30, 90, 180, 365, 731, 1827]
InstanceType = Annotated[str, Field(pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9]+$", examples=["ml.m5.xlarge"])]


class Settings(BaseModel):
    """Frozen and strict: an unknown key is a mistake, never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
