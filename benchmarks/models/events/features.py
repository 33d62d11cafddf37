"""The columns as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from pipeline_code.model import DAY, EXCLUDED, LABEL
from pipeline_code.models.events.sources import KINDS, MEASURES

if TYPE_CHECKING:
    from collections.abc import Mapping


def make(sources: Mapping[str, Any]) -> Any:
    """One row per event."""
    events = nw.from_native(sources["events"]).lazy()
    made = events.with_columns(
        nw.col("at").dt.date().alias(DAY),
        nw.col("happened").alias(LABEL),
        nw.lit(None).cast(nw.String).alias(EXCLUDED),
    )
    return made.select("at", "id", DAY, *MEASURES, *KINDS, LABEL, EXCLUDED).to_native()
