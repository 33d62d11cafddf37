"""Stands for `npm` in builds: tools that would be installed for all users are the checkout's, in exactly that version.

It is run as a script, `npm.py <node_modules> <bin of the build> <the real npm> <arguments>`.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

INSTALL, CLEAN_INSTALL = frozenset({"install", "i", "add"}), frozenset({"ci", "clean-install"})
OTHERS = frozenset({"dedupe", "prune", "rebuild", "remove", "rm", "uninstall", "update"})
FOR_ALL = frozenset({"-g", "--global"})
FOLDER = frozenset({"--prefix", "-C"})


class NpmError(Exception):
    """What cannot be installed here, and why."""


def main(modules: Path, commands: Path, real: Path, arguments: list[str]) -> int:
    """Run one command; returns its exit code."""
    words, folder = _understood(arguments)
    verb, names = words[0] if words else "", words[1:]
    try:
        if verb in INSTALL and FOR_ALL & set(arguments):
            for name in names:
                _say(_install(modules, commands, name))
            return 0
        if verb in INSTALL | CLEAN_INSTALL | OTHERS:
            _keep_off(_root(folder))
    except NpmError as error:
        _say(str(error))
        return 1
    return os.execv(real, [str(real), *arguments])  # noqa: S606 the caller's own arguments, through no shell


def _install(modules: Path, commands: Path, wanted: str) -> str:
    name, _, version = wanted.rpartition("@") if "@" in wanted[1:] else (wanted, "", "no version")
    file = modules / name / "package.json"
    told = json.loads(file.read_text()) if file.is_file() else {}
    if told.get("version") != version:
        there = f"{name} {told['version']}" if told else f"no {name}"
        raise NpmError(
            f"{wanted} would have to be downloaded, which no build of the rehearsal does; {modules} has {there}. "
            "Name exactly the version that package.json pins"
        )
    for command, path in told["bin"].items():
        place = commands / command
        place.unlink(missing_ok=True)
        place.symlink_to((file.parent / path).resolve())
    return f"{wanted} is the checkout's own, from {modules}; nothing is downloaded"


def _understood(arguments: list[str]) -> tuple[list[str], Path]:
    """The words, the verb first, and the folder that is meant, wherever it is said."""
    words, folder, rest = list[str](), Path(), iter(arguments)
    for each in rest:
        option, said, value = each.partition("=")
        if option in FOLDER:
            folder = Path(value if said else next(rest, ""))
        elif not each.startswith("-"):
            words.append(each)
    return words, folder


def _root(folder: Path) -> Path:
    """Where npm finds the project of a folder: the nearest one above it that has a package, or modules."""
    above = [folder.absolute(), *folder.absolute().parents]
    return next(
        (each for each in above if any((each / has).exists() for has in ("package.json", "node_modules"))), folder
    )


def _keep_off(folder: Path) -> None:
    """To install would empty what the link leads to: the checkout's modules."""
    place = folder / "node_modules"
    if place.is_symlink():
        raise NpmError(f"{place} is the checkout's own, made of the same lock; there is nothing to install")


def _say(line: str) -> None:
    sys.stdout.write(f"npm: {line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:]))
