"""What a model declares: its sources, its features, what it must prove before it may be registered.

Standard library only, because synth reads the declarations without the packages of the job image.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pipeline_code import hyperparameters as parameters
from pipeline_code.contract import ContractError

Serving = Literal["realtime", "serverless", "async", "batch"]
"""How a model's versions are served: an endpoint that answers at once, one without instances of its own, one with a
queue, or none, only the model for transform jobs."""

PERSON = re.compile(r"[\w+=.@-]{2,64}", re.ASCII)
"""How the session tag `user` may spell a person, so that a version's metadata can bear the name."""

SCHEDULE = re.compile(r"(rate|cron)\([^()]+\)")

DAY = "day"
"""Column of every prepared row: the date that splits the data by time."""

LABEL = "label"
"""Column of every prepared row: 1 if the event happened, 0 if not."""

EXCLUDED = "excluded"
"""Column that `features.make` fills with why a row has no label; null for the others."""

Make = Callable[[Mapping[str, Any]], Any]
"""`features.make`: validated sources by name (narwhals-compatible frames) -> one native frame of prepared rows."""


@dataclass(frozen=True)
class Column:
    """What one column of a source must hold. `timestamp` is UTC in ISO 8601 with a trailing Z."""

    name: str
    type: Literal["integer", "number", "string", "timestamp"]
    nullable: bool = False
    minimum: float | None = None
    maximum: float | None = None
    categories: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reference:
    """A column whose values another source lists under `key`.

    An optional reference may point nowhere: such rows are counted, not quarantined.
    """

    column: str
    source: str
    key: str
    optional: bool = False


@dataclass(frozen=True)
class Source:
    """One table the model reads.

    Events arrive anew with every period and are concatenated; of a reference source the latest period's files win.
    `date_columns` hold year, month and day of an event: a real date, in the period whose folder it lies in.
    Above the share `max_quarantined` of bad rows in one period, preparation stops. `version` goes up when the contract
    changes so that old files no longer fit; a manifest may say for which version its files were made.
    """

    name: str
    kind: Literal["event", "reference"]
    columns: tuple[Column, ...]
    unique: tuple[str, ...]
    references: tuple[Reference, ...] = ()
    date_columns: tuple[str, str, str] | None = None
    max_quarantined: float = 0.01
    version: int = 1
    null_values: tuple[str, ...] = ("", "NA")


@dataclass(frozen=True)
class Feature:
    """One input of the estimator; above the share `max_null` of nulls, preparation stops (a join went wrong)."""

    name: str
    type: Literal["number", "category"] = "number"
    max_null: float = 0.0


@dataclass(frozen=True)
class Behaviour:
    """A change of one feature on all test rows, and what the mean score must do.

    It must go up or down by at least `bound`, or be still: move by no more than `bound` either way.
    """

    name: str
    feature: str
    change: Literal["add", "set"]
    value: float
    direction: Literal["up", "down", "still"]
    bound: float

    @property
    def changed(self) -> str:
        """The change in words."""
        return f"{self.feature} {'+' if self.change == 'add' else '='} {self.value:g}"


@dataclass(frozen=True)
class Gates:
    """What a version must reach; gates.py holds the rule. Slices with fewer rows than `slice_rows` are not gated."""

    auc_floor: float
    auc_margin: float
    log_loss_margin: float
    slice_rows: int
    slice_auc_floor: float


@dataclass(frozen=True)
class Model:
    """One use case. `key` identifies and orders prepared rows; `slices` are columns to report groups by.

    `validation_days` at the end of the training months decide when boosting stops. `outcomes` are the words for labels
    0 and 1; `limits` are sentences for the report: what its figures do not say. `owner`, `intended_use` and `risk` go
    into the model card of every version. The owner is the author of every version that no person asked for: a person,
    spelled as the session tag `user` spells it. `schedule` trains on what has arrived by then, in UTC: cron(...) or
    rate(...), https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html. `serving` is how versions are
    served; with `shadow` a second version may get a copy of all requests, and its answers are dropped.
    """

    name: str
    title: str
    description: str
    sources: tuple[Source, ...]
    key: tuple[str, ...]
    features: tuple[Feature, ...]
    slices: tuple[str, ...]
    hyperparameters: Mapping[str, str]
    gates: Gates
    behaviours: tuple[Behaviour, ...]
    validation_days: int
    outcomes: tuple[str, str] = ("no", "yes")
    limits: tuple[str, ...] = ()
    owner: str = ""
    intended_use: str = ""
    risk: Literal["High", "Medium", "Low", "Unknown"] = "Unknown"
    risk_reason: str = ""
    schedule: str | None = None
    serving: Serving = "realtime"
    shadow: bool = False

    def __post_init__(self) -> None:
        problems = [*self._unknown_names(), *parameters.problems(self.hyperparameters)]
        if not PERSON.fullmatch(self.owner):
            problems.append(
                f"owner {self.owner!r}; name the person who answers for what schedules and arrivals train, "
                f"as the session tag `user` spells it: {PERSON.pattern}"
            )
        if self.schedule is not None and not SCHEDULE.fullmatch(self.schedule):
            problems.append(f"schedule {self.schedule!r}; give cron(...) or rate(...), such as cron(0 6 3 * ? *)")
        if problems:
            raise ContractError("\n".join(f"model {self.name}: {problem}" for problem in problems))

    def source(self, name: str) -> Source:
        return next(source for source in self.sources if source.name == name)

    @property
    def feature_names(self) -> tuple[str, ...]:
        return tuple(feature.name for feature in self.features)

    def _unknown_names(self) -> list[str]:
        """References, behaviours and checks that name something nobody declares."""
        columns = {source.name: {column.name for column in source.columns} for source in self.sources}
        problems = [
            f"behaviour {b.name!r} changes {b.feature!r}, which is no feature; features are {self.feature_names}"
            for b in self.behaviours
            if b.feature not in self.feature_names
        ]
        for source in self.sources:
            own = {*source.unique, *(source.date_columns or ()), *(r.column for r in source.references)}
            problems += [f"source {source.name}: no column {name!r}" for name in sorted(own - columns[source.name])]
            problems += [
                f"source {source.name}: {r.column} refers to {r.source}.{r.key}, which no source declares"
                for r in source.references
                if r.key not in columns.get(r.source, ())
            ]
        return problems
