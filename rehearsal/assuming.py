"""A role of any account, taken on with the keys of whoever acts: its trust decides, as it does in AWS."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from rehearsal.resources import Place

LONGEST_ANSWER_SECONDS = 3600
"""Change sets are executed before they are answered for."""
_making = threading.Lock()


def assumed(place: Place, role: str, name: str) -> Place:
    """The role's own account, seen with its keys, in the same region."""
    sts = place.client("sts")
    keys = sts.assume_role(RoleArn=role, RoleSessionName=name)["Credentials"]
    made: dict[str, Any] = {}

    def client(service: str) -> Any:
        with _making:  # boto3's session is not made for several threads
            if service not in made:
                made[service] = boto3.client(
                    service,
                    region_name=place.region,
                    endpoint_url=sts.meta.endpoint_url,
                    aws_access_key_id=keys["AccessKeyId"],
                    aws_secret_access_key=keys["SecretAccessKey"],
                    aws_session_token=keys["SessionToken"],
                    config=Config(
                        retries={"total_max_attempts": 1},
                        s3={"addressing_style": "path"},
                        read_timeout=LONGEST_ANSWER_SECONDS,
                    ),
                )
            return made[service]

    return replace(place, account=role.split(":")[4], client=client)
