"""Executions of a pipeline once more: stages tried again or taken back, and what a changed pipeline does to them."""

import json

import pytest
from embedded import Client
from pipeline_world import Delivery, Json, ask, build, spec, stage, until

GATE = """
import boto3, sys
ssm = boto3.client("ssm")
sys.exit(int(ssm.get_parameter(Name="code")["Parameter"]["Value"]))
"""


def set_code(delivery: Delivery, code: int) -> None:
    """How the builds of `obeys` end from now on."""
    delivery.client("ssm").put_parameter(Name="code", Value=str(code), Type="String", Overwrite=True)


@pytest.fixture
def line(delivery: Delivery) -> Delivery:
    """With a build that always succeeds, and one that ends as it is told to."""
    delivery.project("good", spec("echo ran"))
    delivery.project("obeys", spec("cat hello.txt", f"python -c '{GATE}'"))
    set_code(delivery, 0)
    return delivery


def deployed(**more: Json) -> Json:
    """A stage of which one action may fail."""
    return stage("Deploy", build("First", "good"), {**build("Second", "obeys"), "runOrder": 2}, **more)


def failed(line: Delivery) -> str:
    """An execution whose second action has failed."""
    set_code(line, 1)
    execution = line.start()
    assert line.ended(execution) == "Failed"
    set_code(line, 0)
    return execution


def test_a_retry_of_what_failed_runs_nothing_else_again_and_goes_on(line: Delivery) -> None:
    line.declare(deployed(), stage("Last", build("Last", "good")))
    execution = failed(line)

    assert line.retry(execution, "Deploy") == execution

    assert line.ended(execution) == "Succeeded"
    assert line.acted(execution) == [
        ("Fetch", "Succeeded"),
        ("First", "Succeeded"),
        ("Second", "Failed"),
        ("Second", "Succeeded"),
        ("Last", "Succeeded"),
    ]


def test_a_retry_of_all_actions_begins_the_stage_anew(line: Delivery) -> None:
    line.declare(deployed())
    execution = failed(line)

    line.retry(execution, "Deploy", "ALL_ACTIONS")

    assert line.ended(execution) == "Succeeded"
    assert [name for name, _ in line.acted(execution)] == ["Fetch", "First", "Second", "First", "Second"]


def test_an_execution_that_was_abandoned_may_be_taken_up_again(line: Delivery) -> None:
    line.declare(ask(), stage("Last", build("Last", "good")))
    execution = line.start()
    line.asked()
    line.pipelines.stop_pipeline_execution(pipelineName="line", pipelineExecutionId=execution, abandon=True)
    assert line.ended(execution) == "Stopped"

    line.retry(execution, "Ask")
    line.approve()

    assert line.ended(execution) == "Succeeded"
    assert line.acted(execution)[1:] == [("Ask", "Abandoned"), ("Ask", "Succeeded"), ("Last", "Succeeded")]


def test_what_cannot_be_tried_again_is_refused(line: Delivery) -> None:
    line.declare(deployed())
    first = failed(line)
    second = line.start()
    assert line.ended(second) == "Succeeded"

    with pytest.raises(line.pipelines.exceptions.NotLatestPipelineExecutionException, match=f"that is {second}"):
        line.retry(first, "Deploy")
    with pytest.raises(line.pipelines.exceptions.StageNotRetryableException, match="nothing to retry in Deploy"):
        line.retry(second, "Deploy")
    with pytest.raises(line.pipelines.exceptions.StageNotFoundException, match="there are Source, Deploy"):
        line.retry(second, "Other")


def test_after_the_structure_has_changed_nothing_of_before_is_tried_again(line: Delivery) -> None:
    line.declare(deployed())
    execution = failed(line)
    line.update(deployed(), stage("Last", build("Last", "good")))

    with pytest.raises(line.pipelines.exceptions.StageNotRetryableException, match="it is version 2, and the exec"):
        line.retry(execution, "Deploy")


def test_a_stage_is_taken_back_to_what_succeeded_in_it(line: Delivery) -> None:
    line.push({"hello.txt": "old\n"})
    line.declare(deployed(), stage("Last", build("Last", "good")))
    old = line.start()
    assert line.ended(old) == "Succeeded"
    line.push({"hello.txt": "new\n"})
    assert line.run()[0] == "Succeeded"

    back = line.go_back("Deploy", old)

    assert line.ended(back) == "Succeeded"
    assert line.said("obeys") == ["old", "new", "old"]
    assert line.acted(back) == [("First", "Succeeded"), ("Second", "Succeeded")]
    told = line.look(back)
    assert (told["executionType"], told["trigger"]["triggerType"]) == ("ROLLBACK", "ManualRollback")
    assert told["rollbackMetadata"] == {"rollbackTargetPipelineExecutionId": old}
    assert told["artifactRevisions"] == line.look(old)["artifactRevisions"]
    assert line.state("Deploy")["latestExecution"] == {
        "pipelineExecutionId": back,
        "type": "ROLLBACK",
        "status": "Succeeded",
    }


def test_what_a_stage_cannot_be_taken_back_to_is_refused(line: Delivery) -> None:
    line.declare(deployed())
    bad, good = failed(line), line.start()
    assert line.ended(good) == "Succeeded"
    back = line.go_back("Deploy", good)
    assert line.ended(back) == "Succeeded"
    errors = line.pipelines.exceptions

    for target, name, because in (
        (good, "Source", "Source holds the sources and cannot be rolled back"),
        (bad, "Deploy", "has not succeeded in stage Deploy"),
        (back, "Deploy", f"is itself a rollback, to {good}; name that"),
    ):
        with pytest.raises(errors.UnableToRollbackStageException, match=because):
            line.go_back(name, target)
    line.update(deployed(), stage("Last", build("Last", "good")))
    with pytest.raises(errors.PipelineExecutionOutdatedException, match=r"began with version 1 .* version 2 now"):
        line.go_back("Deploy", good)


