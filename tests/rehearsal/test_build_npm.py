"""What stands for `npm` in builds: it links the checkout's tools, downloads nothing, and hands on whatever else."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pipeline_world import Delivery, build, spec, stage

from rehearsal import npm
from stacks.config import ROOT


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    """With one tool, in one version, scoped and not."""
    for name in ("tool", "@team/tool"):
        place = tmp_path / "node_modules" / name
        place.mkdir(parents=True)
        told = {"version": "1.2.3", "bin": {name.replace("@team/", "team-"): "bin/tool"}}
        (place / "package.json").write_text(json.dumps(told))
    (tmp_path / "bin").mkdir()
    return tmp_path / "node_modules"


def asked(modules: Path, *arguments: str) -> int:
    """With a real npm that is not there: whoever asks it fails with its name."""
    return npm.main(modules, modules.parent / "bin", modules.parent / "real-npm", list(arguments))


@pytest.mark.parametrize(("name", "command"), [("tool", "tool"), ("@team/tool", "team-tool")])
@pytest.mark.parametrize("verb", ["install", "i", "add"])
def test_a_tool_in_the_checkout_s_version_is_linked(
    modules: Path, capsys: pytest.CaptureFixture[str], name: str, command: str, verb: str
) -> None:
    assert [asked(modules, verb, "-g", f"{name}@1.2.3") for _ in range(2)] == [0, 0]

    assert (modules.parent / "bin" / command).readlink() == modules / name / "bin/tool"
    assert f"npm: {name}@1.2.3 is the checkout's own, from {modules}; nothing is downloaded" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wanted", "there"),
    [("tool@1.2.4", "tool 1.2.3"), ("tool", "tool 1.2.3"), ("@team/tool", "@team/tool 1.2.3"), ("other@1", "no other")],
)
def test_any_other_version_or_package_is_refused_with_what_is_there(
    modules: Path, capsys: pytest.CaptureFixture[str], wanted: str, there: str
) -> None:
    assert asked(modules, "install", "--global", wanted) == 1

    said = capsys.readouterr().out
    assert said.startswith(f"npm: {wanted} would have to be downloaded")
    assert f"{modules} has {there}. Name exactly the version that package.json pins" in said
    assert list((modules.parent / "bin").iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("ci", "--prefix", "{}"),
        ("--prefix", "{}", "clean-install"),
        ("ci", "--prefix={}"),
        ("install", "-C", "{}/deep"),
        ("prune", "-C", "{}"),
    ],
)
def test_nothing_is_done_to_modules_that_are_the_checkout_s(
    modules: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    source = modules.parent / "source"
    (source / "deep").mkdir(parents=True)
    (source / "node_modules").symlink_to(modules)

    assert asked(modules, *(each.format(source) for each in arguments)) == 1

    assert f"{source}/node_modules is the checkout's own, made of the same lock" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [("--version",), ("run", "build"), ("ci", "--prefix", "."), ("install", "a b")])
def test_whatever_else_is_the_real_npm_s(modules: Path, arguments: tuple[str, ...]) -> None:
    real = modules.parent / "real-npm"
    real.write_text('#!/bin/sh\nprintf "<%s>" "$@"\nexit 7\n')
    real.chmod(0o755)
    (own := modules.parent / "own" / "node_modules").mkdir(parents=True)

    done = subprocess.run(
        [sys.executable, npm.__file__, modules, modules.parent / "bin", real, *arguments],
        cwd=own.parent,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (7, "".join(f"<{each}>" for each in arguments))


def test_builds_find_it_and_never_the_network(delivery: Delivery) -> None:
    pinned = json.loads((ROOT / "package.json").read_text())["devDependencies"]["aws-cdk"]

    status, said = built(delivery, f"npm install -g aws-cdk@{pinned}", 'readlink "$(command -v cdk)"')

    assert status == "Succeeded"
    assert said[0].endswith("nothing is downloaded")
    assert Path(said[1]) == (ROOT / "node_modules/aws-cdk/bin/cdk").resolve()


def test_a_build_that_wants_another_version_fails_and_names_both(delivery: Delivery) -> None:
    pinned = json.loads((ROOT / "package.json").read_text())["devDependencies"]["aws-cdk"]

    status, said = built(delivery, "npm install -g aws-cdk@2.0.1", "echo never")

    assert status == "Failed"
    assert said[0].startswith("npm: aws-cdk@2.0.1 would have to be downloaded")
    assert f"has aws-cdk {pinned}." in said[0]
    assert "never" not in said


def built(delivery: Delivery, *commands: str) -> tuple[str, list[str]]:
    """How a build of these commands ends, and what it says."""
    delivery.project("one", spec(*commands))
    delivery.declare(stage("One", build("One", "one")))
    return delivery.run()[0], delivery.said("one")
