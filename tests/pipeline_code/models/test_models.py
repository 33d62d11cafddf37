"""A model is a folder with all its parts."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pipeline_code import models
from pipeline_code.contract import ContractError
from pipeline_code.model import Behaviour, Reference

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline_code.model import Model


def test_a_model_is_found_by_its_folder() -> None:
    assert "flight_delay" in models.names()
    assert models.load_model("flight_delay").name == "flight_delay"


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(ContractError, match="no model 'flight_delays'; models are flight_delay"):
        models.load_model("flight_delays")


def test_every_missing_part_is_named_with_its_fix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "half").mkdir()
    (tmp_path / "half/__init__.py").write_text("NAME = 'half'\n")
    (tmp_path / "half/features.py").write_text("def prepare(sources): ...\n")
    monkeypatch.setattr(models, "__path__", [str(tmp_path)])

    with pytest.raises(ContractError) as caught:
        models.load_model("half")

    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("models/half/__init__.py does not define MODEL; MODEL = Model(name=..., ...)")
    assert lines[1].startswith("models/half/sources.py is missing; SOURCES = ")
    assert lines[2].startswith("models/half/features.py does not define make; make(sources) turns")


def test_a_copied_model_must_be_renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "copied").mkdir()
    parts = {
        "__init__.py": "from pipeline_code.models.flight_delay import MODEL as other\nMODEL = other\n",
        "sources.py": "SOURCES = ()\n",
        "features.py": "def make(sources): ...\n",
    }
    for name, content in parts.items():
        (tmp_path / "copied" / name).write_text(content)
    monkeypatch.setattr(models, "__path__", [str(tmp_path), *models.__path__])

    with pytest.raises(ContractError, match="MODEL is named 'flight_delay'; name it 'copied', as the folder"):
        models.load_model("copied")


@pytest.mark.parametrize("owner", ["", "flight operations", "a,b", "x", "owner@example.com\n", "é" * 3, "a" * 65])
def test_an_owner_is_a_person_as_the_session_tag_spells_it(owner: str) -> None:
    with pytest.raises(ContractError, match=r"owner .*; name the person .* as the session tag `user` spells it"):
        replace(models.load_model("flight_delay"), owner=owner)


def test_declarations_need_the_standard_library_only() -> None:
    code = (
        "import sys\n"
        "from pipeline_code.models import load_model, names\n"
        "from pipeline_code.steps import steps\n"
        "[load_model(name) for name in names()], steps()\n"
        "print(sorted({'polars', 'narwhals', 'numpy', 'xgboost', 'matplotlib'} & set(sys.modules)))\n"
    )

    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "[]"


def test_names_that_nobody_declares_are_refused(flight_delay: Model) -> None:
    flights = replace(flight_delay.source("flights"), unique=("id",), references=(Reference("dest", "ports", "code"),))

    with pytest.raises(ContractError) as caught:
        replace(
            flight_delay,
            sources=(flights,),
            behaviours=(Behaviour("b", "wind", "add", 1, "up", 0),),
            hyperparameters={**flight_delay.hyperparameters, "eta": "9"},
        )

    lines = str(caught.value).splitlines()
    assert len(lines) == 4
    assert "changes 'wind', which is no feature" in lines[0]
    assert lines[1] == "model flight_delay: source flights: no column 'id'"
    assert "dest refers to ports.code, which no source declares" in lines[2]
    assert "'eta' is '9'" in lines[3]
