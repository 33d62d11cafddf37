"""The periods that arrived: which files, and whether each is whole, by the manifest that came last."""

from __future__ import annotations

import hashlib
import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline_code.contract import READY_MANIFEST, DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pipeline_code.model import Source

PERIOD = re.compile(r"\d{4}-(0[1-9]|1[0-2])")
SUFFIXES = ("csv", "parquet")
CORRECTIONS = ".corrections.csv"


@dataclass(frozen=True)
class SourceFile:
    """One whole file of a source, as its manifest lists it; `name` is its key below the periods' prefix."""

    source: str
    period: str
    path: Path
    sha256: str
    bytes: int
    version_id: str

    @property
    def name(self) -> str:
        return f"{self.period}/{self.path.name}"


@dataclass(frozen=True)
class Arrived:
    """What the periods hold: the sources' files, and corrections of rows that were quarantined before."""

    files: tuple[SourceFile, ...]
    corrections: tuple[SourceFile, ...] = ()


def find(folder: Path, period: str, sources: Sequence[Source]) -> Arrived:
    """All files of the periods up to `period`, checked against their manifests.

    Raises DataError naming every missing period, manifest, source and file, and every file that is not whole.
    """
    problems = _gaps(folder, period)
    files: list[SourceFile] = []
    for name in _names(folder, period):
        files += _read(folder / name, sources, problems)
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as together:  # hashing large files lets other threads run
        damages = together.map(_damage, files)
        problems += [
            f"{file.name}: {damage}; upload it again" for file, damage in zip(files, damages, strict=True) if damage
        ]
    corrections = [file for file in files if file.path.name.endswith(CORRECTIONS)]
    files = [file for file in files if file not in corrections]
    if not problems:
        problems += _missing(files, period, sources)
    problems += _copies(files, sources)
    if problems:
        raise DataError(f"periods up to {period}", problems)
    return Arrived(tuple(_latest_references(files, sources)), tuple(corrections))


def _names(folder: Path, period: str) -> list[str]:
    """Folders of periods; later ones belong to later runs."""
    found = (path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else iter(())
    return sorted(name for name in found if PERIOD.fullmatch(name) and name <= period)


def _gaps(folder: Path, period: str) -> list[str]:
    if not PERIOD.fullmatch(period):
        return [f"period {period!r} is not a month; give it as YYYY-MM, such as 2013-04"]
    names = _names(folder, period)
    if not names or names[-1] != period:
        return [f"{period}: no such folder below {folder.name}/; upload the period's files"]
    if len(names) == 1:
        return [f"{period}: no earlier period to train on; upload at least the month before"]
    return [
        f"{name}: missing between {names[0]} and {period}; upload it" for name in _months(names[0], period) - set(names)
    ]


def _months(first: str, last: str) -> set[str]:
    start, end = (int(name[:4]) * 12 + int(name[5:]) - 1 for name in (first, last))
    return {f"{month // 12:04}-{month % 12 + 1:02}" for month in range(start, end + 1)}


def _read(folder: Path, sources: Sequence[Source], problems: list[str]) -> list[SourceFile]:
    """The files of one period that belong to a source; adds what is wrong with them to `problems`."""
    try:
        listed = _manifest(folder)
    except FileNotFoundError:
        problems.append(f"{folder.name}: no {READY_MANIFEST}; write it last, when all files of the period are there")
        return []
    except (ValueError, KeyError, TypeError, AttributeError):
        problems.append(
            f'{folder.name}/{READY_MANIFEST}: give {{"files": {{name: {{"sha256", "bytes", "version_id"}}}}}}'
        )
        return []
    problems += _other_versions(folder, sources)
    names = sorted(path.name for path in folder.iterdir() if source_of(path.name, sources))
    problems += [
        f"{folder.name}/{name}: not in {READY_MANIFEST}; list it there or remove it"
        for name in names
        if name not in listed
    ]
    files = []
    for name, (sha256, size, version_id) in sorted(listed.items(), key=lambda item: in_order(item[0])):
        source = source_of(name, sources)
        if source:
            files.append(SourceFile(source, folder.name, folder / name, sha256, size, version_id))
    return files


def _manifest(folder: Path) -> dict[str, tuple[str, int, str]]:
    """File name -> sha256, bytes, version id."""
    listed = json.loads((folder / READY_MANIFEST).read_text(encoding="utf-8"))["files"]
    return {
        str(name): (str(entry["sha256"]), int(entry["bytes"]), str(entry.get("version_id", "")))
        for name, entry in listed.items()
    }


def _other_versions(folder: Path, sources: Sequence[Source]) -> list[str]:
    """Sources whose files were made for another version of their contract than this code reads."""
    made_for = json.loads((folder / READY_MANIFEST).read_text(encoding="utf-8")).get("contract", {})
    return [
        f"{folder.name}: {source.name} was made for version {made_for[source.name]} of its contract, this code reads "
        f"version {source.version}; upload it in that form, or train with the code that declares the other"
        for source in sources
        if made_for.get(source.name, source.version) != source.version
    ]


def in_order(file: str) -> tuple[str, str]:
    """flights.csv before flights-2.csv: of rows that two files have, the one in the first file counts."""
    return file.partition(".")[0], file


def source_of(file: str, sources: Sequence[Source]) -> str | None:
    """Whose file it is: flights.csv, flights-1.parquet and flights.corrections.csv are all of flights."""
    for source in sources:
        own = rf"{re.escape(source.name)}((-[^/]+)?\.({'|'.join(SUFFIXES)})|{re.escape(CORRECTIONS)})"
        if re.fullmatch(own, file):
            return source.name
    return None


def _damage(file: SourceFile) -> str | None:
    """What is wrong with a file, compared with its manifest entry."""
    if not file.path.is_file():
        return f"listed in {READY_MANIFEST} but missing"
    size = file.path.stat().st_size
    if size != file.bytes:
        return f"{size:,} bytes, but {READY_MANIFEST} says {file.bytes:,}"
    with file.path.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    if sha256 != file.sha256:
        return f"sha256 is {sha256[:12]}..., but {READY_MANIFEST} says {file.sha256[:12]}..."
    return None


def _missing(files: Sequence[SourceFile], period: str, sources: Sequence[Source]) -> list[str]:
    """Events must come with every period; references may come with any."""
    have = {(file.source, file.period) for file in files}
    periods = sorted({file.period for file in files} | {period})
    problems = []
    for source in sources:
        wanted = f"upload {source.name}.csv or {source.name}.parquet"
        if source.kind == "event":
            problems += [f"{name}: no {source.name}; {wanted}" for name in periods if (source.name, name) not in have]
        elif not any((source.name, name) in have for name in periods):
            problems.append(f"{period}: no {source.name} in any period; {wanted}")
    return problems


def _copies(files: Sequence[SourceFile], sources: Sequence[Source]) -> list[str]:
    """Event files with the same content, within a period or across periods: one was uploaded twice."""
    events = {source.name for source in sources if source.kind == "event"}
    first: dict[tuple[str, str], SourceFile] = {}
    problems = []
    for file in files:
        if file.source not in events:
            continue
        seen = first.setdefault((file.source, file.sha256), file)
        if seen is not file:
            problems.append(f"{file.name}: the same content as {seen.name}; remove the one that is wrong")
    return problems


def _latest_references(files: Sequence[SourceFile], sources: Sequence[Source]) -> Iterator[SourceFile]:
    events = {source.name for source in sources if source.kind == "event"}
    latest = {file.source: file.period for file in sorted(files, key=lambda file: file.period)}
    return (file for file in files if file.source in events or file.period == latest[file.source])
