"""The story of governance: a baseline for whole units, guardrails, people's roles; who drifts, who may, who may not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rehearsal import guard, session
from rehearsal.background import Background
from rehearsal.cdk import Cdk
from rehearsal.deeds import APPROVER, AUTHOR, SCIENTIST, Things, Version, live, past_the_guardrails, past_their_role
from rehearsal.fork import fork
from rehearsal.inventory import inventory
from rehearsal.land import Land
from rehearsal.people import People
from rehearsal.phases import phase
from rehearsal.rights import above, held
from rehearsal.rollout_told import drifted, planned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from rehearsal.embedded import EmbeddedAws
    from rehearsal.inventory import Inventory
    from rehearsal.people import Decide

POLICIES = "us-east-1"
"""Where the stack of the organization's policies stands."""

UNIT, BELOW, ELSEWHERE = "ml", "production", "finance"
TRAINS, SERVES, LATE, STRANGE = "ml-dev", "ml-prod", "ml-late", "ledger"
MONTHLY_USD, MAIL = 500, "finance@example.com"
ADMINISTRATOR = "Admin"
ALL = "arn:aws:iam::aws:policy/AdministratorAccess"


class GovernanceError(Exception):
    """Why the story of governance stopped."""


@dataclass(frozen=True)
class GovernancePlan:
    """Plain values of the platform, and of the environment that trains: names as its templates give them.

    `roles` are those that deeds are done in, `studio` is who works there, by name the persona.
    """

    root: Path
    platform: str
    environment: str
    region: str
    group: str
    pipeline: str
    roles: dict[str, str]
    studio: dict[str, str]
    stack_sets: tuple[str, str]
    boundary: str
    key_alias: str
    rooms: tuple[str, ...]
    """The rooms of governance; with them comes what they stand on."""


@dataclass(frozen=True)
class Stood:
    """A stack and where it stands."""

    account: str
    region: str
    name: str


