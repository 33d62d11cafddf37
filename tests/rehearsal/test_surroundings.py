"""The machine a rehearsal runs on: what it lacks is said before the run, what it brings along does no harm."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from rehearsal import session
from stacks.config import ROOT

SLIPWAY = str(Path(sys.executable).parent / "slipway")
DEAD_PROXY = "http://127.0.0.1:9"


def rehearse(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """With nothing in the environment but what is given."""
    return subprocess.run(
        [SLIPWAY, "rehearse", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("/nowhere/facts.json", "lies in /nowhere, which is no folder; name a file in a folder that exists"),
        ("/tmp", "is a folder; name a file in a folder that exists"),
    ],
)
def test_a_file_that_cannot_be_written_is_found_before_the_run(file: str, message: str) -> None:
    done = rehearse("--json", file)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"slipway: --json {file} {message}\n"


def test_too_little_room_is_said_before_the_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=12_345_678))

    with pytest.raises(session.SpaceError, match=r"has 12 MB free, a rehearsal needs 200; make room or set TMPDIR"):
        session._check_space(tmp_path)


def test_a_python_without_the_venv_module_is_told_what_to_install(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("pyproject.toml", "package.json", "package-lock.json", ".npmrc"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    lacking = tmp_path / "python-without-venv"
    lacking.write_text(f'#!/bin/sh\ncase "$2" in *ensurepip*) exit 1;; esac\nexec {sys.executable} "$@"\n')
    lacking.chmod(0o755)

    done = subprocess.run(
        ["make", "setup", f"PYTHON={lacking}"], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert done.returncode
    assert "slipway: this Python has no venv module. Try: apt install python3-venv" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_the_user_s_variables_for_the_embedded_aws_leave_proxies_out() -> None:
    from rehearsal.embedded import DIRECT, EmbeddedAws

    aws = EmbeddedAws(Path("unused"), Path("unused"))
    aws.endpoint, aws._keys = "http://localhost:1", {"1": {}}

    assert aws.environment("1", "eu-west-1")["NO_PROXY"] == "localhost,127.0.0.1"
    assert DIRECT.proxies == {}


@pytest.mark.long
def test_no_home_no_path_another_locale_dead_proxies_and_a_full_disk(tmp_path: Path) -> None:
    """Everything at once; the run succeeds, and what could not be written is said, with the results on the screen."""
    proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"), DEAD_PROXY)

    done = rehearse("--json", "/dev/full", PATH=str(tmp_path), HOME="/dev/null", LC_ALL="C", **proxies)

    assert "What this run shows" in done.stdout
    assert done.stderr.startswith("slipway: no space left on the disk")
    assert done.returncode == 1


@pytest.mark.long
def test_nobody_listens_any_more(tmp_path: Path) -> None:
    """As in `slipway rehearse | head -1`: it ends at once, and leaves nothing."""
    with subprocess.Popen(
        [SLIPWAY, "rehearse"],
        env={"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout
        assert running.stderr
        running.stdout.readline()
        running.stdout.close()
        said = running.stderr.read()

    assert running.returncode
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.long
def test_two_rehearsals_at_once(tmp_path: Path) -> None:
    files = [tmp_path / "one.json", tmp_path / "two.json"]
    both = [subprocess.Popen([SLIPWAY, "rehearse", "--json", str(file)], stdout=subprocess.DEVNULL) for file in files]

    assert [process.wait() for process in both] == [0, 0]
    one, two = (json.loads(file.read_text()) for file in files)
    assert [run["status"] for run in one["runs"]] == [run["status"] for run in two["runs"]]
    assert [version["metrics"] for version in one["versions"]] == [version["metrics"] for version in two["versions"]]


@pytest.mark.long
def test_a_fresh_clone_in_a_path_with_spaces_and_other_letters(tmp_path: Path) -> None:
    """Set up by make alone, with the system's own Python and no Node in reach but the one it installs."""
    home = tmp_path / "mein Haus é 家"
    home.mkdir()
    subprocess.run(["git", "clone", "-q", str(ROOT), str(home / "slipway")], check=True)
    kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_IND", "SSL_", "npm_"))}
    extra = {"NODE_EXTRA_CA_CERTS": os.environ.get("NODE_EXTRA_CA_CERTS", "")}

    done = subprocess.run(
        ["make", "rehearse", "ARGS=--json facts.json"],
        cwd=home / "slipway",
        env={**kept, **extra, "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(tmp_path / "no-home")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    facts = json.loads((home / "slipway/facts.json").read_text())
    assert [run["status"] for run in facts["runs"]] == ["Succeeded", "Succeeded", "Succeeded", "Failed"]
