"""The verbs of `slipway ...`: one short function each, grouped by what they are about."""
