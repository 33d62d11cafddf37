"""The listing of a run: which periods it is asked for, each by the sha256 of its manifest.

It lies in the data bucket under a name that holds its own sha256, so whoever names the listing names the data.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from operations.periods import PERIOD, READY_MANIFEST, PeriodError

FILE = "listing.json"


@dataclass(frozen=True)
class DataPlace:
    """Where a model's periods and listings lie."""

    bucket: str
    periods: str
    listings: str


def has_periods(s3: Any, place: DataPlace) -> bool:
    """Whether there is anything to train on."""
    return bool(_manifests(s3, place))


def latest_period(s3: Any, place: DataPlace) -> str:
    """The newest period that is complete."""
    names = _manifests(s3, place)
    if not names:
        raise PeriodError(
            f"no period below s3://{place.bucket}/{place.periods}/; upload one with `slipway data upload`"
        )
    return max(names)


def write_listing(s3: Any, place: DataPlace, period: str) -> str:
    """Write the listing of all periods up to this one; returns its name, which never stands for other content."""
    keys = {name: key for name, key in _manifests(s3, place).items() if name <= period}
    if period not in keys:
        known = ", ".join(sorted(keys)) or "none"
        raise PeriodError(
            f"period {period}: no {READY_MANIFEST} below s3://{place.bucket}/{place.periods}/{period}/; "
            f"upload the period first. Complete before it: {known}"
        )
    sums = {name: hashlib.sha256(_read(s3, place, key)).hexdigest() for name, key in sorted(keys.items())}
    body = json.dumps({"period": period, "manifests": sums}, indent=1).encode()
    name = f"{period}-{hashlib.sha256(body).hexdigest()[:16]}"
    s3.put_object(Bucket=place.bucket, Key=f"{place.listings}/{name}/{FILE}", Body=body, ContentType="application/json")
    return name


def starts_a_run(s3: Any, place: DataPlace, period: str) -> bool:
    """Whether a period's manifest asks for a run; history that is filled in says {"starts": false}."""
    manifest = json.loads(_read(s3, place, f"{place.periods}/{period}/{READY_MANIFEST}"))
    return bool(manifest.get("starts", True))


def _manifests(s3: Any, place: DataPlace) -> dict[str, str]:
    """Period -> key of its manifest."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=place.bucket, Prefix=f"{place.periods}/")
    keys = [found["Key"] for page in pages for found in page.get("Contents", [])]
    parts = {key: key.removeprefix(f"{place.periods}/").split("/") for key in keys}
    return {
        folder: key for key, (folder, *file) in parts.items() if file == [READY_MANIFEST] and PERIOD.fullmatch(folder)
    }


def _read(s3: Any, place: DataPlace, key: str) -> bytes:
    body: bytes = s3.get_object(Bucket=place.bucket, Key=key)["Body"].read()
    return body
