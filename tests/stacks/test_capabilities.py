"""Each impossible pair of the table of serving is refused by name: the key, its value, what is allowed and the fix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError
from serving_modes import MODES, NEEDS, use

from stacks.capabilities import CAPABILITIES
from stacks.config import ConfigError, load
from stacks.delivery import BUILD_MINUTES
from stacks.names import Names
from stacks.serving_rules import LONGEST_BAKE_MINUTES, RULES, Case, problems
from stacks.serving_settings import ServingOverride, ServingSettings

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline_code.model import Serving

OFF_HOURS = {"begin": "cron(0 19 ? * MON-FRI *)", "end": "cron(0 7 ? * MON-FRI *)"}
AT_TWO = {"at": "cron(0 2 * * ? *)", "min_instances": 1, "max_instances": 1}
COMPONENT, SERVERLESS, BATCH = NEEDS["component"], NEEDS["serverless"], NEEDS["batch"]


def case(mode: Serving, *, stage: str = "Development", shadow: bool = False, **serving: Any) -> Case:
    return Case("flight_delay", mode, shadow, stage, ServingSettings.model_validate(serving))


BROKEN: dict[str, list[tuple[Case, str]]] = {
    "vpc": [(case("serverless", **{**SERVERLESS, "vpc": True}), "vpc = True")],
    "no reason for no vpc": [(case("serverless", **{**SERVERLESS, "vpc_exempt": None}), "say why flight_delay")],
    "a reason for nothing": [(case("realtime", vpc_exempt="habit, mostly"), "vpc_exempt = 'habit, mostly'")],
    "isolation": [(case("serverless", **{**SERVERLESS, "network_isolation": True}), "network_isolation = True")],
    "no vpc without need": [
        (case("realtime", vpc=False), "vpc = False"),
        (case("async", capture="off", vpc=False), "vpc = False"),
        (case("batch", **{**BATCH, "vpc": False}), "vpc = False"),
    ],
    "no network without need": [
        (case("realtime", network_isolation=False), "network_isolation = False"),
        (case("realtime", network_isolation=False, **COMPONENT), "network_isolation = False"),
    ],
    "capture by SageMaker": [
        (case("serverless", **{**SERVERLESS, "capture": "sagemaker"}), 'allowed is "off"'),
        (case("async"), 'allowed is "server" or "off"'),
        (case("batch", **{**BATCH, "capture": "sagemaker"}), 'allowed is "off"'),
        (case("realtime", **{**COMPONENT, "capture": "sagemaker"}), 'allowed is "server" or "off"'),
    ],
    "capture by the server": [
        (case("serverless", **{**SERVERLESS, "capture": "server"}), 'allowed is "off"'),
        (case("batch", **{**BATCH, "capture": "server", "network_isolation": False}), 'allowed is "off"'),
    ],
    "capture by an isolated server": [
        (case("realtime", capture="server"), "set network_isolation = false"),
        (case("async", capture="server"), "set network_isolation = false"),
    ],
    "canary": [
        (case("serverless", **{**SERVERLESS, "canary_percent": 10}), "canary_percent = 10"),
        (case("batch", **{**BATCH, "canary_percent": 10}), "canary_percent = 10"),
        (case("realtime", **{**COMPONENT, "canary_percent": 10}), "canary_percent = 10"),
    ],
    "canary of one": [
        (case("realtime", min_instances=1), "min_instances = 1 for flight_delay; a canary needs at least 2"),
        (case("realtime", off_hours=OFF_HOURS), "off_hours or schedules that leave flight_delay 1 instance"),
        (case("realtime", schedules=[AT_TWO]), "off_hours or schedules that leave flight_delay 1 instance"),
        (case("async", capture="off", scale_to_zero=True), "scale_to_zero = True for flight_delay"),
    ],
    "linear": [
        (case("serverless", shifting="linear", **SERVERLESS), 'allowed is "canary" with canary_percent = 0'),
        (case("batch", shifting="linear", **BATCH), 'shifting = "linear"'),
        (case("realtime", shifting="linear", **COMPONENT), 'shifting = "linear"'),
    ],
    "linear of one": [
        (case("realtime", shifting="linear", min_instances=1), "min_instances = 1 for flight_delay; steps need"),
        (case("realtime", shifting="linear", off_hours=OFF_HOURS), "leave flight_delay 1 instance; steps need"),
        (case("async", capture="off", shifting="linear", scale_to_zero=True), "scale_to_zero = True for flight_delay"),
    ],
    "steps that take too long": [
        (
            case("realtime", shifting="linear", step_percent=10, bake_minutes=25),
            "watched for 240 minutes in all; lower bake_minutes to 24, or raise step_percent",
        ),
    ],
    "zero in production": [
        (case("realtime", stage="Production", **COMPONENT), "allowed in Development and Staging"),
        (case("async", stage="Production", **COMPONENT), "allowed in Development and Staging"),
    ],
    "off-hours in production": [
        (case("realtime", stage="Production", off_hours=OFF_HOURS, canary_percent=0), "allowed in Development"),
    ],
    "hours of what has no instances": [
        (case("serverless", off_hours=OFF_HOURS, **SERVERLESS), "no instances to schedule"),
        (case("batch", schedules=[AT_TWO], **BATCH), 'off_hours = "none" and schedules = [] under [serving.models'),
    ],
    "steps of what has no instances": [
        (case("serverless", step_instances=2, **SERVERLESS), "step_instances = 2"),
        (case("realtime", step_instances=2, **COMPONENT), "step_instances = 2"),
    ],
    "shadow": [
        (case("serverless", shadow=True, **SERVERLESS), "set shadow = False"),
        (case("async", shadow=True, capture="off"), "set shadow = False"),
        (case("batch", shadow=True, **BATCH), "set shadow = False"),
        (case("realtime", shadow=True, **COMPONENT), "set shadow = False"),
    ],
    "most below fewest": [
        (
            Case("flight_delay", "realtime", shadow=False, stage="Staging", config=ServingSettings.model_validate(
                {"models": {"flight_delay": {"max_instances": 1}}}
            ).of("flight_delay")),
            "max_instances = 1 is below min_instances = 2",
        ),
    ],
}  # fmt: skip
PAIRS = [(name, broken, said) for name, cases in BROKEN.items() for broken, said in cases]


def test_every_rule_has_a_case_that_breaks_it() -> None:
    assert [rule.name for rule in RULES] == list(BROKEN)


@pytest.mark.parametrize(("name", "broken", "said"), PAIRS, ids=[f"{n}-{c.form}" for n, c, _ in PAIRS])
def test_an_impossible_pair_is_refused_by_name(name: str, broken: Case, said: str) -> None:
    found = list(problems(broken))

    assert name in [rule.name for rule in RULES if rule.broken(broken)]
    assert len(found) == 1
    assert said in found[0]
    assert "flight_delay" in found[0]


@pytest.mark.parametrize("kind", NEEDS)
def test_each_way_of_serving_has_settings_that_fit(kind: str) -> None:
    mode: Any = MODES.get(kind, kind)

    assert list(problems(case(mode, shadow=kind == "shadow", **NEEDS[kind]))) == []


@pytest.mark.parametrize("kind", ["realtime", "async"])
def test_traffic_may_go_over_in_the_most_steps_there_are(kind: str) -> None:
    mode: Any = kind
    steps: dict[str, Any] = {"shifting": "linear", "step_percent": 10, "bake_minutes": 24}

    assert list(problems(case(mode, **NEEDS[kind], **steps))) == []


@pytest.mark.parametrize("percent", [9, 51])
def test_a_step_is_a_tenth_to_half_of_the_fleet(percent: int) -> None:
    with pytest.raises(ValidationError, match="step_percent"):
        ServingSettings.model_validate({"shifting": "linear", "step_percent": percent})


def test_the_longest_release_ends_before_the_build_that_releases() -> None:
    an_hour_to_start = 60

    assert an_hour_to_start + LONGEST_BAKE_MINUTES <= BUILD_MINUTES


OF_THE_ENVIRONMENT = {"models", "forbidden_findings", "log_retention_days"}
"""What a release and its logs are held to, whichever model."""


def test_a_models_own_table_may_say_all_that_is_said_of_endpoints() -> None:
    assert set(ServingOverride.model_fields) == set(ServingSettings.model_fields) - OF_THE_ENVIRONMENT


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("bake_minutes", 3),
        ("off_hours", OFF_HOURS),
        ("schedules", [AT_TWO]),
        ("step_instances", 5),
        ("safety_factor", 0.9),
        ("backlog", 7.5),
        ("concurrency", 3),
        ("quiet_minutes", 0),
        ("shifting", "linear"),
        ("step_percent", 50),
    ],
)
def test_a_models_own_value_is_over_that_of_all_and_of_its_type(key: str, value: Any) -> None:
    shared = ServingSettings.model_validate({"models": {"flight_delay": {key: value}}})
    alone = ServingSettings.model_validate({key: value})

    assert getattr(shared.of("flight_delay"), key) == getattr(alone, key) != getattr(shared, key)
    assert type(getattr(shared.of("flight_delay"), key)) is type(getattr(alone, key))


def test_a_model_may_be_without_the_hours_of_all_others() -> None:
    shared = ServingSettings.model_validate(
        {
            "off_hours": OFF_HOURS,
            "schedules": [AT_TWO],
            "models": {"flight_delay": {"off_hours": "none", "schedules": []}},
        }
    )
    own = shared.of("flight_delay")

    assert (own.off_hours, own.schedules) == (None, ())
    assert (shared.off_hours is None, len(shared.schedules)) == (False, 1)
    assert list(problems(Case("flight_delay", "realtime", shadow=False, stage="Staging", config=own))) == []


@pytest.mark.parametrize("own", [False, True])
def test_limits_of_a_schedule_are_in_order_wherever_it_stands(own: bool) -> None:
    wrong = {"schedules": [{"at": "cron(0 2 * * ? *)", "min_instances": 3, "max_instances": 2}]}
    table = {"models": {"flight_delay": wrong}} if own else wrong

    with pytest.raises(ValidationError, match="max_instances = 2 is below min_instances = 3"):
        ServingSettings.model_validate(table)


def test_check_names_file_and_key_of_every_model_that_cannot_be(
    environments: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, "serverless")

    with pytest.raises(ConfigError) as refused:
        load(environments)

    assert len(refused.value.mistakes) == 3 * 4  # environments, and what serverless cannot
    assert refused.value.mistakes[0].startswith("environments/dev.toml: serving.vpc = True")


def test_a_models_own_table_makes_it_fit(environments: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, "serverless")
    own = (
        '[serving.models.flight_delay]\nvpc = false\nvpc_exempt = "serverless joins none"\n'
        'network_isolation = false\ncapture = "off"\ncanary_percent = 0\n'
    )
    for file in environments.glob("*.toml"):
        if file.stem != "platform":
            file.write_text(f"{file.read_text()}\n{own}")

    config = load(environments)

    assert not config.environment("prod").serving.of("flight_delay").vpc
    assert config.environment("prod").serving.vpc


def test_an_unknown_models_table_is_a_mistake(environments: Path) -> None:
    file = environments / "dev.toml"
    file.write_text(f"{file.read_text()}\n[serving.models.nothing]\nvpc = false\n")

    with pytest.raises(ConfigError, match="no such model: nothing; models are flight_delay"):
        load(environments)


def test_endpoints_of_different_forms_have_different_names(monkeypatch: pytest.MonkeyPatch) -> None:
    config = load()
    found = set()
    for kind in ("realtime", "async", "serverless"):
        use(monkeypatch, kind)
        found.add(Names.of(config.platform, config.environment("dev")).endpoint("flight_delay"))
    use(monkeypatch, "realtime")
    table = config.environment("dev").model_dump() | {"serving": COMPONENT}
    made = type(config.environment("dev")).model_validate(table)
    found.add(Names.of(config.platform, made).endpoint("flight_delay"))

    suffixes = [CAPABILITIES[form].suffix for form in ("realtime", "async", "serverless", "component")]
    assert found == {f"slipway-dev-flight-delay{suffix}" for suffix in suffixes}
