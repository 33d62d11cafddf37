"""What `[triggers]` and `[notices]` may say: what starts runs, and who hears of what went wrong."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from stacks.shapes import LogDays, Settings


class NoticesSettings(Settings):
    """Who hears of failed runs, refused releases and raised alarms."""

    emails: tuple[Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")], ...] = Field(
        (), strict=False, description="who is told", examples=[["ml-platform@example.com"]]
    )


class TriggersSettings(Settings):
    """What starts runs beside people."""

    arrival: bool = Field(True, description="a period's manifest that arrives starts a run")
    schedule: bool = Field(True, description="the models' own schedules start runs")
    code: bool = Field(True, description="a deployment that changes a model's folder starts a run of that model")
    log_retention_days: LogDays = Field(90, description="how long logs of starter and notifier are kept")
