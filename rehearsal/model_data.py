"""What SageMaker notes of a version's artifacts when it is registered: that they are there, and their ETag."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlparse

from botocore.exceptions import ClientError

from rehearsal.api import Json, ServiceError


def with_etags(request: Json, s3: Any) -> Json:
    """The request with ModelDataETag for each container; raises ValidationException for an artifact that is absent."""
    specification = request.get("InferenceSpecification")
    if specification is None or request.get("SkipModelValidation") == "All":
        return request
    containers = [_noted(container, s3) for container in specification.get("Containers", [])]
    return {**request, "InferenceSpecification": {**specification, "Containers": containers}}


def _noted(container: Json, s3: Any) -> Json:
    uri = container.get("ModelDataUrl")
    if uri is None:
        return container
    place = urlparse(uri)
    try:
        found = s3.head_object(Bucket=place.netloc, Key=place.path.lstrip("/"))
    except ClientError as error:
        told = f"Could not find model data at {uri} ({error.response['Error']['Code']})."
        raise ServiceError("ValidationException", told) from None
    return {"ModelDataETag": found["ETag"].strip('"'), **container}
