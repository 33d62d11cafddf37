"""Images in Amazon ECR: which content a URI names now, since a tag names the same only until somebody moves it."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Iterator

URI = re.compile(
    r"(?P<registry>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com/"
    r"(?P<name>[^:@]+)(?::(?P<imageTag>[^@]+))?(?:@(?P<imageDigest>sha256:[0-9a-f]{64}))?"
)
MISSING = {
    "RepositoryNotFoundException": "there is no such repository",
    "ImageNotFoundException": "there is no such image; see the image's build in CodeBuild",
    "ScanNotFoundException": "it was never scanned; turn on scan on push, or `aws ecr start-image-scan`",
}
"""What ECR's errors mean for a run or a release."""


class ImageError(Exception):
    """An image that cannot be looked at, and what to do."""


@dataclass(frozen=True)
class Image:
    """An image by its URI: the repository it lies in, and the tag or digest it is named by there."""

    uri: str
    registry: str
    region: str
    name: str
    given: dict[str, str]

    @classmethod
    def of(cls, uri: str) -> Self:
        """Raises ImageError for one that lies elsewhere."""
        named = URI.fullmatch(uri)
        if named is None:
            raise ImageError(f"the image {uri} is in no Amazon ECR repository; SageMaker takes no other")
        given = {key: named[key] for key in ("imageTag", "imageDigest") if named[key]}
        return cls(uri, named["registry"], named["region"], named["name"], given)

    def digest(self, ecr: Any) -> str:
        """Of the content that the registry holds under the URI now."""
        with self._told():
            (found,) = ecr.describe_images(**self._repository, imageIds=[self.given])["imageDetails"]
        return str(found["imageDigest"])

    def missing(self, ecr: Any) -> bool:
        """Whether its repository holds no such image, as long as it is being built."""
        with self._told():
            try:
                ecr.describe_images(**self._repository, imageIds=[self.given])
            except ecr.exceptions.ImageNotFoundException:
                return True
        return False

    def scan(self, ecr: Any, digest: str) -> dict[str, Any]:
        """What a scan found in this content; asked by digest, because a tag could be moved in between."""
        with self._told():
            found: dict[str, Any] = ecr.describe_image_scan_findings(
                **self._repository, imageId={"imageDigest": digest}
            )
        return found

    @property
    def _repository(self) -> dict[str, str]:
        return {"registryId": self.registry, "repositoryName": self.name}

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            raise ImageError(f"the image {self.uri} cannot be checked: {self._why(error)}") from None

    def _why(self, error: ClientError) -> str:
        code = error.response["Error"]["Code"]
        if code == "AccessDeniedException":
            return (
                f"{error.response['Error']['Message']}; the policy of repository {self.name} of account "
                f"{self.registry} has to let this role do ecr:DescribeImages and ecr:DescribeImageScanFindings, "
                "and so has the role's own"
            )
        return MISSING.get(code, str(error))
