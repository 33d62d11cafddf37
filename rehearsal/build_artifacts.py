"""What a build leaves: the files that its specification names, packed and encrypted in the place it was given.

https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html#build-spec.artifacts
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rehearsal import archive

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rehearsal.api import Json
    from rehearsal.resources import Place

ELSEWHERE = frozenset({"CODEPIPELINE", "NO_ARTIFACTS"})
"""Nothing is uploaded: a pipeline says where to, when it starts a build."""


class ArtifactError(Exception):
    """What a build was to leave, and did not."""


def upload(place: Place, wanted: Sequence[Json], spec: Json, folder: Path, key: str | None) -> None:
    """Put each artifact that is wanted in its place."""
    encryption = {"ServerSideEncryption": "aws:kms", **({"SSEKMSKeyId": key} if key else {})}
    for artifact in wanted:
        if artifact["type"] in ELSEWHERE:
            continue
        if artifact.get("packaging", "NONE") != "ZIP":
            raise ArtifactError(f"artifact in {artifact['location']}: the embedded AWS uploads packaging = ZIP only")
        name = "/".join(part for part in (artifact.get("path", "").strip("/"), artifact["name"]) if part)
        place.client("s3").put_object(
            Bucket=artifact["location"], Key=name, Body=_packed(_declared(artifact, spec), folder), **encryption
        )


def _declared(artifact: Json, spec: Json) -> Json:
    """What the specification says of an artifact: of the only one, or of the one with its identifier."""
    declared: Json = spec.get("artifacts", {})
    name = artifact.get("artifactIdentifier")
    if name:
        declared = declared.get("secondary-artifacts", {}).get(name, {})
    if "files" not in declared:
        where = f"artifacts/secondary-artifacts/{name}" if name else "artifacts"
        raise ArtifactError(f"the build is to leave an artifact, and its specification has no {where}/files")
    return declared


def _packed(declared: Json, folder: Path) -> bytes:
    """Files by their patterns, what is a link among them as what it leads to; no link to a folder is followed."""
    origin = folder / declared.get("base-directory", ".")
    if not origin.is_dir():
        raise ArtifactError(f"artifacts: base-directory {declared['base-directory']} is not there")
    patterns = [declared["files"]] if isinstance(declared["files"], str) else declared["files"]
    files = {file for pattern in patterns for file in origin.glob(pattern) if file.is_file()}
    if not files:
        raise ArtifactError(f"artifacts: no file of the build is named {', '.join(patterns)}")
    return archive.pack(origin, sorted(files))
