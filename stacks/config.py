"""The only reader of environments/: TOML in, frozen settings out, every mistake reported at once."""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from pydantic import ValidationError

from pipeline_code.contract import ContractError
from pipeline_code.models import load_model
from pipeline_code.models import names as model_names
from stacks.delivery_rules import delivery_mistakes
from stacks.github_rules import github_mistakes
from stacks.guardrail_rules import guardrail_mistakes
from stacks.instance_types import outside_the_list
from stacks.names import Names
from stacks.promotion_rules import promotion_mistakes
from stacks.promotion_settings import style_of
from stacks.rollout_rules import rollout_mistakes
from stacks.serving_rules import Case, problems
from stacks.serving_settings import ServingOverride, ServingSettings
from stacks.settings import Environment, JobOverride, Platform, TrainingSettings
from stacks.shapes import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENTS = ROOT / "environments"

TRAINS = ("image", "training", "triggers")
"""Sections of an environment that trains models."""

TABLES: dict[tuple[type[Settings] | None, str], type[Settings]] = {
    (TrainingSettings, "steps"): JobOverride,
    (ServingSettings, "models"): ServingOverride,
}
"""Free tables, and what each of their entries may say."""

S = TypeVar("S", bound=Settings)


class ConfigError(Exception):
    """All mistakes of all files, one line each."""

    def __init__(self, mistakes: list[str]) -> None:
        self.mistakes = mistakes
        super().__init__("\n".join(mistakes))


class Config(Settings):
    platform: Platform
    environments: tuple[Environment, ...]

    def environment(self, name: str) -> Environment:
        for environment in self.environments:
            if environment.name == name:
                return environment
        known = ", ".join(e.name for e in self.environments)
        raise ConfigError([f"no environment {name!r}; environments are {known} (one TOML file each in environments/)"])

    def registry_of(self, environment: Environment) -> Environment:
        """The environment that trains the models which this one serves: itself, or the platform's registry."""
        return self.environment(self.platform.registry) if self.platform.registry else environment

    def holder_of(self, environment: Environment) -> Environment:
        """The environment whose registry holds what this one serves: itself, if versions are copied to it."""
        return environment if style_of(self.platform) == "copy" else self.registry_of(environment)

    def crowns(self, environment: Environment) -> bool:
        """Whether what serves there is what trainings have to beat: in production, and wherever each has its own."""
        return environment.stage == "Production" or style_of(self.platform) == "code"

    @property
    def in_turn(self) -> list[list[Environment]]:
        """The environments in the order in which code comes to them; those of one turn together."""
        turns = sorted({environment.turn for environment in self.environments})
        return [[each for each in self.environments if each.turn == turn] for turn in turns]

    def released_from(self, registry: Environment) -> list[Environment]:
        """The environments that take their versions from a registry; itself among them."""
        return [e for e in self.environments if self.registry_of(e).name == registry.name]


def models() -> list[str]:
    """The models of this platform: the folders of pipeline_code/models."""
    return model_names()


def contract_versions(model: str) -> dict[str, int]:
    """The version of each source's data contract that a model reads."""
    return {source.name: source.version for source in load_model(model).sources}


def load(folder: Path = ENVIRONMENTS) -> Config:
    """Read every TOML file of the folder; raise ConfigError with all mistakes of all of them."""
    mistakes: list[str] = []
    files = sorted(folder.glob("*.toml"))
    platform = _read(folder / "platform.toml", Platform, {}, mistakes)
    environments = [
        _read(file, Environment, {"name": file.stem}, mistakes) for file in files if file.name != "platform.toml"
    ]
    if not environments:
        mistakes.append(f"{folder}: no environment; add one TOML file per environment, such as dev.toml")
    mistakes += _model_mistakes()
    found = [e for e in environments if e]
    if platform and len(found) == len(environments):
        mistakes += _registry_mistakes(folder.name, platform, found)
        mistakes += promotion_mistakes(folder.name, platform, found)
        mistakes += rollout_mistakes(folder.name, platform, found)
        mistakes += guardrail_mistakes(folder.name, platform, found)
        mistakes += delivery_mistakes(folder.name, platform, found)
        mistakes += github_mistakes(folder.name, platform, found)
        mistakes += [m for environment in found for m in _studio_mistakes(folder.name, platform, environment)]
    if not mistakes:
        mistakes += [m for environment in found for m in _serving_mistakes(folder.name, environment)]
    if platform:
        mistakes += outside_the_list(folder.name, platform.instance_types, found)
    if mistakes or platform is None:
        raise ConfigError(mistakes)
    return Config(platform=platform, environments=tuple(found))


