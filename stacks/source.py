"""Parts of this repository as assets: named by their content, so that the same source gives the same template."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import aws_cdk as cdk

from stacks.config import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def files(parts: Sequence[str]) -> list[Path]:
    """The files of these folders and files of the repository, sorted; bytecode is not content."""
    found = [path for part in parts for path in [ROOT / part, *(ROOT / part).rglob("*")]]
    return sorted(path for path in found if path.is_file() and "__pycache__" not in path.parts)


def content_hash(parts: Sequence[str], *more: str) -> str:
    """A digest over the files and whatever else their meaning depends on, in a fixed order."""
    digest = hashlib.sha256("".join(more).encode())
    for file in files(parts):
        digest.update(file.relative_to(ROOT).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:32]


def asset_options(parts: Sequence[str], hashed: str) -> dict[str, Any]:
    """How CDK packs these parts and nothing else of the repository, without looking into the rest."""
    folders = sorted({part.split("/")[0] for part in parts})
    whole = [f"!/{folder}" for folder in folders]
    inside = [part for part in parts if "/" in part]
    others = sorted({f"/{part.rsplit('/', 1)[0]}/*" for part in inside})
    return {
        "exclude": ["/*", *whole, *others, *(f"!/{part}" for part in inside), "__pycache__"],
        "ignore_mode": cdk.IgnoreMode.GIT,
        "asset_hash": hashed,
        "asset_hash_type": cdk.AssetHashType.CUSTOM,
    }
