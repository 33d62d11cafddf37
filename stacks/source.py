"""Parts of this repository as assets: named by their content, so that the same source gives the same template."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aws_cdk as cdk

if TYPE_CHECKING:
    from collections.abc import Sequence


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
