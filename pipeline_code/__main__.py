"""`python -m pipeline_code <step>`: what a job's container runs."""

from __future__ import annotations

import logging
import os
import sys
import time

from pipeline_code.contract import ContractError, Job, JobEnvironment
from pipeline_code.steps import load, steps

log = logging.getLogger("pipeline_code")


def main(arguments: list[str]) -> int:
    """Run one step; 0 if it succeeds, 1 if it refuses or fails, with the reason where SageMaker looks for it."""
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(asctime)s %(levelname)s %(message)s")
    try:
        (name,) = arguments
        step, run = load(name)
        job = Job(step, JobEnvironment.parse(step, os.environ))
    except ValueError:
        return _refuse(f"usage: python -m pipeline_code <step>; steps are {', '.join(s.name for s in steps())}")
    except ContractError as error:
        return _refuse(str(error))
    started = time.monotonic()
    log.info("%s of %s for %s", step.name, job.environment.model, job.environment.period)
    try:
        run(job)
    except ContractError as error:
        job.explain(str(error))
        return _refuse(str(error))
    except Exception as error:
        job.explain(f"{type(error).__name__}: {error}")
        raise
    log.info("%s: done in %.1f s", step.name, time.monotonic() - started)
    return 0


def _refuse(message: str) -> int:
    sys.stderr.write(f"{message}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
