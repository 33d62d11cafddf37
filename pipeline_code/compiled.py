"""A booster as an ONNX graph: the same trees, without XGBoost's fixed cost a call, which is most of a single row's.

https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsembleRegressor.html
"""

from __future__ import annotations

import json
import math
import threading
from typing import TYPE_CHECKING, Any

from pipeline_code.contract import ContractError

if TYPE_CHECKING:
    from collections.abc import Sequence

OBJECTIVE = "binary:logistic"
OPSET, ML_OPSET = 17, 3
INPUT, OUTPUT = "rows", "probability"

Json = dict[str, Any]


def to_onnx(booster: Any) -> bytes:
    """The graph: float32 rows x features (NaN is missing) -> float32 rows x 1, the probability of the label.

    Raises ContractError for trees the graph cannot hold; such a model is served by XGBoost alone.
    """
    from onnx import TensorProto, checker, helper

    learner = json.loads(booster.save_raw("json"))["learner"]
    objective = learner["objective"]["name"]
    if objective != OBJECTIVE:
        raise ContractError(f"objective {objective!r} is not compiled; {OBJECTIVE} is")
    trees = learner["gradient_booster"]["model"]["trees"]
    attributes = _nodes(trees)
    attributes["base_values"] = [_logit(learner["learner_model_param"]["base_score"])]
    trees_node = helper.make_node(
        "TreeEnsembleRegressor",
        [INPUT],
        ["margin"],
        domain="ai.onnx.ml",
        n_targets=1,
        aggregate_function="SUM",
        **attributes,
    )
    # The operator's own LOGISTIC is left unused: runtimes differ in whether they carry it out for one target.
    sigmoid = helper.make_node("Sigmoid", ["margin"], [OUTPUT])
    features = int(learner["learner_model_param"]["num_feature"])
    graph = helper.make_graph(
        [trees_node, sigmoid],
        "booster",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [None, features])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [None, 1])],
    )
    imports = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
    model = helper.make_model(graph, opset_imports=imports, producer_name="slipway")
    model.ir_version = 9  # the oldest that holds these operators: runtimes refuse what is newer than they are
    checker.check_model(model)
    return bytes(model.SerializeToString())


def _nodes(trees: list[Json]) -> Json:
    """All nodes of all trees as the operator's parallel lists."""
    lists: dict[str, list[Any]] = {
        name: []
        for name in (
            "nodes_treeids",
            "nodes_nodeids",
            "nodes_featureids",
            "nodes_modes",
            "nodes_values",
            "nodes_truenodeids",
            "nodes_falsenodeids",
            "nodes_missing_value_tracks_true",
            "target_treeids",
            "target_nodeids",
            "target_ids",
            "target_weights",
        )
    }
    for number, tree in enumerate(trees):
        if any(tree["split_type"]):
            raise ContractError("splits by sets of categories are not compiled; encode categories as numbers")
        for node, left in enumerate(tree["left_children"]):
            leaf = left == -1
            lists["nodes_treeids"].append(number)
            lists["nodes_nodeids"].append(node)
            lists["nodes_featureids"].append(0 if leaf else tree["split_indices"][node])
            lists["nodes_modes"].append("LEAF" if leaf else "BRANCH_LT")
            lists["nodes_values"].append(0.0 if leaf else tree["split_conditions"][node])
            lists["nodes_truenodeids"].append(0 if leaf else left)
            lists["nodes_falsenodeids"].append(0 if leaf else tree["right_children"][node])
            lists["nodes_missing_value_tracks_true"].append(0 if leaf else int(tree["default_left"][node]))
            if leaf:
                lists["target_treeids"].append(number)
                lists["target_nodeids"].append(node)
                lists["target_ids"].append(0)
                lists["target_weights"].append(tree["split_conditions"][node])
    return lists


def _logit(base_score: str) -> float:
    """XGBoost saves the probability boosting began with, since version 3 as a list of one."""
    probability = float(base_score.strip("[]"))
    return math.log(probability / (1 - probability))


def session(graph: bytes) -> Any:
    """The graph ready to run, on one thread: a server's workers are its parallelism."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


class OneRow:
    """A session bound to memory of its own, so that a single row makes and frees no arrays: half of what it costs."""

    def __init__(self, session: Any, features: int) -> None:
        import numpy as np

        self._session, self._binding, self._lock = session, session.io_binding(), threading.Lock()
        self._row = np.zeros((1, features), np.float32)
        self._answer = np.zeros((1, 1), np.float32)
        self._binding.bind_input(INPUT, "cpu", 0, np.float32, self._row.shape, self._row.ctypes.data)
        self._binding.bind_output(OUTPUT, "cpu", 0, np.float32, self._answer.shape, self._answer.ctypes.data)

    def predict(self, row: Sequence[float]) -> float:
        """The probability of the label."""
        with self._lock:  # a large body of one row is answered in a thread
            self._row[0] = row
            self._session.run_with_iobinding(self._binding)
            return float(self._answer[0, 0])
