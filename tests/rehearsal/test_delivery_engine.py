"""CodePipeline's engine: what actions hand each other, and what is refused when it is declared."""

import pytest
from botocore.exceptions import ClientError
from pipeline_world import Delivery, Json, action, build, spec, stage


def test_a_build_leaves_the_files_it_names_for_the_next_one(delivery: Delivery) -> None:
    delivery.project(
        "makes",
        spec(
            "mkdir -p out/deep; echo one > out/a.txt; echo two > out/deep/b.txt; echo no > out/c.md",
            artifacts={"base-directory": "out", "files": ["*.txt", "deep/**/*"]},
        ),
    )
    delivery.project("takes", spec("find . -type f | sort", "cat a.txt deep/b.txt"))
    delivery.declare(
        stage("Make", build("Make", "makes", makes="Made")), stage("Take", build("Take", "takes", takes="Made"))
    )

    assert delivery.run()[0] == "Succeeded"

    assert sorted(delivery.left("Made").namelist()) == ["a.txt", "deep/b.txt"]
    assert delivery.said("takes") == ["./a.txt", "./deep/b.txt", "one", "two"]


def test_a_build_works_in_its_primary_source_and_finds_the_others_by_their_names(delivery: Delivery) -> None:
    delivery.project("makes", spec("echo made > made.txt", artifacts={"files": "made.txt"}))
    delivery.project("takes", spec("ls", 'ls "$CODEBUILD_SRC_DIR_Source"', '[ "$PWD" = "$CODEBUILD_SRC_DIR" ]'))
    delivery.declare(
        stage("Make", build("Make", "makes", makes="Made")),
        stage("Take", build("Take", "takes", takes="Source Made", primary="Made")),
    )

    assert delivery.run() == ("Succeeded", "")

    assert delivery.said("takes") == ["made.txt", "hello.txt"]


def test_of_several_inputs_one_must_be_named_the_primary(delivery: Delivery) -> None:
    delivery.project("takes", spec("true"))
    sources = stage("Source", delivery.source(), delivery.source("More", "Other"))
    delivery.declare(stages=[sources, stage("Take", build("Take", "takes", takes="Source Other"))])

    assert delivery.run() == ("Failed", "Take: PrimarySource = '': name one of Source, Other")


def test_several_outputs_are_the_secondary_artifacts_of_their_names(delivery: Delivery) -> None:
    several = {"One": {"files": "one.txt"}, "Two": {"files": ["two.txt"], "base-directory": "deep"}}
    delivery.project(
        "makes", spec("mkdir deep; touch one.txt deep/two.txt", artifacts={"secondary-artifacts": several})
    )
    delivery.declare(stage("Make", build("Make", "makes", makes="One Two")))

    assert delivery.run() == ("Succeeded", "")

    assert [delivery.left(name).namelist() for name in several] == [["one.txt"], ["two.txt"]]


@pytest.mark.parametrize(
    ("declared", "because"),
    [
        ({}, "its specification has no artifacts/files"),
        ({"artifacts": {"files": "nothing.txt"}}, "no file of the build is named nothing.txt"),
        ({"artifacts": {"files": "*", "base-directory": "out"}}, "base-directory out is not there"),
    ],
)
def test_an_output_that_a_build_does_not_leave_fails_it(delivery: Delivery, declared: Json, because: str) -> None:
    delivery.project("makes", spec("true", **declared))
    delivery.declare(stage("Make", build("Make", "makes", makes="Made")))

    status, summary = delivery.run()

    assert (status, summary[:42]) == ("Failed", "Make: Build terminated with state: FAILED,")
    assert because in delivery.said("makes")[-1]


def test_a_specification_may_be_a_file_of_the_source(delivery: Delivery) -> None:
    delivery.push({"ci/build.yml": "version: 0.2\nphases: {build: {commands: [echo of the file]}}\n"})
    delivery.project("reads", "ci/build.yml")
    delivery.declare(stage("Read", build("Read", "reads")))

    assert delivery.run() == ("Succeeded", "")

    assert delivery.said("reads") == ["of the file"]


