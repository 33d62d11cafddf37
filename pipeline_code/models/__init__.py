"""Finds the models: every folder here is one, with the same parts."""

from __future__ import annotations

import ast
import pkgutil
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline_code.contract import ContractError

if TYPE_CHECKING:
    from pipeline_code.model import Make, Model

PARTS = {
    "__init__.py": ("MODEL", "MODEL = Model(name=..., ...) says what the model is, reads and must prove"),
    "sources.py": ("SOURCES", "SOURCES = (Source(...), ...) says which tables it reads and what they must hold"),
    "features.py": ("make", "make(sources) turns validated sources into rows of features and label"),
}
"""File of a model's folder -> the name it must define and what for."""


def names() -> list[str]:
    """The models of this platform, by folder name."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.ispkg)


def load_model(name: str) -> Model:
    """One model's declaration; raises ContractError naming every part its folder lacks."""
    if name not in names():
        raise ContractError(f"no model {name!r}; models are {', '.join(names())} (one folder each in models/)")
    problems = _missing(name, _folder(name))
    if problems:
        raise ContractError("\n".join(problems))
    model: Model = import_module(f"{__name__}.{name}").MODEL
    if model.name != name:
        raise ContractError(
            f"models/{name}/__init__.py: MODEL is named {model.name!r}; name it {name!r}, as the folder"
        )
    return model


def load_features(name: str) -> Make:
    """One model's feature function; imports the packages of the job image."""
    make: Make = import_module(f"{__name__}.{name}.features").make
    return make


def _folder(name: str) -> Path:
    return next(path for path in (Path(root, name) for root in __path__) if path.is_dir())


def _missing(name: str, folder: Path) -> list[str]:
    """Read without importing: features need packages that synth does not have."""
    problems = []
    for file, (part, fix) in PARTS.items():
        if not (folder / file).is_file():
            problems.append(f"models/{name}/{file} is missing; {fix}")
        elif part not in _defined(folder / file):
            problems.append(f"models/{name}/{file} does not define {part}; {fix}")
    return problems


def _defined(file: Path) -> set[str]:
    """Names a module defines at its top level."""
    defined: set[str] = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            defined.add(node.name)
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        defined |= {target.id for target in targets if isinstance(target, ast.Name)}
    return defined
