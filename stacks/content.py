"""What parts of this repository are, by their content: the same source has the same name, whoever asks and wherever.

Whoever only wants to know which image the source at hand would build needs no CDK for it.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from stacks.config import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from stacks.names import Names
    from stacks.settings import ImageSettings

IMAGE_SOURCES = ("requirements/job.txt", "requirements/serve.txt", "pipeline_code")
"""What goes into the images, and so into their tags."""


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


def image_uris(config: ImageSettings, names: Names) -> tuple[str, str]:
    """The image of jobs and that of endpoints: ready ones, or those that the source at hand gives."""
    if config.image_uri and config.serve_image_uri:
        return config.image_uri, config.serve_image_uri
    tag = content_hash(IMAGE_SOURCES, config.base_image)
    uri = f"{names.account}.dkr.ecr.{names.region}.amazonaws.com/{names.repository}:{tag}"
    return uri, f"{uri}-serve"
