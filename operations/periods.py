"""Puts a period's files into the data bucket, complete or not at all for those who read it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

READY_MANIFEST = "_READY.json"
"""Arrives last: a period without it is not there yet. The prepare step checks every file against it."""

CORRECTIONS = ".corrections.csv"
"""How a file of corrected rows is named beside the source's own."""

PERIOD = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")


class PeriodError(Exception):
    """What is wrong with the period or its files, one line each, with the fix."""


@dataclass(frozen=True)
class Upload:
    """A period as it lies in the bucket; `files` maps a name to its sha256, bytes and version_id."""

    period: str
    uri: str
    files: dict[str, dict[str, Any]]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file["bytes"] for file in self.files.values())


def upload_period(
    s3: Any,
    *,
    bucket: str,
    prefix: str,
    period: str,
    files: Sequence[Path],
    starts: bool = True,
    contract: Mapping[str, int] | None = None,
) -> Upload:
    """Upload the files, then the manifest that says they are complete; S3 checks each by its sha256.

    Uploading a period again replaces it: the bucket keeps the former versions. Its arrival starts a run unless `starts`
    is False, for history that is filled in. `contract` says for which version of its contract each source was made.
    """
    _check(period, files)
    folder = f"{prefix}/{period}"
    sent = {file.name: _put(s3, bucket, f"{folder}/{file.name}", file) for file in files}
    manifest = {"files": sent, "starts": starts, **({"contract": dict(contract)} if contract else {})}
    s3.put_object(
        Bucket=bucket,
        Key=f"{folder}/{READY_MANIFEST}",
        Body=json.dumps(manifest, indent=1, sort_keys=True).encode(),
        ContentType="application/json",
    )
    return Upload(period, f"s3://{bucket}/{folder}", sent)


def correct_period(s3: Any, *, bucket: str, prefix: str, period: str, files: Sequence[Path]) -> Upload:
    """Hand corrected rows of the quarantine back: beside the period's files, then in its manifest.

    `files` are quarantine files that were corrected, named as their source: weather.csv. The period's own files stay
    as they are, and a run starts if the period's own arrival would start one. Corrections that were handed in before
    are replaced; the bucket keeps the former versions.
    """
    _check(period, files)
    folder = f"{prefix}/{period}"
    key = f"{folder}/{READY_MANIFEST}"
    if not s3.list_objects_v2(Bucket=bucket, Prefix=key).get("Contents"):
        raise PeriodError(
            f"period {period}: no {READY_MANIFEST} below s3://{bucket}/{folder}/; upload the period first"
        )
    manifest = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    names = {file: file.name.removesuffix(".csv").removesuffix(".corrections") + CORRECTIONS for file in files}
    sent = {name: _put(s3, bucket, f"{folder}/{name}", file) for file, name in names.items()}
    manifest["files"].update(sent)
    body = json.dumps(manifest, indent=1, sort_keys=True).encode()
    s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json")
    return Upload(period, f"s3://{bucket}/{folder}", sent)


def _put(s3: Any, bucket: str, key: str, file: Path) -> dict[str, Any]:
    body = file.read_bytes()
    digest = hashlib.sha256(body)
    answer = s3.put_object(Bucket=bucket, Key=key, Body=body, ChecksumSHA256=base64.b64encode(digest.digest()).decode())
    return {"sha256": digest.hexdigest(), "bytes": len(body), "version_id": answer["VersionId"]}


def _check(period: str, files: Sequence[Path]) -> None:
    mistakes = []
    if not PERIOD.fullmatch(period):
        mistakes.append(f"period {period!r}: a period is a month such as 2013-04")
    if not files:
        mistakes.append("no files: name the period's files or the folder that holds them")
    names = [file.name for file in files]
    mistakes += [f"{name}: named twice; a period holds each name once" for name in set(names) if names.count(name) > 1]
    mistakes += [f"{file}: no such file" for file in files if not file.is_file()]
    mistakes += [f"{file}: empty" for file in files if file.is_file() and not file.stat().st_size]
    if mistakes:
        raise PeriodError("\n".join(sorted(mistakes)))
