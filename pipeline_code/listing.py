"""The listing: which periods a run was asked for, each by the sha256 of its manifest.

Whoever starts a run writes it under a name that holds its own sha256. The name is in the request of every job that
reads the periods, so a job with the same request reads the same data, and SageMaker may hand on what it made before.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from pipeline_code.contract import READY_MANIFEST, DataError
from pipeline_code.periods import PERIOD

if TYPE_CHECKING:
    from pathlib import Path

FILE = "listing.json"


def check(folder: Path, periods: Path, period: str) -> None:
    """Raise DataError naming every period that is not as it was when the run was asked for."""
    try:
        listed = json.loads((folder / FILE).read_text(encoding="utf-8"))
        asked, manifests = str(listed["period"]), dict(listed["manifests"])
    except (OSError, ValueError, KeyError, TypeError):
        raise DataError("listing", [f"{FILE} cannot be read; start the run anew, which writes it"]) from None
    if asked != period:
        raise DataError("listing", [f"it is of {asked}, the run of {period}; start the run anew"])
    found = _manifests(periods, period)
    again = "start the run anew"
    problems = [f"{name}: arrived after the run was asked for; {again}" for name in sorted(set(found) - set(manifests))]
    problems += [
        f"{name}: gone since the run was asked for; upload it again" for name in sorted(set(manifests) - set(found))
    ]
    problems += [
        f"{name}: changed after the run was asked for; {again}"
        for name in sorted(set(found) & set(manifests))
        if found[name] != manifests[name]
    ]
    if problems:
        raise DataError(f"periods up to {period}", problems)


def _manifests(periods: Path, period: str) -> dict[str, str]:
    """Period -> sha256 of its manifest, for the periods this run may see."""
    files = {path.parent.name: path for path in periods.glob(f"*/{READY_MANIFEST}")}
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in files.items()
        if PERIOD.fullmatch(name) and name <= period
    }
