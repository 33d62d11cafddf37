"""The list of instance types the platform may run on: whatever an environment names must be on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stacks.settings import Environment

KEYS = ("instance_type", "instance_types")
"""How every section, and every table of a model or step in it, calls them."""


def outside_the_list(folder: str, allowed: Sequence[str], environments: Sequence[Environment]) -> Iterator[str]:
    """Each instance type that is not on the list, with file, key and what is allowed; an empty list allows all."""
    if not allowed:
        return
    for environment in environments:
        for key, named in _named(environment.model_dump(), ""):
            if named not in allowed:
                yield (
                    f"{folder}/{environment.name}.toml: {key} = {named!r}: not in instance_types of platform.toml; "
                    f"allowed are {', '.join(allowed)}"
                )


def _named(table: Any, at: str) -> Iterator[tuple[str, str]]:
    """Every instance type below a table, and its dotted key."""
    if isinstance(table, dict):
        for key, value in table.items():
            where = f"{at}.{key}" if at else str(key)
            if key in KEYS:
                yield from ((where, named) for named in _listed(value))
            else:
                yield from _named(value, where)
    elif isinstance(table, (list, tuple)):
        for inner in table:
            yield from _named(inner, at)


def _listed(value: Any) -> list[str]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)
