"""Train: gradient boosting that stops when later days no longer improve, then learns from those days too."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from pipeline_code import hyperparameters
from pipeline_code.boosting import Boosting, Checkpoints, Watch, fingerprint
from pipeline_code.contract import Job, Step
from pipeline_code.model import DAY, LABEL

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

    from pipeline_code.encoding import Encoding
    from pipeline_code.model import Model
    from pipeline_code.predictor import Predictor

STEP = Step(name="train", kind="Training", reads=("dataset",), writes=("model",), cached=True)

OBJECTIVE = {"objective": "binary:logistic", "eval_metric": "logloss", "tree_method": "hist"}

NOTHING_SAVED = Checkpoints()

log = logging.getLogger(__name__)


def main(job: Job) -> None:
    """Read the dataset's training and validation parts, write the model. The test part is never opened."""
    from pipeline_code.models import load_model

    parameters = hyperparameters.parse(job.hyperparameters())
    model = load_model(job.environment.model)

    import polars as pl

    dataset = job.read("dataset")
    train, validation = (pl.read_parquet(dataset / f"{name}.parquet") for name in ("train", "validation"))
    log.info("%d rows to train on, %d to validate with", train.height, validation.height)
    files = (dataset / "train.parquet", dataset / "validation.parquet")
    saved = Checkpoints(job.checkpoints, fingerprint(parameters, *files))
    run(model, train, validation, parameters, saved).save(job.write("model"))


def run(
    model: Model,
    train: pl.DataFrame,
    validation: pl.DataFrame,
    parameters: Mapping[str, int | float],
    saved: Checkpoints = NOTHING_SAVED,
) -> Predictor:
    """Boost until `validation` stops improving, then boost as many rounds on both parts.

    The last days resemble the days to come most, so the final model must learn from them.
    """
    import polars as pl

    from pipeline_code.predictor import Predictor

    both = pl.concat([train, validation])
    encoding = vocabulary(model, both)
    boosting = Boosting({name: parameters[name] for name in hyperparameters.BOOSTER} | OBJECTIVE, saved)
    watch = Watch(_matrix(encoding, validation), int(parameters["early_stopping_rounds"]))
    stopped = boosting.run("search", _matrix(encoding, train), int(parameters["num_boost_round"]), watch)
    best, score = int(stopped.attr("best_iteration")), float(stopped.attr("best_score"))
    log.info("validation log loss %.4f after %d rounds", score, best + 1)
    final = boosting.run("final", _matrix(encoding, both), best + 1)
    training = {
        "best_iteration": best,
        "validation_log_loss": round(score, 6),
        "hyperparameters": dict(parameters),
        "seed": parameters["seed"],
        "rows": both.height,
        "trained_to": str(both[DAY].max()),
    }
    return Predictor(final, encoding, training)


def vocabulary(model: Model, rows: pl.DataFrame) -> Encoding:
    """The model's features in their declared order; categories are those seen in training, in alphabetical order."""
    from pipeline_code.encoding import Encoding

    categories = {
        feature.name: rows[feature.name].drop_nulls().unique().sort().to_list()
        for feature in model.features
        if feature.type == "category"
    }
    return Encoding(model.feature_names, categories)


def _matrix(encoding: Encoding, rows: pl.DataFrame) -> Any:
    import xgboost

    columns = {name: rows[name].to_numpy() for name in encoding.features}
    return xgboost.DMatrix(encoding.encode(columns), label=rows[LABEL].to_numpy(), feature_names=list(columns))
