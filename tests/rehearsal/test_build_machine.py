"""The machine of a build: the checkout's installation is lent to sources with the same locks, and never changed."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pipeline_world import Delivery, build, spec, stage

from rehearsal.build_machine import LOCKS as REAL_LOCKS
from rehearsal.build_machine import Machine, MachineError
from stacks.config import ROOT

MAKEFILE = """\
all: .venv/.ready node_modules/.ready
.venv/.ready: pyproject.toml requirements/synth.txt
	@echo installing the environment && touch $@
node_modules/.ready: package-lock.json
	@echo installing the modules && touch $@
"""
PROJECT = '[project]\nname = "app"\n[project.scripts]\nslipway = "cli:main"\n'
LOCKS = {
    "pyproject.toml": PROJECT,
    "package.json": "{}",
    "package-lock.json": '{"lockfileVersion": 3}',
    "requirements/synth.txt": "one==1\n",
}
OLD, NEW = 1_600_000_000, 1_700_000_000


def write(folder: Path, files: dict[str, str], at: int) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
        os.utime(folder / name, (at, at))


def listing(folder: Path) -> list[tuple[str, int, str]]:
    """All that is in a folder: its names, times and texts, and where its links lead."""
    return [
        (place.relative_to(folder).as_posix(), place.lstat().st_mtime_ns, what(place))
        for place in sorted(folder.rglob("*"))
    ]


def what(place: Path) -> str:
    if place.is_symlink():
        return str(place.readlink())
    return place.read_text() if place.is_file() else ""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """With what its setup has made, after its locks."""
    folder = tmp_path / "checkout"
    write(folder, {**LOCKS, "Makefile": MAKEFILE, "cli.py": "def main() -> None:\n    print('of the checkout')\n"}, OLD)
    made = {".venv/.ready": "", "node_modules/.ready": "", "node_modules/tool/package.json": "{}"}
    write(folder, {**made, ".venv/bin/slipway": "#!/bin/sh\necho of the checkout\n", ".venv/lib/one.py": "1\n"}, NEW)
    (folder / ".venv/bin/slipway").chmod(0o755)
    (folder / ".venv/bin/python").symlink_to(Path(sys.executable).resolve())
    return folder


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Another change of the same project, unpacked just now."""
    folder = tmp_path / "build" / "src"
    code = {"Makefile": MAKEFILE, "cli.py": "def main() -> None:\n    print('of the source')\n"}
    write(folder, {**LOCKS, **code}, NEW + 1)
    return folder


def prepared(checkout: Path, *sources: Path) -> dict[str, str]:
    return Machine(checkout).prepare(sources[0].parent, sources)


def run(source: Path, variables: dict[str, str], *command: str) -> tuple[int, str]:
    done = subprocess.run(command, cwd=source, env=variables, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_a_source_with_the_same_locks_finds_the_environments_and_make_has_nothing_to_do(
    checkout: Path, source: Path
) -> None:
    before = listing(checkout)
    variables = prepared(checkout, source)

    code, said = run(source, variables, "make")

    assert (code, "installing" in said, "Nothing to be done" in said) == (0, False, True)
    assert (source / "node_modules").resolve() == checkout / "node_modules"
    assert (source / ".venv/lib/one.py").read_text() == "1\n"
    assert listing(checkout) == before


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("requirements/synth.txt", "one==2\n"),
        ("package-lock.json", None),
        ("requirements/more.txt", "two==1\n"),
        (".npmrc", "offline=true\n"),
    ],
)
def test_a_source_with_another_lock_is_refused_by_name_and_the_checkout_stays_as_it_is(
    checkout: Path, source: Path, name: str, text: str | None
) -> None:
    (source / name).unlink() if text is None else (source / name).write_text(text)
    before = listing(checkout)

    with pytest.raises(
        MachineError, match=f"^{name} of the source is not that of {checkout}, .* it takes `make setup`"
    ):
        prepared(checkout, source)

    assert listing(checkout) == before
    assert not (source / ".venv").exists()
    assert not (source / "node_modules").exists()


def test_the_project_s_command_is_the_source_s_own_code(checkout: Path, source: Path) -> None:
    variables = prepared(checkout, source)

    assert run(source, variables, "slipway") == (0, "of the source\n")
    assert run(source / "requirements", variables, "slipway") == (0, "of the source\n")
    assert run(checkout, {}, "./.venv/bin/slipway") == (0, "of the checkout\n")


def test_what_a_build_puts_into_its_environment_stays_there(checkout: Path, source: Path) -> None:
    before = listing(checkout)
    variables = prepared(checkout, source)

    (source / ".venv/bin/new").write_text("of the build")

    assert variables["PATH"].split(os.pathsep)[0] == str(source.parent / "bin")
    assert listing(checkout) == before


def test_a_secondary_source_gets_its_environment_too(checkout: Path, source: Path) -> None:
    shutil.copytree(source, other := source.parent / "src-Other")

    prepared(checkout, source, other)

    assert run(other, prepared_path(other), "slipway") == (0, "of the source\n")
    assert (other / "node_modules").resolve() == checkout / "node_modules"


def prepared_path(source: Path) -> dict[str, str]:
    return {"PATH": f"{source}/.venv/bin:/usr/bin:/bin"}


def test_an_installation_older_than_its_locks_is_refused_with_what_to_do(checkout: Path, source: Path) -> None:
    os.utime(checkout / "node_modules/.ready", (OLD - 1, OLD - 1))
    before = listing(checkout)

    with pytest.raises(MachineError, match=r"^node_modules/.ready of .* is older than .*; run `make setup` there$"):
        prepared(checkout, source)

    assert listing(checkout) == before


def test_a_source_that_is_not_the_platform_gets_no_environment(checkout: Path, source: Path) -> None:
    (source / "Makefile").unlink()
    write(source, {"pyproject.toml": "another", "package.json": json.dumps({"name": "another"})}, NEW)

    variables = prepared(checkout, source)

    assert not (source / ".venv").exists()
    assert str(source / ".venv/bin") not in variables["PATH"].split(os.pathsep)


def test_a_build_of_a_source_with_another_lock_runs_no_command_and_says_which(delivery: Delivery) -> None:
    """Against the checkout in which the tests run."""
    kept = [file for name in REAL_LOCKS if (file := ROOT / name).is_file()]
    before = [(file.stat().st_mtime_ns, file.read_text()) for file in kept]
    same = {file.relative_to(ROOT).as_posix(): file.read_text() for file in kept}
    delivery.push({**same, "Makefile": MAKEFILE, "package.json": "{}"})
    delivery.project("makes", spec("echo never"))
    delivery.declare(stage("Make", build("Make", "makes")))

    assert delivery.run()[0] == "Failed"

    (line,) = delivery.said("makes")
    assert line.startswith(f"MachineError: package.json of the source is not that of {ROOT}, whose installation")
    assert [(file.stat().st_mtime_ns, file.read_text()) for file in kept] == before