def _registry_mistakes(folder: str, platform: Platform, environments: list[Environment]) -> Iterator[str]:
    """Where models are trained, the sections of training stand; nowhere else."""
    names = [e.name for e in environments]
    if platform.registry and platform.registry not in names:
        known = ", ".join(names)
        yield f"{folder}/platform.toml: registry = {platform.registry!r}: no such environment; environments are {known}"
        return
    for environment in environments:
        file, trains = f"{folder}/{environment.name}.toml", platform.registry in {None, environment.name}
        for section in TRAINS:
            if trains and getattr(environment, section) is None:
                yield f"{file}: {section}: missing; {environment.name} trains its models, so add [{section}]"
            elif not trains and getattr(environment, section) is not None:
                yield (
                    f"{file}: {section}: {environment.name} takes its versions from {platform.registry} and trains "
                    f"none; remove [{section}], or `registry` from platform.toml"
                )
    kept = [e.name for e in environments if not e.disposable]
    if platform.registry and kept and platform.registry not in kept:
        yield (
            f"{folder}/{platform.registry}.toml: disposable = True: {', '.join(kept)} serve its versions for good; "
            "set disposable = false"
        )


def _serving_mistakes(folder: str, environment: Environment) -> Iterator[str]:
    """What no endpoint can be, model by model."""
    for name in model_names():
        model = load_model(name)
        case = Case(name, model.serving, model.shadow, environment.stage, environment.serving.of(name))
        yield from (f"{folder}/{environment.name}.toml: serving.{problem}" for problem in problems(case))


def _studio_mistakes(folder: str, platform: Platform, environment: Environment) -> Iterator[str]:
    """People who cannot have a role of their own."""
    if environment.studio:
        long = environment.studio.too_long(Names.of(platform, environment))
        yield from (f"{folder}/{environment.name}.toml: {problem}" for problem in long)


def _model_mistakes() -> list[str]:
    """What the model folders lack or contradict."""
    found: list[str] = []
    for name in model_names():
        try:
            load_model(name)
        except ContractError as error:
            found += str(error).splitlines()
    return found


def _read(file: Path, kind: type[S], given: dict[str, Any], mistakes: list[str]) -> S | None:
    where = f"{file.parent.name}/{file.name}"
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
        return kind.model_validate({**table, **given})
    except FileNotFoundError:
        mistakes.append(f"{where}: file missing; every platform needs it")
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        mistakes.append(f"{where}: not valid TOML: {error}")
    except RecursionError:
        mistakes.append(f"{where}: lists or tables nested too deep to be read")
    except OSError as error:
        mistakes.append(f"{where}: cannot be read: {error.strerror}")
    except ValidationError as error:
        mistakes += [_explain(where, kind, dict(found)) for found in error.errors()]
    return None


def _explain(where: str, kind: type[Settings], error: dict[str, Any]) -> str:
    """One mistake as a line: file, key, value given, what is allowed, the fix."""
    *parents, key = error["loc"] or ("",)
    dotted = ".".join(str(part) for part in error["loc"]) or "file"
    owner = _settings_at(kind, parents)
    if error["type"] == "extra_forbidden":
        return f"{where}: {dotted} = {error['input']!r}: no such key{_suggestion(str(key), owner)}"
    field = owner.model_fields.get(str(key)) if owner else None
    about = f" ({field.description}{_example(field.examples)})" if field and field.description else ""
    if error["type"] == "missing":
        return f"{where}: {dotted}: missing; add it{about}"
    if isinstance(error["input"], dict):
        return f"{where}: {dotted}: {_message(error)}{about}"
    return f"{where}: {dotted} = {error['input']!r}: {_message(error)}{about}"


def _message(error: dict[str, Any]) -> str:
    message = str(error["msg"]).removeprefix("Value error, ")
    return message[0].lower() + message[1:]


def _example(examples: list[Any] | None) -> str:
    return f"; for example {examples[0]!r}" if examples else ""


def _settings_at(kind: type[Settings], path: list[Any]) -> type[Settings] | None:
    """The settings class that owns a key; None below a free table or list."""
    current: type[Settings] | None = kind
    for part in path:
        field = current.model_fields.get(str(part)) if current else None
        nested = _settings_in(field.annotation) if field else None
        if field and (current, str(part)) in TABLES:
            return TABLES[current, str(part)]
        current = nested
    return current


def _settings_in(annotation: Any) -> type[Settings] | None:
    """The settings class of a field, required or not."""
    kinds = [annotation, *get_args(annotation)]
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Settings)), None)


def _suggestion(key: str, owner: type[Settings] | None) -> str:
    if owner is None:
        return "; remove it"
    keys = [name for name in owner.model_fields if name != "name" or owner is Platform]
    close = difflib.get_close_matches(key, keys, n=1)
    meant = f"; did you mean {close[0]}?" if close else ""
    return f"{meant} Keys here are {', '.join(keys)}" if meant else f"; keys here are {', '.join(keys)}"
