"""A model of 20 plain columns, for measuring what the prepare step itself costs."""

from __future__ import annotations

from pipeline_code.model import Feature, Gates, Model
from pipeline_code.models import flight_delay
from pipeline_code.models.events.sources import KINDS, MEASURES, SOURCES

MODEL = Model(
    name="events",
    title="Events",
    description="Whether something happened, from four kinds and ten measures.",
    sources=SOURCES,
    key=("at", "id"),
    features=(*(Feature(name) for name in MEASURES), *(Feature(name, "category") for name in KINDS)),
    slices=("kind_0",),
    hyperparameters=flight_delay.MODEL.hyperparameters,
    gates=Gates(auc_floor=0.5, auc_margin=0.01, log_loss_margin=0.01, slice_rows=1_000, slice_auc_floor=0.5),
    behaviours=(),
    validation_days=14,
)
