"""The champion: the version that stands for a model now, and that evaluation compares with.

It lies in the runs bucket below the champion prefix: model.tar.gz, and champion.json, which names the version and
the artifact's sha256. The record is written last, and whoever reads the pair checks the sum, so a half-made change
is noticed, never believed.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable

    from operations.versions import Checked

RECORD = "champion.json"
ARTIFACT = "model.tar.gz"
NONE = "none"


class ChampionError(Exception):
    """Why a version cannot become champion, and what to do."""


@dataclass(frozen=True)
class ChampionPlace:
    """Where a model's champion lies."""

    bucket: str
    prefix: str


def current_champion(s3: Any, place: ChampionPlace) -> str:
    """The version's ARN, or "none"."""
    key = f"{place.prefix}/{RECORD}"
    # Asked first: to a caller who may list this prefix only, S3 answers a missing object with "access denied".
    if not s3.list_objects_v2(Bucket=place.bucket, Prefix=key).get("Contents"):
        return NONE
    return str(json.loads(s3.get_object(Bucket=place.bucket, Key=key)["Body"].read())["version"])


def ensure_champion_record(s3: Any, place: ChampionPlace) -> None:
    """A pipeline's first run needs the record too: a SageMaker input with nothing below it fails the job."""
    if current_champion(s3, place) == NONE:
        _write_record(s3, place, {"version": NONE})


def crown(client: Callable[[str], Any], place: ChampionPlace, released: Checked, tell: Callable[[str], None]) -> None:
    """Make what was released the champion, by the name under which it was trained.

    What serves a copy depends on no other account: if that of the champion cannot be reached, this is told.
    """
    try:
        make_champion(client("s3"), client("sagemaker"), place, released.arn, released.copy_of)
    except ClientError as error:
        if not released.copy_of:
            raise
        tell(f"the champion of {place.bucket} stays what it was: {error}; when it can be reached, release again")


def make_champion(s3: Any, sagemaker: Any, place: ChampionPlace, version_arn: str, copy_of: str = "") -> None:
    """Let a version stand for its model from now on; a copy does so by the name of what it is a copy of."""
    version = sagemaker.describe_model_package(ModelPackageName=version_arn)
    if version["ModelApprovalStatus"] == "Rejected":
        raise ChampionError(f"{version_arn} is Rejected; choose a version that is not")
    source = urlparse(version["InferenceSpecification"]["Containers"][0]["ModelDataUrl"])
    body = s3.get_object(Bucket=source.netloc, Key=source.path.lstrip("/"))["Body"].read()
    digest = hashlib.sha256(body).hexdigest()
    recorded = version.get("CustomerMetadataProperties", {}).get("model_sha256")
    if recorded != digest:
        raise ChampionError(
            f"{version_arn}: the artifact's sha256 is {digest}, registered was {recorded}; "
            "the artifact changed after training, so train again"
        )
    s3.put_object(Bucket=place.bucket, Key=f"{place.prefix}/{ARTIFACT}", Body=body)
    _write_record(s3, place, {"version": copy_of or version_arn, "sha256": digest})


def _write_record(s3: Any, place: ChampionPlace, record: dict[str, str]) -> None:
    s3.put_object(
        Bucket=place.bucket,
        Key=f"{place.prefix}/{RECORD}",
        Body=json.dumps(record).encode(),
        ContentType="application/json",
    )
