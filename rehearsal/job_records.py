"""SageMaker's API of processing and training jobs: describe and list what pipelines started."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from moto.core.responses import ActionResult
from moto.sagemaker.responses import SageMakerResponse

from rehearsal.api import Caller, Json, ServiceError, install
from rehearsal.paging import between, page

if TYPE_CHECKING:
    from rehearsal.job import Job


class JobRecords:
    """All jobs of all accounts; the operations, by AWS's names."""

    def __init__(self) -> None:
        self.jobs: defaultdict[Caller, dict[str, Job]] = defaultdict(dict)

    def install(self) -> None:
        install(SageMakerResponse, {name: getattr(self, name) for name in dir(type(self)) if name[0].isupper()})
        of_others = SageMakerResponse.list_tags

        def list_tags(response: SageMakerResponse) -> ActionResult:
            """Of jobs from here, of all else from moto."""
            named = response._get_param("ResourceArn")  # noqa: SLF001 moto gives no other way to it
            mine = self.jobs[Caller(response.current_account, response.region)].values()
            tags = [job.request.get("Tags", []) for job in mine if job.arn == named]
            return ActionResult({"Tags": tags[0]}) if tags else of_others(response)

        setattr(SageMakerResponse, "list_tags", list_tags)  # noqa: B010 a mend of moto

    def keep(self, caller: Caller, job: Job) -> None:
        self.jobs[caller][job.name] = job

    def DescribeProcessingJob(self, caller: Caller, request: Json) -> Json:  # noqa: N802 AWS's name
        return self._job(caller, "Processing", request["ProcessingJobName"]).describe()

    def DescribeTrainingJob(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        return self._job(caller, "Training", request["TrainingJobName"]).describe()

    def ListProcessingJobs(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        return page("ProcessingJobSummaries", self._listed(caller, "Processing", request), request)

    def ListTrainingJobs(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        return page("TrainingJobSummaries", self._listed(caller, "Training", request), request)

    def _job(self, caller: Caller, kind: str, name: str) -> Job:
        job = self.jobs[caller].get(name)
        if job is None or job.kind != kind:
            raise ServiceError("ValidationException", f"Could not find requested job with name: {name}")
        return job

    def _listed(self, caller: Caller, kind: str, request: Json) -> list[Json]:
        part, status = request.get("NameContains", ""), request.get("StatusEquals")
        found = [job.summary() for job in list(self.jobs[caller].values()) if job.kind == kind and part in job.name]
        wanted = [job for job in found if status in {None, job[f"{kind}JobStatus"]}]
        return between(request, lambda job: job["CreationTime"], wanted)
