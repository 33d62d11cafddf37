"""Who asks is what STS says of a proof made for this request: nothing else is believed, and nobody else is asked."""

from __future__ import annotations

import hmac
import io
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

from operations import requests
from operations.proof import BOUND, QUESTION, ProofError, author_of, prove, proven
from operations.requests import Door
from operations.starter import RequestError

REGION, HOST = "eu-west-1", "sts.eu-west-1.amazonaws.com"
ROLE = "arn:aws:sts::111111111111:assumed-role/slipway-dev-data-scientist"
IN_STUDIO = "arn:aws:sts::111111111111:assumed-role/slipway-dev-studio.bo"
BO = ReadOnlyCredentials("ASIABO", "secret of bo", "token of bo")
STRANGER = ReadOnlyCredentials("ASIACY", "secret of a stranger", "token of cy")
KNOWN = {
    BO.access_key: (BO, f"{ROLE}/bo"),
    STRANGER.access_key: (STRANGER, "arn:aws:sts::999999999999:assumed-role/slipway-dev-data-scientist/al"),
}
ASKED = {"model": "flight_delay", "period": "2013-04", "token": "one", "parameters": {"eta": "0.05"}}
ANSWER = (
    '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
    "<Arn>{arn}</Arn><UserId>AROA:x</UserId><Account>1</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
)


@dataclass
class Sts:
    """STS as far as a proof goes: its name, the signature over what was signed, its date, the session's token."""

    endpoint: str = ""
    asked: list[dict[str, str]] = field(default_factory=list)

    def answer(self, headers: dict[str, str], body: bytes) -> tuple[int, str]:
        self.asked.append(headers)
        credential, signed, signature = (
            part.split("=", 1)[1] for part in headers["authorization"].removeprefix("AWS4-HMAC-SHA256 ").split(", ")
        )
        credentials, arn = KNOWN[credential.split("/")[0]]
        begun = datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        theirs = {name: headers[name] for name in signed.split(";") if name in headers and name != "host"}
        request = AWSRequest("POST", f"https://{HOST}/", theirs, body)
        request.context["timestamp"] = headers["x-amz-date"]
        signer = SigV4Auth(credentials, "sts", REGION)
        right = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
        fresh = abs(datetime.now(UTC) - begun) < timedelta(minutes=15)
        good = hmac.compare_digest(right, signature) and headers.get("x-amz-security-token") == credentials.token
        return (200, ANSWER.format(arn=arn)) if good and fresh else (403, "<Error/>")


@pytest.fixture
def sts() -> Iterator[Sts]:
    service = Sts()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            code, text = service.answer({name.lower(): value for name, value in self.headers.items()}, body)
            self.send_response(code)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        service.endpoint = f"http://127.0.0.1:{server.server_port}/"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield service
        server.shutdown()


def test_who_signed_is_who_asks(sts: Sts) -> None:
    assert proven(prove(BO, REGION, ASKED), ASKED, sts.endpoint) == f"{ROLE}/bo"


def test_the_order_of_a_request_s_keys_does_not_matter(sts: Sts) -> None:
    """JSON says nothing of it."""
    assert proven(prove(BO, REGION, dict(reversed(ASKED.items()))), ASKED, sts.endpoint) == f"{ROLE}/bo"


Proof = dict[str, str]


def unbound(**headers: str) -> Proof:
    """What somebody signs who asks STS for something else."""
    question = AWSRequest("POST", f"https://{HOST}/", {"Content-Type": "text/plain"}, QUESTION)
    SigV4Auth(BO, "sts", REGION).add_auth(question)
    return {**{name.lower(): str(value) for name, value in question.headers.items()}, **headers}


def good() -> Proof:
    return prove(BO, REGION, ASKED)


def twice_signed(first: str, second: str) -> Proof:
    """One name for us and another for STS."""
    proof = unbound(**{BOUND: good()[BOUND]})
    between = proof["authorization"].replace("SignedHeaders=", f"SignedHeaders={first}, SignedHeaders=", 1)
    return {**proof, "authorization": between.replace("Signature=", second, 1)}


NOT_OF_THIS: dict[str, Callable[[], object]] = {
    "another request's": lambda: prove(BO, REGION, {**ASKED, "period": "2013-05"}),
    "no header that binds it": unbound,
    "one that is not signed": lambda: unbound(**{BOUND: good()[BOUND]}),
    "one that is signed, of another, exchanged": lambda: {**good(), BOUND: "0" * 64},
    "two lists of signed headers": lambda: twice_signed(f"host;{BOUND}", "Signature="),
    "the host is not signed": lambda: {**good(), "authorization": good()["authorization"].replace(";host;", ";")},
    "the same header in other letters": lambda: {BOUND.upper(): "0" * 64, **good()},
    "another algorithm": lambda: {**good(), "authorization": good()["authorization"].replace("AWS4", "AWS3")},
    "more behind it": lambda: {**good(), "authorization": good()["authorization"] + "\r\nHost: evil.example"},
    "nothing": dict,
    "none": lambda: None,
    "no headers": lambda: {"authorization": 1},
}


