"""A saved model scores rows as they come, and is what was promised."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from pipeline_code.contract import ContractError
from pipeline_code.encoding import Encoding
from pipeline_code.predictor import Predictor, file_sha256, load_archive

if TYPE_CHECKING:
    from pathlib import Path

    from real_jobs import Real


ENCODING = Encoding(("size", "kind"), {"kind": ["a", "b"]})


def test_categories_become_codes_and_the_unknown_is_missing() -> None:
    found = ENCODING.encode({"kind": ["b", "a", "z", None], "size": [1, None, 3, 4], "other": [0, 0, 0, 0]})

    np.testing.assert_array_equal(found, np.array([[1, 1], [np.nan, 0], [3, np.nan], [4, np.nan]], dtype=np.float32))


def test_missing_features_are_all_named() -> None:
    with pytest.raises(ContractError, match="features missing: size, kind; this model needs size, kind"):
        ENCODING.encode({})


def test_an_archive_scores_as_its_folder(real: Real) -> None:
    rows = pl.read_parquet(real.dataset / "test.parquet").head(200).to_dict(as_series=False)

    from_folder, from_archive = Predictor.load(real.model).predict(rows), load_archive(real.archive).predict(rows)

    np.testing.assert_array_equal(from_folder, from_archive)
    assert ((from_folder > 0) & (from_folder < 1)).all()


def test_one_row_scores_as_among_others(real: Real) -> None:
    rows = pl.read_parquet(real.dataset / "test.parquet").head(50)
    predictor = Predictor.load(real.model)

    together = predictor.predict(rows.to_dict(as_series=False))
    alone = predictor.predict(rows.slice(17, 1).to_dict(as_series=False))

    assert alone[0] == together[17]


def test_gains_add_up(real: Real) -> None:
    gains = Predictor.load(real.model).gains()

    assert sum(gains.values()) == pytest.approx(1)
    assert next(iter(gains)) == "origin_stall"


def test_an_archive_must_be_the_promised_one(real: Real) -> None:
    assert load_archive(real.archive, file_sha256(real.archive))
    with pytest.raises(ContractError, match="it was replaced after it was recorded"):
        load_archive(real.archive, "0" * 64)


def test_an_archive_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"no model\.tar\.gz"):
        load_archive(tmp_path / "model.tar.gz")


def plain(name: str) -> tarfile.TarInfo:
    return tarfile.TarInfo(name)


def linked(name: str, kind: bytes, target: str) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, target
    return entry


@pytest.mark.parametrize(
    "entry",
    [
        plain("../escaped.txt"),
        plain("folder/../../escaped.txt"),
        plain("/tmp/escaped.txt"),
        linked("model.ubj", tarfile.SYMTYPE, "/etc/passwd"),
        linked("model.ubj", tarfile.LNKTYPE, "../escaped.txt"),
        linked("model.ubj", tarfile.FIFOTYPE, ""),
    ],
    ids=lambda entry: f"{entry.name} {entry.type!r}",
)
def test_an_archive_that_reaches_outside_is_refused(tmp_path: Path, entry: tarfile.TarInfo) -> None:
    with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as archive:
        archive.addfile(entry, io.BytesIO(b""))

    with pytest.raises(ContractError, match="it may hold plain files inside it only"):
        load_archive(tmp_path / "model.tar.gz")
    assert not (tmp_path.parent / "escaped.txt").exists()


def test_an_archive_packed_with_folders_is_read(real: Real, tmp_path: Path) -> None:
    """As `tar -C /opt/ml/model .` packs it."""
    with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as archive:
        archive.add(real.model, arcname=".")

    assert load_archive(tmp_path / "model.tar.gz").encoding == Predictor.load(real.model).encoding


def test_a_folder_without_its_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"model without model\.ubj, features\.json"):
        Predictor.load(tmp_path)
