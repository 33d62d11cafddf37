"""Every string two rooms, or the CLI and a room, must spell alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline_code.models import load_model
from pipeline_code.models import names as model_names
from stacks.baseline_names import BaselineNames
from stacks.capabilities import CAPABILITIES, Form, form_of

if TYPE_CHECKING:
    from stacks.settings import Environment, Platform


@dataclass(frozen=True)
class Names:
    """The physical names of one environment; all else is named by CloudFormation.

    `to_zero` lists the models that run on no instance without requests: their endpoints have names of their own.
    `baseline` says that key and boundary are those of the account's baseline.
    """

    platform: str
    environment: str
    account: str
    region: str
    to_zero: tuple[str, ...] = ()
    baseline: bool = False

    @classmethod
    def of(cls, platform: Platform, environment: Environment) -> Names:
        to_zero = tuple(model for model in model_names() if environment.serving.of(model).scale_to_zero)
        baseline = environment.governance.owner == "baseline"
        return cls(platform.name, environment.name, environment.account, environment.region, to_zero, baseline)

    @property
    def prefix(self) -> str:
        return f"{self.platform}-{self.environment}"

    @property
    def boundary(self) -> str:
        return BaselineNames(self.platform).boundary if self.baseline else f"{self.prefix}-boundary"

    @property
    def key_alias(self) -> str:
        return BaselineNames(self.platform).key_alias if self.baseline else f"alias/{self.prefix}"

    @property
    def repository(self) -> str:
        return f"{self.prefix}-job"

    @property
    def image_build(self) -> str:
        """The project that builds the images; guardrails know builds by the platform's name."""
        return f"{self.prefix}-images"

    @property
    def data_bucket(self) -> str:
        return self._bucket("data")

    @property
    def runs_bucket(self) -> str:
        """What pipeline runs leave behind: datasets, models, evaluations; and the champion of each model."""
        return self._bucket("runs")

    @property
    def provenance_bucket(self) -> str:
        return self._bucket("provenance")

    @property
    def starter(self) -> str:
        """The function that starts runs, whatever asks for them."""
        return f"{self.prefix}-starter"

    @property
    def requests(self) -> str:
        """The function people ask for runs; it finds out who asks and hands on to the starter."""
        return f"{self.prefix}-requests"

    @property
    def notices(self) -> str:
        """The topic that tells people of failed runs."""
        return f"{self.prefix}-notices"

    @property
    def topic_arn(self) -> str:
        return f"arn:aws:sns:{self.region}:{self.account}:{self.notices}"

    def pipeline(self, model: str) -> str:
        return f"{self.prefix}-{dashed(model)}"

    def model_package_group(self, model: str) -> str:
        return f"{self.prefix}-{dashed(model)}"

    def group_arn(self, model: str) -> str:
        """The group as other accounts must name it."""
        return f"arn:aws:sagemaker:{self.region}:{self.account}:model-package-group/{self.model_package_group(model)}"

    def form(self, model: str) -> Form:
        """How a model is served here."""
        return form_of(load_model(model).serving, scale_to_zero=model in self.to_zero)

    def endpoint(self, model: str) -> str:
        """An endpoint of another form has another name: SageMaker does not update one to the other."""
        return f"{self.prefix}-{dashed(model)}{CAPABILITIES[self.form(model)].suffix}"

    def endpoint_role(self, model: str) -> str:
        """A role's name, because the deployer's policy, made earlier, must name it."""
        return f"{self.prefix}-{dashed(model)}-endpoint"

    def dashboard(self, model: str) -> str:
        return f"{self.prefix}-{dashed(model)}"

    def version_parameter(self, model: str) -> str:
        """The SSM parameter that says which version this environment is to serve."""
        return f"/{self.platform}/{self.environment}/{model}/version"

    def shadow_parameter(self, model: str) -> str:
        """The SSM parameter that says which version gets a copy of the requests; empty for a model without a shadow."""
        return f"/{self.platform}/{self.environment}/{model}/shadow" if load_model(model).shadow else ""

    def source_parameter(self, model: str) -> str:
        """The SSM parameter that says what a model's folder held when it was deployed last; its change trains it."""
        return f"/{self.platform}/{self.environment}/{model}/source"

    def serving_stack(self, model: str) -> str:
        """The stack that a release updates."""
        return f"{self.prefix}-Serving{title(model)}"

    @property
    def releases(self) -> str:
        """The table of leases and the journal of releases."""
        return f"{self.prefix}-releases"

    @property
    def serving_deployer(self) -> str:
        """The role CloudFormation takes on when a release updates a serving stack."""
        return f"{self.prefix}-serving-deployer"

    @property
    def releaser(self) -> str:
        """The role that releases: it alone writes desired versions and the journal."""
        return f"{self.prefix}-releaser"

    @property
    def verifier(self) -> str:
        """The role that looks whether an environment works: it asks endpoints, and changes nothing."""
        return f"{self.prefix}-verifier"

    @property
    def reviewer(self) -> str:
        """The role that looks what a deployment would change: it makes change sets, and carries none out."""
        return f"{self.prefix}-reviewer"

    def persona(self, persona: str) -> str:
        """A role of people."""
        return f"{self.prefix}-{dashed(persona)}"

    def consumer(self, model: str) -> str:
        """The role that may invoke one model's endpoint."""
        return f"{self.prefix}-{dashed(model)}-consumer"

    @property
    def studio(self) -> str:
        """The domain of SageMaker Studio."""
        return f"{self.prefix}-studio"

    def in_studio(self, persona: str, user: str) -> str:
        """The role of one person in Studio; no other name of the platform has a dot.

        An approver's says so: the organization's policies know approvers by the names of their roles.
        """
        return f"{self.persona(persona) if persona == 'approver' else self.studio}.{user}"

    @property
    def release_pipeline(self) -> str:
        """Where models are trained: the pipeline that an approval starts."""
        return f"{self.prefix}-release"

    @property
    def release_pipeline_role(self) -> str:
        """The role of that pipeline itself; it alone may hand a build its source and variables."""
        return f"{self.prefix}-release-pipeline"

    @property
    def release_builder(self) -> str:
        """The role of that pipeline's build, which becomes the releaser of the environment it releases to."""
        return f"{self.prefix}-release-builder"

    @property
    def approvals(self) -> str:
        """The function that hears of approvals; its queue of what it could not do has the same name."""
        return f"{self.prefix}-approvals"

    @property
    def delivery_bucket(self) -> str:
        """What the release pipeline hands from action to action."""
        return self._bucket("delivery")

    def role_arn(self, role: str) -> str:
        return f"arn:aws:iam::{self.account}:role/{role}"

    def job_role(self, model: str, step: str) -> str:
        """A role's name, because the provenance bucket's policy, made earlier, must name it."""
        return f"{self.prefix}-{dashed(model)}-{step}"

    def _bucket(self, purpose: str) -> str:
        return f"{self.prefix}-{purpose}-{self.account}-{self.region}"