@pytest.mark.parametrize("forged", NOT_OF_THIS)
def test_a_proof_of_anything_else_is_not_even_sent(sts: Sts, forged: str) -> None:
    with pytest.raises(ProofError, match="the proof of who asks is of another request, or of none"):
        proven(NOT_OF_THIS[forged](), ASKED, sts.endpoint)

    assert sts.asked == []


def expired(monkeypatch: pytest.MonkeyPatch) -> Proof:
    import botocore.auth

    long_ago = datetime.now(UTC) - timedelta(minutes=16)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda **_: long_ago)
    return good()


def test_a_proof_that_has_expired_proves_nothing(sts: Sts, monkeypatch: pytest.MonkeyPatch) -> None:
    proof = expired(monkeypatch)
    monkeypatch.undo()

    with pytest.raises(ProofError, match=r"STS does not know who asks \(403\); .* ask again"):
        proven(proof, ASKED, sts.endpoint)


def later(proof: Proof) -> str:
    begun = datetime.strptime(proof["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return f"{begun + timedelta(seconds=1):%Y%m%dT%H%M%SZ}"


TAMPERED: dict[str, Callable[[Proof], Proof]] = {
    "another date": lambda proof: {"x-amz-date": later(proof)},
    "another session": lambda _: {"x-amz-security-token": STRANGER.token},
    "another form": lambda _: {"content-type": "text/plain"},
    "another key": lambda proof: {"authorization": proof["authorization"].replace(BO.access_key, STRANGER.access_key)},
}


@pytest.mark.parametrize("tampered", TAMPERED)
def test_a_proof_that_was_tampered_with_proves_nothing(sts: Sts, tampered: str) -> None:
    with pytest.raises(ProofError, match="STS does not know who asks"):
        proven({**good(), **TAMPERED[tampered](good())}, ASKED, sts.endpoint)


def test_a_request_does_not_say_who_is_asked(sts: Sts) -> None:
    """Neither by a Host nor by anything else that STS, or what lies before it, could make something of."""
    more = {
        "host": "evil.example",
        "x-forwarded-host": "evil.example",
        "transfer-encoding": "chunked",
        "content-length": "0",
        "accept": "application/json",
        "x-http-method-override": "GET",
    }

    assert proven({**good(), **more}, ASKED, sts.endpoint) == f"{ROLE}/bo"

    (asked,) = sts.asked
    assert asked["host"] in sts.endpoint
    assert asked["content-length"] == str(len(QUESTION))
    assert not {"x-forwarded-host", "transfer-encoding", "accept", "x-http-method-override"} & set(asked)


@pytest.mark.parametrize("answer", ["", "<Arn></Arn>", '{"Arn": "x"}'])
def test_an_answer_that_names_nobody_proves_nothing(sts: Sts, monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    monkeypatch.setattr(sts, "answer", lambda *_: (200, answer))

    with pytest.raises(ProofError, match="STS did not say who asks"):
        proven(good(), ASKED, sts.endpoint)


def test_without_sts_nobody_is_known() -> None:
    with pytest.raises(ProofError, match="STS could not be asked who asks"):
        proven(good(), ASKED, "http://127.0.0.1:1/")


def test_an_author_is_a_session_of_a_role_of_people() -> None:
    assert author_of(f"{ROLE}/bo@example.com", [ROLE], {}) == "bo@example.com"


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:sts::999999999999:assumed-role/slipway-dev-data-scientist/bo",  # a role of one's own, named alike
        "arn:aws:sts::111111111111:assumed-role/slipway-dev-approver/bo",
        "arn:aws:sts::111111111111:assumed-role/Admin/bo",  # whoever takes it on chooses the session's name
        "arn:aws:sts::111111111111:assumed-role/slipway-dev-data-scientist-2/bo",
        "arn:aws:sts::111111111111:assumed-role/slipway-dev-studio.al/SageMaker",  # who is no more there
        "arn:aws:sts::111111111111:assumed-role/slipway-dev-approver.bo/SageMaker",
        "arn:aws:iam::111111111111:user/bo",
        "arn:aws:iam::111111111111:root",
        "arn:aws:sts::111111111111:federated-user/bo",
    ],
)
def test_nobody_else_is_an_author(arn: str) -> None:
    with pytest.raises(ProofError, match=f"nobody who may ask for runs; .*: {ROLE}"):
        author_of(arn, [ROLE], {IN_STUDIO: "bo"})


@pytest.mark.parametrize("session", ["SageMaker", "al", "anything"])
def test_from_studio_the_author_is_whose_role_it_is(session: str) -> None:
    """SageMaker calls all sessions alike, and what it will call them tomorrow is not for us to say."""
    assert author_of(f"{IN_STUDIO}/{session}", [ROLE], {IN_STUDIO: "bo"}) == "bo"


def test_another_account_has_nobody_of_that_name_in_studio() -> None:
    with pytest.raises(ProofError, match="nobody who may ask for runs"):
        author_of(f"{IN_STUDIO}/SageMaker".replace("111111111111", "999999999999"), [ROLE], {IN_STUDIO: "bo"})


def test_where_nobody_may_ask_it_is_said_who_could() -> None:
    with pytest.raises(ProofError, match=r"none: name somebody in \[personas\]"):
        author_of(f"{ROLE}/bo", [], {})


def test_a_name_that_a_version_cannot_bear_is_refused_before_anything_runs() -> None:
    with pytest.raises(ProofError, match="'bo,al' cannot be written down as an author"):
        author_of(f"{ROLE}/bo,al", [ROLE], {})


@dataclass
class Starters:
    """Lambda, with a starter that notes what it is asked."""

    heard: list[dict[str, Any]] = field(default_factory=list)

    def invoke(self, **request: Any) -> dict[str, Any]:
        self.heard.append(json.loads(request["Payload"]))
        return {"Payload": io.BytesIO(b'{"outcome": "started", "execution": "e", "period": "2013-04"}')}


@pytest.fixture
def door(sts: Sts) -> Door:
    return Door(Starters(), "slipway-dev-starter", (ROLE,), sts.endpoint)


def test_the_starter_hears_whose_a_request_is(door: Door) -> None:
    told = door.hand_on({"ask": ASKED, "proof": good()})

    assert told["outcome"] == "started"
    (heard,) = door.functions.heard
    proved = {"reason": "manual", "started_by": f"{ROLE}/bo", "author": "bo", "token": "bo/one"}
    assert heard == {"ask": {**ASKED, **proved}, "answered": True}


def test_from_studio_the_starter_hears_whose_role_it_is(door: Door, sts: Sts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sts, "answer", lambda *_: (200, f"<Arn>{IN_STUDIO}/SageMaker</Arn>"))

    replace(door, in_studio={IN_STUDIO: "al"}).hand_on({"ask": ASKED, "proof": good()})
    with pytest.raises(ProofError, match="nobody who may ask for runs"):
        door.hand_on({"ask": ASKED, "proof": good()})

    (heard,) = door.functions.heard
    assert (heard["ask"]["author"], heard["ask"]["token"]) == ("al", "al/one")
    assert heard["ask"]["started_by"] == f"{IN_STUDIO}/SageMaker"


@pytest.mark.parametrize("stated", ["author", "started_by", "reason", "answered"])
def test_nobody_says_whose_a_request_is(door: Door, stated: str) -> None:
    asked = {**ASKED, stated: "al"}
    with pytest.raises(RequestError, match=rf"a request says .*; not \['{stated}'\]"):
        door.hand_on({"ask": asked, "proof": prove(BO, REGION, asked)})

    assert door.functions.heard == []


NO_REQUESTS: list[Any] = [None, [], "x", {"model": "flight_delay"}, {**ASKED, "token": ""}, {**ASKED, "token": 1}]


@pytest.mark.parametrize("asked", NO_REQUESTS)
def test_what_is_no_request_is_refused(door: Door, asked: Any) -> None:
    with pytest.raises(RequestError):
        door.hand_on({"ask": asked, "proof": good()})


def test_another_account_s_role_of_the_same_name_is_nobody_here(door: Door) -> None:
    """Its owner chooses how its sessions are named: al's name is there for the taking."""
    with pytest.raises(ProofError, match=r"999999999999.*is nobody who may ask for runs"):
        door.hand_on({"ask": ASKED, "proof": prove(STRANGER, REGION, ASKED)})

    assert door.functions.heard == []


def test_what_goes_out_proves_itself(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ends of a request, one after the other."""
    sent: list[dict[str, Any]] = []

    def invoke(_functions: Any, function: str, event: dict[str, Any]) -> dict[str, Any]:
        sent.append(event)
        return {"outcome": "waits", "execution": function, "period": "2013-04"}

    monkeypatch.setattr(requests, "_invoke", invoke)
    functions = type("F", (), {"meta": type("M", (), {"region_name": REGION})})
    asked: dict[str, Any] = {
        "model": "flight_delay",
        "period": None,
        "steps": [],
        "source": None,
        "parameters": {"eta": "é"},
    }

    answer = requests.ask_for_run(functions, "slipway-dev-requests", BO, asked)

    assert (answer.outcome, answer.execution) == ("waits", "slipway-dev-requests")
    assert door.hand_on(sent[0])["execution"] == "slipway-dev-starter"
    assert sent[1]["ask"]["author"] == "bo"
    assert BO.secret_key not in str(sent)
