"""A fork of the platform, as a team makes one: the same source, and environment files that name accounts of its own.

Whatever reads the configuration then reads the fork's: the CDK app as well as the command.
"""

from __future__ import annotations

import json
import shutil
import tomllib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

SOURCE = ("commands", "operations", "pipeline_code", "rehearsal", "requirements", "stacks")
FILES = ("app.py", "cdk.json", "cli.py", "package.json")
REST = (
    "benchmarks",
    "docs",
    "tests",
    ".npmrc",
    "LICENSE",
    "Makefile",
    "README.md",
    "package-lock.json",
    "pyproject.toml",
)
"""What the platform itself does without, and its builds do not."""

LEFT = ("__pycache__", "node_modules", ".*_cache")
INSTALLED = (".venv", "node_modules")

Table = dict[str, Any]


def fork(root: Path, folder: Path, files: Mapping[str, Table], *, whole: bool = False) -> Path:
    """Copy the platform into a new folder; of `environments/` only these files, changed as their tables say.

    The `whole` of it has tests, documents and Makefile, too.
    """
    folder.mkdir()
    for part in REST if whole else ():
        if (root / part).is_dir():
            shutil.copytree(root / part, folder / part, ignore=shutil.ignore_patterns(*LEFT))
        else:
            shutil.copy2(root / part, folder / part)
    for part in SOURCE:
        shutil.copytree(root / part, folder / part)  # bytecode too: it is valid for copies
    for name in FILES:
        shutil.copy2(root / name, folder / name)
    for name in INSTALLED:
        (folder / name).symlink_to((root / name).resolve())
    (folder / "environments").mkdir()
    for name, changes in files.items():
        told = tomllib.loads((root / "environments" / name).read_text(encoding="utf-8"))
        text = "\n".join(lines(changed(told, changes))) + "\n"
        (folder / "environments" / name).write_text(text, encoding="utf-8")
    return folder


def changed(table: Table, changes: Table) -> Table:
    """The table with these values; tables within are changed, not replaced, and None takes a key away."""
    found = dict(table)
    for key, value in changes.items():
        within = changed(found.get(key, {}), value) if isinstance(value, dict) else value
        found[key] = within
    return {key: value for key, value in found.items() if value is not None}


def lines(table: Table, path: tuple[str, ...] = ()) -> Iterator[str]:
    """The table as TOML; values first, since what follows a heading belongs to it."""
    if path:
        yield f"[{'.'.join(map(_written, path))}]"
    for key, value in table.items():
        if not isinstance(value, dict):
            yield f"{_written(key)} = {_written(value)}"
    for key, value in table.items():
        if isinstance(value, dict):
            yield from lines(value, (*path, key))


def _written(value: Any) -> str:
    """As JSON writes it, which TOML reads alike, but for surrogates and one control character; dates are not known."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_written(key)} = {_written(each)}' for key, each in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value))}]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
