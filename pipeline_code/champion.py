"""The champion an evaluation compares with: the version that stands for the model now."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline_code.contract import NO_CHAMPION, ContractError
from pipeline_code.predictor import ARCHIVE, load_archive

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline_code.predictor import Predictor

RECORD = "champion.json"


@dataclass(frozen=True)
class Champion:
    """`version` is a model package's ARN, `sha256` that of its model.tar.gz."""

    version: str
    sha256: str
    predictor: Predictor


def load(folder: Path) -> Champion | None:
    """The champion in a folder, its archive verified; None if the model has none yet."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        version = str(record["version"])
        if version == NO_CHAMPION:
            return None
        sha256 = str(record["sha256"])
    except FileNotFoundError:
        raise ContractError(
            f'no {RECORD}; put {{"version": "{NO_CHAMPION}"}} there if the model has no champion'
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise ContractError(f'{RECORD}: {error!r}; it must hold "version" and, unless that is none, "sha256"') from None
    return Champion(version, sha256, load_archive(folder / ARCHIVE, sha256))
