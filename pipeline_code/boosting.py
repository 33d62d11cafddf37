"""Boosting in segments, each with a seed of its own: training that was interrupted goes on to the very same bytes.

XGBoost draws rows and columns from one stream of random numbers, which no saved model holds. Every segment therefore
begins with a booster made from what was saved and a seed that follows from its number, interrupted or not.
"""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SEGMENT = 50
"""Rounds between two checkpoints."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checkpoints:
    """Where segments are saved, one file a phase; a folder of None saves nothing.

    A file is the fingerprint of the training, the sha256 of the booster, and the booster: XGBoost ends the process when
    it is given bytes that are no model, so none are given to it unchecked.
    """

    folder: Path | None = None
    fingerprint: str = "0" * 64

    def load(self, phase: str) -> bytes | None:
        """The newest save of a phase of this very training; what is broken or of another is left."""
        file = self._file(phase)
        if file is None or not file.is_file():
            return None
        content = file.read_bytes()
        training, digest, raw = content[:64], content[64:128], content[128:]
        if digest != hashlib.sha256(raw).hexdigest().encode():
            log.warning("checkpoint %s is broken; training begins anew", file.name)
            return None
        if training != self.fingerprint.encode():
            log.info("checkpoint %s is of other data or hyperparameters; training begins anew", file.name)
            return None
        log.info("going on from checkpoint %s", file.name)
        return raw

    def save(self, phase: str, raw: bytes) -> None:
        """Write beside and rename, so that whoever copies the folder meanwhile finds the old save or the new."""
        file = self._file(phase)
        if file is not None:
            beside = file.with_name(f".{file.name}")
            beside.write_bytes(self.fingerprint.encode() + hashlib.sha256(raw).hexdigest().encode() + raw)
            beside.replace(file)

    def _file(self, phase: str) -> Path | None:
        return self.folder / f"{phase}.checkpoint" if self.folder else None


def fingerprint(parameters: Mapping[str, Any], *data: Path) -> str:
    """What a training depends on: its hyperparameters, its files' content, XGBoost's version."""
    import xgboost

    digest = hashlib.sha256(json.dumps([xgboost.__version__, SEGMENT, dict(parameters)], sort_keys=True).encode())
    for file in data:
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


@dataclass(frozen=True)
class Watch:
    """Rows that boosting is judged by, and after how many rounds without improvement it stops."""

    rows: Any
    patience: int


@dataclass(frozen=True)
class Boosting:
    """One training: XGBoost's parameters, seed among them, and where its segments are saved."""

    parameters: Mapping[str, Any]
    saved: Checkpoints

    def run(self, phase: str, rows: Any, rounds: int, watch: Watch | None = None) -> Any:
        """A booster of `rounds` rounds, or of fewer if the watch says so.

        A watched booster's attributes best_iteration and best_score name its best round and the log loss there.
        """
        raw = self.saved.load(phase)
        while True:
            booster = _begin(self.parameters, rows, raw)
            if booster.num_boosted_rounds() >= rounds or _is_over(booster, watch):
                return booster
            for _ in range(min(SEGMENT, rounds - booster.num_boosted_rounds())):
                booster.update(rows, booster.num_boosted_rounds())
                if watch:
                    _note(booster, watch)
                if _is_over(booster, watch):
                    break
            raw = bytes(booster.save_raw("ubj"))
            self.saved.save(phase, raw)


def _begin(parameters: Mapping[str, Any], rows: Any, raw: bytes | None) -> Any:
    import xgboost

    seeded = dict(parameters)
    booster = xgboost.Booster(seeded, [rows])
    if raw is not None:
        done = xgboost.Booster(model_file=bytearray(raw)).num_boosted_rounds()
        seeded["seed"] = parameters["seed"] + done
        booster = xgboost.Booster(seeded, [rows])
        booster.load_model(bytearray(raw))
        booster.set_param(seeded)
    return booster


def _note(booster: Any, watch: Watch) -> None:
    """Keep the best round and its score with the booster, so that they outlive an interruption."""
    score = float(booster.eval(watch.rows).rsplit(":", 1)[1])
    best = booster.attr("best_score")
    if best is None or score < float(best):
        booster.set_attr(best_score=repr(score), best_iteration=str(booster.num_boosted_rounds() - 1))


def _is_over(booster: Any, watch: Watch | None) -> bool:
    best = booster.attr("best_iteration") if watch else None
    return best is not None and watch is not None and booster.num_boosted_rounds() - 1 - int(best) >= watch.patience
