"""The same work as a data scientist would write it in pandas. `... PERIODS OUT`."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

KINDS = [f"kind_{i}" for i in range(4)]
MEASURES = [f"measure_{i}" for i in range(10)]
ALLOWED = ["alpha", "beta", "gamma", "delta", "epsilon"]
VALIDATION_DAYS = 14


def main(periods: Path, out: Path) -> None:
    files = sorted(periods.glob("*/events.csv"))
    events = pd.concat(
        [pd.read_csv(file, parse_dates=["at"]).assign(period=file.parent.name) for file in files], ignore_index=True
    )
    good = ~events["id"].duplicated() & (events["id"] >= 0) & events["happened"].between(0, 1)
    for name in KINDS:
        good &= events[name].isin(ALLOWED)
    for name in MEASURES:
        good &= events[name].between(-100, 200)
    date = pd.to_datetime(events[["year", "month", "day"]], errors="coerce")
    good &= date.dt.strftime("%Y-%m") == events["period"]
    good &= events.notna().all(axis=1)
    out.mkdir(parents=True)
    events[~good].to_csv(out / "quarantine.csv")
    rows = events[good].assign(day=date[good].dt.normalize()).sort_values(["at", "id"])
    is_test = rows["period"] == files[-1].parent.name
    before = rows[~is_test]
    is_validation = before["day"] > before["day"].max() - pd.Timedelta(days=VALIDATION_DAYS)
    columns = ["at", "id", "day", *MEASURES, *KINDS, "happened"]
    for name, part in (
        ("train", before[~is_validation]),
        ("validation", before[is_validation]),
        ("test", rows[is_test]),
    ):
        part[columns].to_parquet(out / f"{name}.parquet", index=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