def test_files_are_as_old_as_they_were_in_each_build_that_takes_them(delivery: Delivery) -> None:
    told = 'python -c \'import os, time; print(time.strftime("%F %T", time.localtime(os.stat("hello.txt").st_mtime)))\''
    delivery.project("passes", spec(told, artifacts={"files": "**/*"}))
    delivery.project("tells", spec(told))
    delivery.declare(
        stage("Pass", build("Pass", "passes", makes="Passed")), stage("Tell", build("Tell", "tells", takes="Passed"))
    )

    assert delivery.run() == ("Succeeded", "")

    assert [delivery.said(name) for name in ("passes", "tells")] == [["2020-05-17 12:30:40"]] * 2


def test_what_a_build_exports_is_what_later_actions_refer_to(delivery: Delivery) -> None:
    delivery.project("finds", spec('export WORD="a b $(cat hello.txt)"', env={"exported-variables": ["WORD", "NONE"]}))
    delivery.project("tells", spec('echo "$TOLD"'))
    delivery.declare(
        stage("Find", build("Find", "finds", namespace="found")),
        stage("Tell", build("Tell", "tells", variables={"TOLD": "<#{found.WORD}><#{found.NONE}>"})),
    )

    assert delivery.run() == ("Succeeded", "")

    assert delivery.said("tells") == ["<a b hello><>"]


def test_a_source_s_version_is_what_later_actions_refer_to(delivery: Delivery) -> None:
    version = delivery.push()
    delivery.project("tells", spec('echo "$TOLD"'))
    delivery.declare(
        stage("Tell", build("Tell", "tells", variables={"TOLD": "#{source.ObjectKey} #{source.VersionId}"})),
        source=delivery.source(namespace="source"),
    )

    assert delivery.run() == ("Succeeded", "")

    assert delivery.said("tells") == [f"source.zip {version}"]


def test_a_name_that_an_action_did_not_leave_fails_the_action_that_refers_to_it(delivery: Delivery) -> None:
    delivery.project("tells", spec("true"))
    delivery.declare(
        stage("Tell", build("Tell", "tells", variables={"TOLD": "#{source.Commit}"})),
        source=delivery.source(namespace="source"),
    )

    status, summary = delivery.run()

    assert status == "Failed"
    assert summary.startswith("Tell: #{source.Commit} has no value; known are codepipeline.PipelineExecutionId, source")


def test_an_action_beside_another_cannot_refer_to_it_nor_take_from_it(delivery: Delivery) -> None:
    finds = build("Find", "finds", namespace="found", makes="Made")
    tells = build("Tell", "tells", variables={"TOLD": "#{found.WORD}"})

    with pytest.raises(ClientError, match=r"#\{found.WORD\} cannot be resolved; declared are none"):
        delivery.declare(stage("Both", finds, tells))
    with pytest.raises(ClientError, match="Tell takes Made, which no action before it makes; made are Source"):
        delivery.declare(stage("Both", finds, build("Tell", "tells", takes="Made")))
    delivery.declare(stage("Both", finds, {**tells, "runOrder": 2}))


def test_what_nobody_can_carry_out_is_refused_when_it_is_declared(delivery: Delivery) -> None:
    with pytest.raises(ClientError, match="Build takes Nothing, which no action before it makes; made are Source"):
        delivery.declare(stage("Build", build("Build", "x", takes="Nothing")))
    with pytest.raises(ClientError, match="namespace twice is declared twice"):
        delivery.declare(
            stage("One", build("One", "x", namespace="twice")), stage("Two", build("Two", "x", namespace="twice"))
        )
    settings = {"ActionMode": "REPLACE_ON_FAILURE", "StackName": "s"}
    with pytest.raises(ClientError, match="no ActionMode REPLACE_ON_FAILURE here; known are CHANGE_SET_REPLACE"):
        delivery.declare(stage("Deploy", action("Deploy", "CloudFormation", configuration=settings)))
    with pytest.raises(ClientError, match="executionMode, onFailure: needs a pipeline of type V2"):
        delivery.declare(stage("B", build("B", "x"), onFailure={"result": "ROLLBACK"}), pipelineType="V1")
    assert delivery.pipelines.list_pipelines()["pipelines"] == []
