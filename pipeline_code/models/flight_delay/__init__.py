"""Will a flight from New York arrive more than 15 minutes late? Asked at its scheduled departure."""

from __future__ import annotations

from pipeline_code.model import Behaviour, Feature, Gates, Model
from pipeline_code.models.flight_delay.sources import SOURCES

MODEL = Model(
    name="flight_delay",
    title="Late arrivals of flights from New York",
    description="The probability that a flight from EWR, JFK or LGA arrives more than 15 minutes after schedule, "
    "from what is known at its scheduled departure.",
    sources=SOURCES,
    key=("time_hour", "origin", "carrier", "flight"),
    features=(
        Feature("dow"),
        Feature("minute_of_day"),
        Feature("sched_minutes"),
        Feature("distance"),
        # One plane in seven is in no registry.
        Feature("seats", max_null=0.3),
        Feature("plane_age", max_null=0.3),
        # Stations miss hours, the barometer more often than the rest.
        Feature("temp", max_null=0.05),
        Feature("humid", max_null=0.05),
        Feature("wind_speed", max_null=0.05),
        Feature("precip", max_null=0.05),
        Feature("pressure", max_null=0.25),
        Feature("visib", max_null=0.05),
        Feature("origin_load"),
        # The first two hours of a morning have no flights two hours before them.
        Feature("origin_stall", max_null=0.25),
        Feature("carrier_late_7d", max_null=0.1),
        Feature("dest_late_7d", max_null=0.1),
        Feature("carrier", "category"),
        Feature("origin", "category"),
        Feature("dest", "category"),
    ),
    slices=("origin", "carrier"),
    # Chosen on January and February against March; no later month was looked at for it.
    hyperparameters={
        "num_boost_round": "400",
        "early_stopping_rounds": "30",
        "eta": "0.05",
        "max_depth": "6",
        "min_child_weight": "20",
        "subsample": "0.8",
        "colsample_bytree": "0.6",
        "lambda": "1",
        "alpha": "0",
        "gamma": "0",
        "max_bin": "256",
        "nthread": "2",
        "seed": "7",
    },
    validation_days=14,
    gates=Gates(
        auc_floor=0.65,
        auc_margin=0.01,
        log_loss_margin=0.01,
        slice_rows=1_000,
        slice_auc_floor=0.55,
    ),
    behaviours=(),
)
