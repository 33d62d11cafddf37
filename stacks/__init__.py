"""The cloud: one file is one room, one stack, one responsibility."""

from __future__ import annotations

import os


def validated() -> bool:
    """Whether this synth checks its templates; `slipway synth` does not, `cdk deploy` and the tests do."""
    return os.environ.get("CDK_VALIDATION") != "false"
