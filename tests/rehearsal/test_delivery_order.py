"""In which order executions come to a stage: who is superseded, who holds it, and who waits until it is enabled."""

import pytest
from botocore.exceptions import ClientError
from pipeline_world import Delivery, ask, build, spec, stage, until

REASON = {"transitionType": "Inbound", "reason": "a freeze"}


@pytest.fixture
def line(delivery: Delivery) -> Delivery:
    delivery.project("reads", spec("cat hello.txt"))
    return delivery


def shut(line: Delivery, name: str) -> None:
    line.pipelines.disable_stage_transition(pipelineName="line", stageName=name, **REASON)


def let_in(line: Delivery, name: str) -> None:
    line.pipelines.enable_stage_transition(pipelineName="line", stageName=name, transitionType="Inbound")


def waits_for(line: Delivery, name: str, execution: str) -> None:
    """See it wait at the stage's door."""
    inbound = lambda: line.state(name).get("inboundExecution", {}).get("pipelineExecutionId")  # noqa: E731
    until(inbound, lambda found: found == execution)


def pushed(line: Delivery, text: str) -> str:
    line.push({"hello.txt": f"{text}\n"})
    return line.start()


def test_of_three_pushes_to_a_held_stage_the_middle_one_is_superseded(line: Delivery) -> None:
    line.declare(ask(), stage("Read", build("Read", "reads")), executionMode="SUPERSEDED")
    first = pushed(line, "first")
    line.asked()
    second = pushed(line, "second")
    waits_for(line, "Ask", second)
    third = pushed(line, "third")

    assert line.ended(second) == "Superseded"
    line.approve()
    assert line.ended(first) == "Succeeded"
    line.approve()
    assert line.ended(third) == "Succeeded"
    assert line.said("reads") == ["first", "third"]
    assert line.acted(second) == [("Fetch", "Succeeded")]


def test_an_approval_holds_its_stage_until_it_is_answered(line: Delivery) -> None:
    line.declare(ask(), executionMode="SUPERSEDED")
    first = line.start()
    token = line.asked()
    second = line.start()
    waits_for(line, "Ask", second)

    assert (line.asked(), line.look(first)["status"]) == (token, "InProgress")
    line.approve(status="Rejected")

    assert line.ended(first) == "Failed"
    line.approve()
    assert line.ended(second) == "Succeeded"


@pytest.mark.parametrize("mode", ["QUEUED", "SUPERSEDED", "PARALLEL"])
def test_nobody_gets_into_a_stage_until_it_is_enabled_again(line: Delivery, mode: str) -> None:
    line.declare(stage("Read", build("Read", "reads")), executionMode=mode)
    shut(line, "Read")
    execution = line.start()
    until(lambda: line.acted(execution), lambda acted: acted == [("Fetch", "Succeeded")])

    told = line.state("Read")["inboundTransitionState"]
    assert (told["enabled"], told["disabledReason"]) == (False, "a freeze")
    assert line.look(execution)["status"] == "InProgress"
    assert line.acted(execution) == [("Fetch", "Succeeded")]
    let_in(line, "Read")

    assert line.ended(execution) == "Succeeded"
    assert line.state("Read")["inboundTransitionState"] == {"enabled": True}


def test_what_waits_at_a_disabled_stage_may_be_stopped_and_an_update_cancels_it(line: Delivery) -> None:
    line.declare(stage("Read", build("Read", "reads")))
    shut(line, "Read")
    first, second = line.start(), line.start()
    waits_for(line, "Read", second)

    line.pipelines.stop_pipeline_execution(pipelineName="line", pipelineExecutionId=first)
    assert line.ended(first) == "Stopped"
    assert line.update(ask(), stage("Read", build("Read", "reads"))) == 2

    assert line.ended(second) == "Cancelled"
    assert [line.acted(each) for each in (first, second)] == [[("Fetch", "Succeeded")]] * 2


def test_only_a_stage_s_way_in_can_be_disabled(line: Delivery) -> None:
    line.declare(stage("Read", build("Read", "reads")))

    with pytest.raises(ClientError, match="transitionType = Outbound: the embedded AWS knows Inbound only"):
        line.pipelines.disable_stage_transition(
            pipelineName="line", stageName="Read", transitionType="Outbound", reason="a freeze"
        )
    with pytest.raises(ClientError, match="no stage Other here; there are Source, Read"):
        shut(line, "Other")
