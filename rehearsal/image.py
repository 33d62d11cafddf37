"""An image URI becomes an interpreter and a folder of source: what was deployed is what runs.

The build project that was deployed with the URI names the source the image is built of; its lock must be the one that
the interpreter's environment was made from. A URI that no deployed project builds cannot be run here.
"""

from __future__ import annotations

import hashlib
import io
import threading
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from rehearsal.resources import Place

KINDS = {"IMAGE_URI": "job", "SERVE_IMAGE_URI": "serve"}
"""Variable of the build project that names an image -> its lock, and the environment that stands for it."""


@dataclass(frozen=True)
class Built:
    """What an image was built of: its kind, and the bucket/key of its source in a place."""

    place: Place
    kind: str
    location: str


built: dict[str, Built] = {}
"""What was built in this process, by digest: a copy of an image is what the image is, whatever became of that."""


class ImageError(Exception):
    """Why an image cannot be run here, and what to do."""


@dataclass(frozen=True)
class Image:
    """What stands for a running container: its Python and its working directory."""

    python: Path
    serve_python: Path
    source: Path


class Images:
    """Unpacks each source once."""

    def __init__(self, folder: Path, job_python: Path) -> None:
        root = job_python.parent.parent.parent
        self.folder = folder
        self.pythons = {"job": job_python, "serve": root / ".venv-serve/bin/python"}
        self.lock = threading.Lock()

    def find(self, place: Place, uri: str) -> Image:
        """The image behind a URI; raises ImageError naming the URIs that are known."""
        known = _sources(place)
        made = known.get(uri) or built.get(_digest(place, uri))
        if made is None:
            listed = ", ".join(known) or "none: deploy the image's stack first"
            raise ImageError(f"image {uri} is built by no deployed project; known are {listed}")
        with self.lock:
            source = self._unpacked(made.place, made.location)
        self._check_lock(uri, made.kind, source)
        return Image(self.pythons[made.kind], self.pythons["serve"], source)

    def _check_lock(self, uri: str, kind: str, source: Path) -> None:
        environment = self.pythons[kind].parent.parent
        made_from, lock = environment / f"{kind}.txt", source / f"requirements/{kind}.txt"
        if not made_from.is_file() or made_from.read_bytes() != lock.read_bytes():
            raise ImageError(f"image {uri} has another lock than {environment.name}; run `make setup`")

    def _unpacked(self, place: Place, location: str) -> Path:
        bucket, _, key = location.partition("/")
        folder = self.folder / hashlib.sha256(location.encode()).hexdigest()[:16]
        if not folder.is_dir():
            body = place.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
            with zipfile.ZipFile(io.BytesIO(body)) as archive:
                archive.extractall(folder)
        return folder


def _digest(place: Place, uri: str) -> str:
    """What the repository holds under a URI; empty if there is none."""
    if "/" not in uri:
        return ""  # of no repository of ECR
    named, _, digest = uri.partition("/")[2].partition("@")
    name, _, tag = named.partition(":")
    asked = {"imageDigest": digest} if digest else {"imageTag": tag or "latest"}
    ecr = place.client("ecr")
    try:
        (found,) = ecr.describe_images(repositoryName=name, imageIds=[asked])["imageDetails"]
    except (ecr.exceptions.RepositoryNotFoundException, ecr.exceptions.ImageNotFoundException):
        return ""
    return str(found["imageDigest"])


def _sources(place: Place) -> dict[str, Built]:
    """What each image URI is built of, by the build projects of the account."""
    codebuild = place.client("codebuild")
    names = codebuild.list_projects()["projects"]
    projects = codebuild.batch_get_projects(names=names)["projects"] if names else []
    return {
        variable["value"]: Built(place, KINDS[variable["name"]], project["source"]["location"])
        for project in projects
        for variable in project["environment"].get("environmentVariables", [])
        if variable["name"] in KINDS
    }
