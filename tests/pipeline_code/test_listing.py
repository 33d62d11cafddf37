"""A run reads the periods as they were when it was asked for, or stops and names what changed."""

import json
from pathlib import Path

import pytest
from real_jobs import Seal, give_periods, make_job, write_listing

from pipeline_code import listing
from pipeline_code.contract import DataError, Job


@pytest.fixture
def job(small_periods: Path, tmp_path: Path) -> Job:
    made = make_job("prepare", tmp_path / "job", period="2013-02")
    give_periods(made, small_periods)
    return made


def check(job: Job) -> None:
    listing.check(job.read("listing"), job.read("periods"), job.environment.period)


def test_periods_as_listed_pass(job: Job) -> None:
    check(job)


def test_later_periods_are_not_asked_for(job: Job, seal: Seal) -> None:
    later = job.read("periods") / "2013-03"
    later.mkdir()
    seal(later)

    check(job)


def test_a_period_that_changed_arrived_or_went_is_named(job: Job, seal: Seal) -> None:
    periods = job.read("periods")
    (periods / "2013-02/flights.csv").write_text("other")
    seal(periods / "2013-02")
    (periods / "2013-01").rename(periods / "2012-12")

    with pytest.raises(DataError) as caught:
        check(job)

    assert caught.value.problems == (
        "2012-12: arrived after the run was asked for; start the run anew",
        "2013-01: gone since the run was asked for; upload it again",
        "2013-02: changed after the run was asked for; start the run anew",
    )


def test_the_listing_of_another_run_is_refused(job: Job) -> None:
    write_listing(job.read("listing"), job.read("periods"), "2013-01")

    with pytest.raises(DataError, match="it is of 2013-01, the run of 2013-02"):
        check(job)


@pytest.mark.parametrize("content", [None, "", "[]", '{"period": "2013-02"}', '{"period": "2013-02", "manifests": 3}'])
def test_a_listing_that_cannot_be_read_says_so(job: Job, content: str | None) -> None:
    file = job.read("listing") / "listing.json"
    file.unlink()
    if content is not None:
        file.write_text(content)

    with pytest.raises(DataError, match=r"listing\.json cannot be read; start the run anew"):
        check(job)


def test_the_sum_is_the_manifests(job: Job) -> None:
    listed = json.loads((job.read("listing") / "listing.json").read_text())

    assert sorted(listed["manifests"]) == ["2013-01", "2013-02"]
