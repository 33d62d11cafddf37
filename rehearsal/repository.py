"""A team's repository in the rehearsal: a fork of the platform, changed, and pushed as a zip file to a bucket."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NOT_PUSHED = ("__pycache__", "cdk.out", ".git")


@dataclass(frozen=True)
class Repository:
    """`folder` is the working tree; links in it, to what is installed, are not part of it."""

    folder: Path
    bucket: str
    key: str

    def edit(self, file: str, change: Callable[[str], str]) -> None:
        """Change a file; a change that changes nothing is an error, since the story would go on as if it had."""
        path = self.folder / file
        before = path.read_text(encoding="utf-8")
        after = change(before)
        if after == before:
            raise ValueError(f"{file} is as it was")
        path.write_text(after, encoding="utf-8")

    def add_model(self, like: str, name: str) -> None:
        """A model, as a data scientist adds one: a folder."""
        models = self.folder / "pipeline_code/models"
        (models / name).mkdir()
        for file in sorted((models / like).glob("*.py")):
            text = file.read_text(encoding="utf-8").replace(like, name)
            (models / name / file.name).write_text(text, encoding="utf-8")

    def push(self, s3: Any) -> str:
        """Upload the working tree; the id of the version that S3 gives it."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for file in self._files():
                archive.write(file, file.relative_to(self.folder))
        put = s3.put_object(Bucket=self.bucket, Key=self.key, Body=packed.getvalue())
        return str(put["VersionId"])

    def _files(self) -> Iterator[Path]:
        for path in sorted(self.folder.rglob("*")):
            parts = path.relative_to(self.folder).parts
            linked = (self.folder / parts[0]).is_symlink()
            if path.is_file() and not linked and not set(parts) & set(NOT_PUSHED):
                yield path
