"""What every environment promises, whatever its rooms: boundary, encryption, privacy, names, order."""

import json
import subprocess
import sys
from pathlib import Path

from conftest import Assembly, synthesize

from rehearsal import definition
from rehearsal.cdk import node
from stacks.config import ROOT, load

POLICY_LIMIT = 6144
"""Characters of a managed policy, white space not counted."""

# Model Monitor, Clarify and Debugger are closed to new AWS customers since 2026-07-30.
CLOSED_TYPES = {
    "AWS::SageMaker::MonitoringSchedule",
    "AWS::SageMaker::DataQualityJobDefinition",
    "AWS::SageMaker::ModelQualityJobDefinition",
    "AWS::SageMaker::ModelBiasJobDefinition",
    "AWS::SageMaker::ModelExplainabilityJobDefinition",
}


def test_every_environment_has_every_room(assembly: Assembly) -> None:
    serves = {"Budgets", "Governance", "Network", "Notices", "Data", "Releases", "ServingFlightDelay", "Personas"}
    trains = {"Image", "Triggers", "RegistryFlightDelay", "TrainingFlightDelay", "Delivery"}

    for environment in load().environments:
        prefix = f"slipway{environment.name}"
        found = {s.removeprefix(prefix)[:-8] for s in assembly.templates if s.startswith(prefix)}
        assert found == (serves | trains if environment.name == "dev" else serves)


def test_two_synths_are_byte_equal(assembly: Assembly, tmp_path: Path) -> None:
    again = synthesize(tmp_path / "again").folder

    files = sorted(f.relative_to(assembly.folder) for f in assembly.folder.rglob("*.template.json"))
    assert files == sorted(f.relative_to(again) for f in again.rglob("*.template.json"))
    for file in [*files, Path("manifest.json")]:
        assert (assembly.folder / file).read_bytes() == (again / file).read_bytes(), file


def test_synth_asks_aws_nothing(assembly: Assembly) -> None:
    for manifest in assembly.folder.rglob("manifest.json"):
        assert "missing" not in json.loads(manifest.read_text())


def test_synth_needs_no_credentials_network_git_or_docker(tmp_path: Path) -> None:
    """The app itself, with Node on its path and nothing else, and every proxy dead."""
    dead = "http://127.0.0.1:9"
    environment = {"PATH": str(node().parent), "HOME": str(tmp_path), "HTTPS_PROXY": dead, "HTTP_PROXY": dead}
    context = {"environment": "dev", **json.loads((ROOT / "cdk.json").read_text())["context"]}
    given = {"CDK_OUTDIR": str(tmp_path / "out"), "CDK_CONTEXT_JSON": json.dumps(context), "CDK_VALIDATION": "false"}

    done = subprocess.run(
        [sys.executable, "app.py"], cwd=ROOT, env={**environment, **given}, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "out").rglob("*.template.json"))) == 13


def test_data_outlives_its_stack(assembly: Assembly) -> None:
    stateful = ("AWS::S3::Bucket", "AWS::KMS::Key", "AWS::ECR::Repository", "AWS::SageMaker::ModelPackageGroup")

    for kind in stateful:
        for name, resource in assembly.resources(kind):
            assert resource["DeletionPolicy"] == "Retain", name


def test_nothing_closed_to_new_customers_is_used(assembly: Assembly) -> None:
    kinds = {
        resource["Type"] for template in assembly.templates.values() for resource in template["Resources"].values()
    }

    assert not kinds & CLOSED_TYPES


def test_templates_and_policies_keep_aws_limits(assembly: Assembly) -> None:
    for name, template in assembly.templates.items():
        assert len(template["Resources"]) <= 500, name
        assert len(json.dumps(template)) <= 1_000_000, name
    for name, policy in assembly.resources("AWS::IAM::ManagedPolicy"):
        document = json.dumps(policy["Properties"]["PolicyDocument"], separators=(",", ":"))
        assert len("".join(document.split())) <= POLICY_LIMIT, name


def test_stateful_logical_ids_do_not_change(assembly: Assembly) -> None:
    """A new logical id means a new resource: the old one is deleted, or orphaned with its data."""
    kinds = {"AWS::S3::Bucket", "AWS::KMS::Key", "AWS::ECR::Repository", "AWS::SageMaker::ModelPackageGroup"}
    ids = {
        name
        for stack, template in assembly.templates.items()
        if stack.startswith("slipwaydev")
        for name, resource in template["Resources"].items()
        if resource["Type"] in kinds
    }

    assert ids == {
        "AccessLogs8B620ECA",
        "Data666C94C7",
        "Delivery5F6C039D",
        "Group",
        "Key961B73FD",
        "ProvenanceA62CDDB7",
        "Repository22E53BBD",
        "RunsE45A2291",
    }


def test_the_image_is_made_of_lock_and_code_only(assembly: Assembly) -> None:
    (source,) = [f for f in assembly.folder.glob("asset.*") if (f / "requirements/job.txt").is_file()]

    files = {f.relative_to(source).as_posix() for f in source.rglob("*") if f.is_file()}

    code = {f.relative_to(ROOT).as_posix() for f in (ROOT / "pipeline_code").rglob("*") if f.is_file()}
    assert files == {f for f in code if "__pycache__" not in f} | {"requirements/job.txt", "requirements/serve.txt"}


def test_one_environment_can_be_built_alone(tmp_path: Path) -> None:
    alone = synthesize(tmp_path / "alone", {"environment": "dev", "commit": "abc1234"})

    assert all(stack.startswith("slipwaydev") for stack in alone.templates)
    assert "abc1234" in json.dumps(alone.templates)


def pipeline_definition(assembly: Assembly, environment: str) -> definition.Json:
    (pipeline,) = [
        p for name, p in assembly.resources("AWS::SageMaker::Pipeline") if name.startswith(f"slipway{environment}")
    ]
    body = pipeline["Properties"]["PipelineDefinition"]["PipelineDefinitionBody"]
    resolved = "".join(part if isinstance(part, str) else _stand_in(part) for part in body["Fn::Join"][1])
    loaded: definition.Json = json.loads(resolved)
    return loaded


def _stand_in(reference: dict[str, object]) -> str:
    return "arn:aws:iam::111111111111:role/x" if "Arn" in json.dumps(reference) else "subnet-0a1b2c3d"


def test_every_request_of_the_pipeline_is_valid(assembly: Assembly) -> None:
    assert definition.mistakes(pipeline_definition(assembly, "dev")) == []


def test_what_runs_in_a_job_is_the_images_to_say(assembly: Assembly) -> None:
    steps = definition.flatten(pipeline_definition(assembly, "dev")["Steps"])

    jobs = [step["Arguments"] for step in steps if step["Type"] in {"Processing", "Training"}]
    assert len(jobs) == 5
    for job in jobs:
        assert "/opt/ml" not in json.dumps([job.get("AppSpecification"), job.get("AlgorithmSpecification")])


def test_a_model_reads_its_own_folder_and_none_that_begins_alike(assembly: Assembly) -> None:
    steps = definition.flatten(pipeline_definition(assembly, "dev")["Steps"])

    given = {
        i["InputName"]: i["S3Input"]["S3Uri"] for step in steps for i in step["Arguments"].get("ProcessingInputs", [])
    }
    assert given["periods"].endswith("/periods/flight_delay/")
    assert given["champion"].endswith("/champion/flight_delay/")
