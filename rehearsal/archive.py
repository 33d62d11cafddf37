"""Zip archives as CodeBuild and CodePipeline hand them on: what is unpacked is as old, and may be run, as it was."""

from __future__ import annotations

import io
import os
import time
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

PERMISSIONS = 0o777
NO_SAVING_TIME_KNOWN = (0, 0, -1)


def pack(folder: Path, files: Iterable[Path]) -> bytes:
    """These files of a folder, by their names in it."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as archive:
        for file in files:
            archive.write(file, file.relative_to(folder).as_posix())
    return packed.getvalue()


def unpack(body: bytes, folder: Path) -> None:
    """As `unzip` does: a file keeps its time, so that make sees nothing newer than it is, and its permissions."""
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        entries = [(entry, archive.extract(entry, folder)) for entry in archive.infolist()]
    for entry, place in reversed(entries):  # a folder comes before what is in it, which would change its time
        mode = entry.external_attr >> 16 & PERMISSIONS
        if mode:
            os.chmod(place, mode)  # noqa: PTH101 it is a text
        at = time.mktime((*entry.date_time, *NO_SAVING_TIME_KNOWN))
        os.utime(place, (at, at))


def member(body: bytes, name: str) -> str:
    """The text of one file."""
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        return archive.read(name).decode()