# Keys of the buckets: purpose first, so that lifecycle rules can name it.
CAPTURE_PREFIX = "capture"
PERIODS_PREFIX = "periods"
LISTINGS_PREFIX = "listings"
CHAMPION_PREFIX = "champion"
RUNS_PREFIX = "runs"
TEMPORARY_PREFIX = "temporary"
ASYNCHRONOUS_PREFIX = "asynchronous"
BATCH_PREFIX = "batch"


def periods_prefix(model: str) -> str:
    """In the data bucket: one folder a month."""
    return f"{PERIODS_PREFIX}/{model}"


def listings_prefix(model: str) -> str:
    """In the data bucket: one folder a listing, which names the periods of a run and their content."""
    return f"{LISTINGS_PREFIX}/{model}"


def champion_prefix(model: str) -> str:
    """In the runs bucket: champion.json and, if there is a champion, its model.tar.gz."""
    return f"{CHAMPION_PREFIX}/{model}"


def runs_prefix(model: str) -> str:
    """In the runs bucket: one folder a pipeline execution, kept with the versions it made."""
    return f"{RUNS_PREFIX}/{model}"


def temporary_prefix(model: str) -> str:
    """In the runs bucket: one folder a pipeline execution, what can be made again from the periods."""
    return f"{TEMPORARY_PREFIX}/{model}"


def capture_prefix(model: str) -> str:
    """In the data bucket: what an endpoint was asked and answered."""
    return f"{CAPTURE_PREFIX}/{model}"


def asynchronous_prefix(model: str) -> str:
    """In the data bucket: `requests` of an asynchronous endpoint, its `answers` and its `failures`."""
    return f"{ASYNCHRONOUS_PREFIX}/{model}"


def batch_prefix(model: str) -> str:
    """In the data bucket: `input` and `output` of transform jobs."""
    return f"{BATCH_PREFIX}/{model}"


def provenance_prefix(model: str) -> str:
    """In the provenance bucket: one folder a pipeline execution."""
    return model


def dashed(model: str) -> str:
    """A model's name as SageMaker and S3 accept it."""
    return model.replace("_", "-")


def title(model: str) -> str:
    """A model's name inside the id of a construct."""
    return "".join(part.capitalize() for part in model.split("_"))