def test_a_stage_that_fails_is_taken_back_by_itself_where_it_says_so(line: Delivery) -> None:
    line.push({"hello.txt": "old\n"})
    line.declare(stage("Deploy", build("Deploy", "reads"), onFailure={"result": "ROLLBACK"}))
    line.project("reads", spec("cat hello.txt", "! grep -q bad hello.txt"))
    good = line.start()
    assert line.ended(good) == "Succeeded"
    line.push({"hello.txt": "bad\n"})

    bad = line.start()

    assert line.ended(bad) == "Failed"
    back = until(line.executions, lambda found: len(found) == 3)[0]
    assert back["trigger"] == {"triggerType": "AutomatedRollback", "triggerDetail": bad}
    assert back["rollbackMetadata"] == {"rollbackTargetPipelineExecutionId": good}
    assert line.ended(back["pipelineExecutionId"]) == "Succeeded"
    assert line.said("reads")[-1] == "old"


def test_where_there_is_nothing_to_go_back_to_the_execution_says_so(line: Delivery) -> None:
    line.declare(deployed(onFailure={"result": "ROLLBACK"}))
    execution = failed(line)

    summary = until(lambda: line.look(execution)["statusSummary"], lambda said: "roll back" in said)

    assert summary.endswith("there is no execution to roll back to: none has succeeded in this stage as it is today")
    assert len(line.executions()) == 1


def test_a_stage_that_wants_a_retry_gets_one(line: Delivery) -> None:
    line.declare(deployed(onFailure={"result": "RETRY", "retryConfiguration": {"retryMode": "ALL_ACTIONS"}}))
    set_code(line, 1)
    execution = line.start()

    assert line.ended(execution) == "Failed"

    assert [name for name, _ in line.acted(execution)] == ["Fetch", "First", "Second", "First", "Second"]


def test_executions_are_listed_by_the_stage_in_which_they_succeeded(line: Delivery) -> None:
    line.declare(deployed(), stage("Last", build("Last", "good")))
    bad, good = failed(line), line.start()
    assert line.ended(good) == "Succeeded"

    def listed(name: str) -> list[str]:
        found = line.executions(filter={"succeededInStage": {"stageName": name}})
        return [each["pipelineExecutionId"] for each in found]

    assert listed("Source") == [good, bad]
    assert listed("Deploy") == listed("Last") == [good]


def test_an_update_that_changes_nothing_is_no_new_version(line: Delivery) -> None:
    line.declare(deployed())

    assert line.update(deployed()) == 1
    assert line.update(deployed(), ask()) == 2


def test_an_execution_of_before_an_update_is_cancelled_before_its_next_stage(line: Delivery) -> None:
    line.declare(ask(), stage("Last", build("Last", "good")))
    execution = line.start()
    line.asked()

    line.update(ask(), stage("Last", build("Last", "obeys")))
    line.approve()

    assert line.ended(execution) == "Cancelled"
    assert "definition was updated" in line.look(execution)["statusSummary"]
    assert line.acted(execution) == [("Fetch", "Succeeded"), ("Ask", "Succeeded")]


@pytest.mark.parametrize(("restart", "executions"), [(True, 2), (False, 1)])
def test_a_pipeline_that_cloudformation_changes_begins_anew_if_it_is_told_to(
    line: Delivery,
    client: Client,
    restart: bool,
    executions: int,
) -> None:
    cloudformation = client("cloudformation")

    def template(*stages: Json) -> str:
        described = line.described(*stages)
        spelled = {"stages": "Stages", "roleArn": "RoleArn", "name": "Name", "executionMode": "ExecutionMode"}
        properties: Json = {new: described[old] for old, new in spelled.items()}
        properties |= {"ArtifactStore": {"Type": "S3", "Location": line.store}, "PipelineType": "V2"}
        properties |= {"Stages": _spelled(described["stages"]), "RestartExecutionOnUpdate": restart}
        line_resource = {"Type": "AWS::CodePipeline::Pipeline", "Properties": properties}
        return json.dumps({"Resources": {"Line": line_resource}})

    cloudformation.create_stack(StackName="line", TemplateBody=template(ask(), stage("Last", build("Last", "obeys"))))
    first = line.start()
    line.asked()
    changed = template(ask(), stage("Last", build("Last", "good")))
    cloudformation.update_stack(StackName="line", TemplateBody=changed)
    until(lambda: line.pipelines.get_pipeline(name="line")["pipeline"]["version"], lambda version: version == 2)
    line.approve()

    assert line.ended(first) == "Cancelled"
    cloudformation.get_waiter("stack_update_complete").wait(StackName="line")
    assert len(line.executions()) == executions
    for newer in line.executions()[: executions - 1]:
        line.approve()
        assert line.ended(newer["pipelineExecutionId"]) == "Succeeded"


def _spelled(stages: list[Json]) -> list[Json]:
    """As a template has it: names begin with capitals."""
    apart = {"configuration"}

    def capital(found: object) -> object:
        if isinstance(found, list):
            return [capital(each) for each in found]
        if isinstance(found, dict):
            return {key[0].upper() + key[1:]: value if key in apart else capital(value) for key, value in found.items()}
        return found

    told = capital(stages)
    assert isinstance(told, list)
    return told
