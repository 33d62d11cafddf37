"""A trained model as it leaves training: XGBoost's native file and what is needed to give it rows.

Needs numpy and xgboost only, so that jobs and endpoints score with the same code.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Self

from pipeline_code.contract import ContractError
from pipeline_code.encoding import Encoding

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import numpy.typing as npt

MODEL_FILE = "model.ubj"
FEATURES_FILE = "features.json"
ARCHIVE = "model.tar.gz"
"""The name SageMaker gives a training job's packed model folder."""


@dataclass(frozen=True)
class Predictor:
    """A booster with its encoding and the facts of its training."""

    booster: Any
    encoding: Encoding
    training: Mapping[str, Any]

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read an unpacked model folder."""
        import xgboost

        encoding, training = read_saved(folder)
        return cls(xgboost.Booster(model_file=folder / MODEL_FILE), encoding, training)

    def save(self, folder: Path) -> None:
        """Write the two files of a model folder; the same training gives the same bytes."""
        self.booster.save_model(folder / MODEL_FILE)
        saved = {**asdict(self.encoding), **self.training}
        (folder / FEATURES_FILE).write_text(json.dumps(saved, indent=2) + "\n", encoding="utf-8")

    def predict(self, columns: Mapping[str, Sequence[Any] | npt.NDArray[Any]]) -> npt.NDArray[np.float64]:
        """The probability of the label for each row."""
        import numpy as np
        import xgboost

        names = list(self.encoding.features)
        scores = self.booster.predict(xgboost.DMatrix(self.encoding.encode(columns), feature_names=names))
        return np.asarray(scores, dtype=np.float64)

    def gains(self) -> dict[str, float]:
        """Share of the loss each feature's splits removed in training, largest first; features never used are 0."""
        total = self.booster.get_score(importance_type="total_gain")
        every = sum(total.values()) or 1.0
        shares = {name: total.get(name, 0.0) / every for name in self.encoding.features}
        return dict(sorted(shares.items(), key=lambda item: (-item[1], item[0])))


def read_saved(folder: Path) -> tuple[Encoding, dict[str, Any]]:
    """What stands beside the booster in a model folder: the encoding, and how the model was trained."""
    missing = [name for name in (MODEL_FILE, FEATURES_FILE) if not (folder / name).is_file()]
    if missing:
        raise ContractError(f"model without {', '.join(missing)}; train it again with the step `train`")
    saved = json.loads((folder / FEATURES_FILE).read_text(encoding="utf-8"))
    return Encoding(tuple(saved.pop("features")), saved.pop("categories")), saved


def training_of(archive: Path) -> dict[str, Any]:
    """How the model in model.tar.gz was trained, without loading it."""
    _require(archive)
    with tempfile.TemporaryDirectory() as folder, tarfile.open(archive) as packed:
        _unpack(packed, Path(folder))
        return read_saved(Path(folder))[1]


def load_archive(archive: Path, sha256: str | None = None) -> Predictor:
    """A model from model.tar.gz; raises ContractError if its sha256 is another than the one promised."""
    _require(archive)
    digest = file_sha256(archive)
    if sha256 is not None and digest != sha256:
        raise ContractError(
            f"{archive.parent.name}/{archive.name}: sha256 is {digest}, promised is {sha256}; "
            "it was replaced after it was recorded"
        )
    with tempfile.TemporaryDirectory() as folder, tarfile.open(archive) as packed:
        _unpack(packed, Path(folder))
        return Predictor.load(Path(folder))


def unpack_archive(archive: Path, folder: Path) -> None:
    """Unpack a model.tar.gz into a folder that is made for it."""
    _require(archive)
    folder.mkdir(parents=True)
    with tarfile.open(archive) as packed:
        _unpack(packed, folder)


def _require(archive: Path) -> None:
    if not archive.is_file():
        raise ContractError(f"no {archive.name} in {archive.parent.name}/; SageMaker packs it when training ends")


def _unpack(packed: tarfile.TarFile, folder: Path) -> None:
    """Plain files only: no links, no devices, nothing outside. Python before 3.11.4 has no filter that says so."""
    for member in packed:
        inside = PurePosixPath(member.name)
        if member.isdir():
            continue
        content = packed.extractfile(member) if member.isfile() else None
        if content is None or inside.is_absolute() or ".." in inside.parts:
            raise ContractError(f"the model's archive holds {member.name!r}; it may hold plain files inside it only")
        folder.joinpath(inside).parent.mkdir(parents=True, exist_ok=True)
        folder.joinpath(inside).write_bytes(content.read())


def file_sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
