"""What `slipway rollout` prints, read as a person reads it."""

from __future__ import annotations

import re
from typing import Any

COLUMNS = re.compile(r" {2,}")
PLANNED = re.compile(r"\d{12} ")


def planned(said: str) -> list[dict[str, Any]]:
    """The table of `slipway rollout plan`: a row an account, and what each stack set does there."""
    table = [COLUMNS.split(line) for line in said.splitlines() if line.startswith("account ") or PLANNED.match(line)]
    (_, _, _, _, *stack_sets), *rows = table
    return [
        {
            "account": account,
            "name": name,
            "unit": unit,
            "region": region,
            "does": dict(zip(stack_sets, does, strict=True)),
        }
        for account, name, unit, region, *does in rows
    ]


def drifted(said: str) -> list[dict[str, Any]]:
    """What `slipway rollout drift` named: a stack each, with its differences."""
    found: list[dict[str, Any]] = []
    for line in said.splitlines():
        if line.startswith("  "):
            found[-1]["differences"].append(line.strip())
        else:
            about, _, how = line.partition(": ")
            stack_set, _, place = about.partition(" in ")
            found.append({"stack_set": stack_set, "place": place, "how": how, "differences": []})
    return found
