"""Training that was interrupted goes on to the very same bytes, and never from another training's checkpoint."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost

from pipeline_code.boosting import SEGMENT, Boosting, Checkpoints, Watch, fingerprint

PARAMETERS = {
    "objective": "binary:logistic",
    "eval_metric": "logloss",
    "eta": 0.1,
    "max_depth": 3,
    "subsample": 0.8,
    "colsample_bytree": 0.6,
    "nthread": 2,
    "seed": 7,
}

OURS = "0123456789abcdef" * 4


def rows(seed: int, count: int = 400) -> Any:
    draws = np.random.default_rng(seed)
    values = draws.normal(size=(count, 6)).astype(np.float32)
    labels = (values[:, 0] + draws.normal(size=count) > 0).astype(int)
    return xgboost.DMatrix(values, label=labels)


def raw(booster: Any) -> bytes:
    return bytes(booster.save_raw("ubj"))


class MachineGoneError(Exception):
    """The machine is gone."""


class Gone(Checkpoints):
    """Saves once, then the machine is gone."""

    def save(self, phase: str, content: bytes) -> None:
        super().save(phase, content)
        raise MachineGoneError


def test_an_interrupted_training_ends_in_the_same_bytes(tmp_path: Path) -> None:
    rounds = 2 * SEGMENT + 7
    whole = Boosting(PARAMETERS, Checkpoints()).run("final", rows(1), rounds)

    for _ in range(2):
        with pytest.raises(MachineGoneError):
            Boosting(PARAMETERS, Gone(tmp_path, OURS)).run("final", rows(1), rounds)
    resumed = Boosting(PARAMETERS, Checkpoints(tmp_path, OURS)).run("final", rows(1), rounds)

    assert whole.num_boosted_rounds() == rounds
    assert raw(resumed) == raw(whole)


def test_an_interrupted_search_stops_where_a_whole_one_stops(tmp_path: Path) -> None:
    watch = Watch(rows(2), patience=SEGMENT - 3)
    whole = Boosting(PARAMETERS, Checkpoints()).run("search", rows(1), 1000, watch)

    with pytest.raises(MachineGoneError):
        Boosting(PARAMETERS, Gone(tmp_path, OURS)).run("search", rows(1), 1000, watch)
    resumed = Boosting(PARAMETERS, Checkpoints(tmp_path, OURS)).run("search", rows(1), 1000, watch)

    best = int(whole.attr("best_iteration"))
    assert whole.num_boosted_rounds() - 1 - best == SEGMENT - 3
    assert whole.num_boosted_rounds() < 1000
    assert raw(resumed) == raw(whole)


def test_a_search_stops_as_xgboosts_own_early_stopping_does_within_a_segment() -> None:
    theirs = xgboost.train(
        PARAMETERS, rows(1), SEGMENT, evals=[(rows(2), "v")], early_stopping_rounds=5, verbose_eval=False
    )

    ours = Boosting(PARAMETERS, Checkpoints()).run("search", rows(1), SEGMENT, Watch(rows(2), patience=5))

    assert int(ours.attr("best_iteration")) == theirs.best_iteration
    assert float(ours.attr("best_score")) == theirs.best_score


def test_a_finished_phase_is_not_boosted_again(tmp_path: Path) -> None:
    saved = Checkpoints(tmp_path, OURS)
    first = Boosting(PARAMETERS, saved).run("final", rows(1), SEGMENT)

    again = Boosting(PARAMETERS, saved).run("final", rows(9), SEGMENT)

    assert raw(again) == raw(first)


@pytest.mark.parametrize("content", [b"", b"not a model", OURS.encode() + b"0" * 64 + b"torn", None])
def test_a_checkpoint_of_another_training_or_a_broken_one_is_left(tmp_path: Path, content: bytes | None) -> None:
    Boosting(PARAMETERS, Checkpoints(tmp_path, "f" * 64)).run("final", rows(9), SEGMENT)
    if content is not None:
        (tmp_path / "final.checkpoint").write_bytes(content)

    anew = Boosting(PARAMETERS, Checkpoints(tmp_path, OURS)).run("final", rows(1), SEGMENT)

    assert raw(anew) == raw(Boosting(PARAMETERS, Checkpoints()).run("final", rows(1), SEGMENT))


def test_the_fingerprint_tells_data_and_parameters_apart(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"1")
    two.write_bytes(b"2")

    prints = {
        fingerprint(PARAMETERS, one),
        fingerprint(PARAMETERS, two),
        fingerprint(PARAMETERS, one, two),
        fingerprint({**PARAMETERS, "eta": 0.2}, one),
    }

    assert len(prints) == 4
    assert fingerprint(PARAMETERS, one) == fingerprint(dict(reversed(PARAMETERS.items())), one)


def test_nothing_unfinished_lies_in_the_folder(tmp_path: Path) -> None:
    Boosting(PARAMETERS, Checkpoints(tmp_path, OURS)).run("final", rows(1), SEGMENT + 1)

    assert [file.name for file in tmp_path.iterdir()] == ["final.checkpoint"]