@dataclass
class Governance:
    """One run of the story; `tell` hears of everything that begins and ends, `decide` says who may what."""

    aws: EmbeddedAws
    plan: GovernancePlan
    tell: Callable[[str], None]
    state: Path
    decide: Decide
    begun: float
    seconds: dict[str, float] = field(default_factory=dict)
    joined: dict[str, str] = field(default_factory=dict)
    budgets: list[dict[str, Any]] = field(default_factory=list)

    @property
    def total_seconds(self) -> float:
        return round(time.monotonic() - self.begun, 2)

    def run(self) -> None:
        self._found()
        self._deploy()
        self._join()
        self._drift()
        with self._phase("people"):
            self._people()
        with self._phase("read back"):
            self._read_back()

    def _found(self) -> None:
        self.land = Land(self.aws.client, self.plan.region)
        self.organization = self.land.found()
        self.land.unit(UNIT)
        self.land.unit(BELOW, UNIT)
        self.land.unit(ELSEWHERE)
        for name, unit in ((TRAINS, UNIT), (SERVES, BELOW), (STRANGE, ELSEWHERE)):
            self.land.account(name, unit)
        self.fork = fork(self.plan.root, self.state / "fork", self._files())

    def _files(self) -> dict[str, dict[str, Any]]:
        """The environment files of a team that has this organization."""
        land, region = self.land, self.plan.region
        rollout = {
            "management_account": land.management,
            "administrator_account": None,
            "organizational_units": [land.units[UNIT]],
            "regions": [region],
            "only_accounts": None,
            "except_accounts": None,
            "trusted_accounts": None,
            "auditor_account": None,
            "budget": {"monthly_usd": MONTHLY_USD, "emails": [MAIL]},
        }
        guardrails = {"account": land.management, "region": POLICIES, "targets": [land.units[UNIT]]}
        of_all = {"organization_id": self.organization, "rollout": rollout, "guardrails": guardrails}
        of_one = {
            "account": land.accounts[TRAINS],
            "governance": {"owner": "baseline", "key_arn": None},
            "studio": {"users": [{"name": name, "persona": persona} for name, persona in self.plan.studio.items()]},
        }
        return {"platform.toml": of_all, f"{self.plan.environment}.toml": of_one}

    def _deploy(self) -> None:
        """What is planned is deployed: baseline and bootstrap by stack sets, guardrails beside them, then the rooms."""
        management, region = self.land.management, self.plan.region
        synth = Background(self._synth)
        with self._phase("cdk bootstrap management"):
            self._cdk(management, region).run("bootstrap", f"aws://{management}/{region}")
        with self._phase("slipway rollout plan"):
            self.planned = planned(self._slipway("rollout", "plan"))
        synth.wait()
        forbidden = Background(lambda: self._stacks(POLICIES, f"{self.plan.platform}-Guardrails"))
        self._stacks(region, f"{self.plan.platform}-rollout/*")
        self.rolled_out = sorted(self.land.statuses(self.plan.stack_sets[0]))
        forbidden.wait()
        self._stacks(region, *self._rooms(), account=self.land.accounts[TRAINS])

    def _rooms(self) -> list[str]:
        return [f"{self.plan.platform}-{self.plan.environment}/{room}" for room in self.plan.rooms]

    def _synth(self) -> None:
        with self._phase("cdk synth"):
            cdk = Cdk(self.plan.root, self.fork, guard.clean(os.environ), self.state / "cdk-synth.log")
            cdk.run("synth", "--quiet", "--output", str(self.state / "cdk.out"), "--no-validation")

    def _stacks(self, region: str, *stacks: str, account: str | None = None) -> None:
        with self._phase(f"cdk deploy {' '.join(stacks)}"):
            how = ["--require-approval", "never", "--method", "direct", "--concurrency", "4"]
            cdk = self._cdk(account or self.land.management, region)
            cdk.run("deploy", "--app", str(self.state / "cdk.out"), *stacks, *how)

    def _join(self) -> None:
        """An account that joins gets all of it by itself; what another unit's accounts have is theirs alone."""
        with self._phase(f"account {LATE} joins"):
            late = self.land.account(LATE, UNIT)
            self.joined = {name: self.land.wait(name, late) for name in self.plan.stack_sets}
        if set(self.joined.values()) != {"SUCCEEDED"}:
            raise GovernanceError(f"account {late} joined, and its stack sets ended so: {self.joined}")
        self.elsewhere = self.land.stacks(self.land.accounts[STRANGE])
        for account in self._members:
            told = self._client("budgets", account).describe_budgets(AccountId=account).get("Budgets", [])
            self.budgets += [{"account": account, **each} for each in told]

    def _drift(self) -> None:
        """Somebody opens the baseline's key by hand; it is found, and found to be gone when it is taken back."""
        kms = self._client("kms", self.land.accounts[TRAINS])
        self.key = kms.describe_key(KeyId=self.plan.key_alias)["KeyMetadata"]["Arn"]
        before = kms.get_key_policy(KeyId=self.key, PolicyName="default")["Policy"]
        self.key_policy = json.loads(before)
        stranger = {"AWS": f"arn:aws:iam::{self.land.accounts[STRANGE]}:root"}
        opened = {"Sid": "ByHand", "Effect": "Allow", "Principal": stranger, "Action": "kms:Decrypt", "Resource": "*"}
        changed = {**self.key_policy, "Statement": [*self.key_policy["Statement"], opened]}
        kms.put_key_policy(KeyId=self.key, PolicyName="default", Policy=json.dumps(changed))
        with self._phase("slipway rollout drift, the key opened by hand"):
            self.drifted = drifted(self._slipway("rollout", "drift", "--every", "0.1", code=1))
        kms.put_key_policy(KeyId=self.key, PolicyName="default", Policy=before)
        with self._phase("slipway rollout drift, the key as it was"):
            self.mended = self._slipway("rollout", "drift", "--every", "0.1").strip()

    def _people(self) -> None:
        """Roles and policies as they stand now, a version, and what people try to do with it and beside it."""
        account = self.land.accounts[TRAINS]
        iam = self._client("iam", account)
        self._employ(iam)
        over = above(self._client("organizations", self.land.management), account)
        roles = {who: held(iam, name) for who, name in self.plan.roles.items()}
        administrator = held(iam, ADMINISTRATOR)
        self.people = People(self.decide, over, self.organization, self.plan.region)
        version = Version.registered(self._client("sagemaker", account), self.plan.group, AUTHOR)
        self.version = version.arn
        live(version, roles, self.people)
        self.things = self._things()
        for deed in past_their_role(roles[SCIENTIST], roles[APPROVER], self.things):
            self.people.try_to(deed)
        for deed in past_the_guardrails(administrator, roles[SCIENTIST], version, self.things):
            self.people.try_to(deed)
        self.stands = version.stands

    def _employ(self, iam: Any) -> None:
        """An account's administrator, as an organization has some: nothing that the platform made."""
        principal = {"AWS": f"arn:aws:iam::{self.land.accounts[TRAINS]}:root"}
        trust = {"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}]}
        iam.create_role(RoleName=ADMINISTRATOR, AssumeRolePolicyDocument=json.dumps(trust))
        iam.attach_role_policy(RoleName=ADMINISTRATOR, PolicyArn=ALL)

    def _things(self) -> Things:
        account, region = self.land.accounts[TRAINS], self.plan.region
        (deployer,) = (
            role["Arn"]
            for page in self._client("iam", account).get_paginator("list_roles").paginate()
            for role in page["Roles"]
            if "-cfn-exec-role-" in role["RoleName"]
        )
        pipeline = f"arn:aws:sagemaker:{region}:{account}:pipeline/{self.plan.pipeline}"
        boundary = f"arn:aws:iam::{account}:policy/{self.plan.boundary}"
        return Things(region, pipeline, self.key, self.key_policy, boundary, deployer)

    def _read_back(self) -> None:
        bootstrap = f"StackSet-{self.plan.stack_sets[1]}-"  # the CDK's own
        found = [(each, each.name) for each in self.stood if not each.name.startswith(bootstrap)]
        self.inventory: Inventory = inventory(self.aws.client, found)
        if self.inventory.missing:
            raise GovernanceError(f"deployed, but absent when read back: {self.inventory.missing}")

    @property
    def stood(self) -> list[Stood]:
        """Every stack that this story deployed, but for what `cdk bootstrap` made."""
        management, region = self.land.management, self.plan.region
        places = [(management, region), (management, POLICIES)]
        places += [(account, region) for account in self._members]
        return [
            Stood(account, where, name)
            for account, where in places
            for name in self.land.stacks(account, where)
            if name != "CDKToolkit"
        ]

    @property
    def _members(self) -> list[str]:
        """The unit's accounts."""
        return [self.land.accounts[name] for name in (TRAINS, SERVES, LATE)]

    def _slipway(self, *arguments: str, code: int = 0) -> str:
        """The command itself, in the fork, with credentials of the account that rolls out."""
        done = subprocess.run(
            [sys.executable, "-m", "cli", *arguments],
            cwd=self.fork,
            env=self.aws.environment(self.land.management, self.plan.region),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != code:
            raise GovernanceError(
                f"slipway {' '.join(arguments)} ended with {done.returncode}, not {code}:\n{done.stdout}{done.stderr}"
            )
        return done.stdout

    def _cdk(self, account: str, region: str) -> Cdk:
        # Where there is no cdk.json: what is deployed is synthesized already.
        return Cdk(self.plan.root, self.state, self.aws.environment(account, region), self.state / f"cdk-{region}.log")

    def _client(self, service: str, account: str) -> Any:
        return self.aws.client(service, account, self.plan.region)

    def _phase(self, name: str) -> AbstractContextManager[None]:
        return phase(self.tell, self.seconds, name)


@contextmanager
def start(plan: GovernancePlan, decide: Decide, tell: Callable[[str], None]) -> Iterator[Governance]:
    """A story ready to run; nothing of it stays behind."""
    begun = time.monotonic()
    with session.folder() as state:
        tell("embedded AWS ...")
        with session.embedded(plan.root, state) as aws:
            tell(f"embedded AWS: {time.monotonic() - begun:.1f} s, {aws.endpoint}")
            yield Governance(aws, plan, tell, state, decide, begun, {"embedded AWS": time.monotonic() - begun})
