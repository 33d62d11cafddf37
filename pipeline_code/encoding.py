"""How rows become numbers, saved with every version: training, evaluation and endpoint all encode by this.

Needs numpy only.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pipeline_code.contract import ContractError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import numpy.typing as npt

MISSING = float("nan")
"""What XGBoost treats as missing."""


@dataclass(frozen=True)
class Encoding:
    """How rows become numbers: the order of features and, for each category feature, its values in order of code."""

    features: tuple[str, ...]
    categories: Mapping[str, Sequence[str]]

    def encode(self, columns: Mapping[str, Sequence[Any] | npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
        """Rows x features. Null and a category never seen in training are NaN, which XGBoost treats as missing.

        Raises ContractError naming every feature that `columns` lacks.
        """
        import numpy as np

        missing = [name for name in self.features if name not in columns]
        if missing:
            raise ContractError(f"features missing: {', '.join(missing)}; this model needs {', '.join(self.features)}")
        encoded = (self._column(name, columns[name]) for name in self.features)
        return np.column_stack([np.asarray(column, dtype=np.float32) for column in encoded])

    def _column(self, name: str, values: Sequence[Any] | npt.NDArray[Any]) -> Sequence[Any] | npt.NDArray[Any]:
        if name not in self.categories:
            return values
        codes = self.codes[name]
        return [codes.get(value, MISSING) for value in values]

    @cached_property
    def codes(self) -> dict[str, dict[Any, float]]:
        """Of each category feature its values' codes; a value that is not among them is MISSING."""
        return {
            name: {value: float(code) for code, value in enumerate(values)} for name, values in self.categories.items()
        }
