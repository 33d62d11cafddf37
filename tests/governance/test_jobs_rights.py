"""What SageMaker's roles may do follows from the pipeline's definition, neither more nor less."""

from __future__ import annotations

from derived import isolation, jobs, rights, steps
from iam_deployed import Cloud


def test_jobs_and_pipeline_may_what_their_requests_and_steps_need(cloud: Cloud) -> None:
    assert len(jobs(steps(cloud))) == 5
    assert list(rights(cloud)) == []


def test_jobs_are_isolated_and_candidates_are_registered_as_such(cloud: Cloud) -> None:
    assert list(isolation(cloud)) == []
