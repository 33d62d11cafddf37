"""Who asks: a signed GetCallerIdentity that is made for one request, and that AWS itself answers.

A function that is invoked does not learn by whom. So the caller signs a question that only STS can answer, with the
request's hash among the signed headers, and the function sends it there: what comes back is who signed. The signature
is good for some minutes, and for this request only.
https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

QUESTION = b"Action=GetCallerIdentity&Version=2011-06-15"
BOUND = "x-slipway-asked"
SENT = ("authorization", "content-type", BOUND, "x-amz-date", "x-amz-security-token")
"""All that is handed on to STS: no Host that would lead elsewhere, nothing that frames or forwards a request."""

SECONDS = 5
# The whole header: a second SignedHeaders in it, which we read and STS does not, would unbind the proof.
AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=[\w/+-]+, ?SignedHeaders=(?P<signed>[a-z0-9;-]+), ?Signature=[0-9a-f]{64}", re.ASCII
)
TOLD = re.compile(r"<Arn>([^<>]+)</Arn>")
USER = re.compile(r"[\w+=.@-]{2,64}", re.ASCII)
"""Names that a session, a session tag and a version's metadata can all bear; no comma, which metadata cannot."""


class ProofError(Exception):
    """Why nobody knows who asks, and what to do."""


def prove(credentials: Any, region: str, asked: Mapping[str, Any]) -> dict[str, str]:
    """The headers of a GetCallerIdentity signed with these credentials, for this request and no other."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest

    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8", BOUND: digest(asked)}
    question = AWSRequest("POST", f"https://sts.{region}.amazonaws.com/", headers, QUESTION)
    SigV4Auth(credentials, "sts", region).add_auth(question)
    return {name.lower(): str(value) for name, value in question.headers.items()}


def proven(proof: object, asked: Mapping[str, Any], endpoint: str) -> str:
    """The ARN of who signed the proof, as STS at the endpoint says; raises ProofError for one of another request."""
    headers = _headers(proof)
    authorization = AUTHORIZATION.fullmatch(headers.get("authorization", ""))
    signed = authorization["signed"].split(";") if authorization else []
    if not {"host", BOUND} <= set(signed) or headers.get(BOUND) != digest(asked):
        raise ProofError("the proof of who asks is of another request, or of none; ask with `slipway train`")
    question = Request(endpoint, QUESTION, {name: headers[name] for name in SENT if name in headers})  # noqa: S310 STS
    try:
        with urlopen(question, timeout=SECONDS) as answer:  # noqa: S310 STS
            told = TOLD.search(answer.read().decode())
    except HTTPError as error:
        why = f"STS does not know who asks ({error.code}); credentials may have expired, ask again"
        raise ProofError(why) from None
    except (URLError, TimeoutError, ValueError) as error:
        raise ProofError(f"STS could not be asked who asks: {error}; ask again") from None
    if told is None:
        raise ProofError("STS did not say who asks; ask again")
    return told[1]


def author_of(arn: str, askers: Collection[str], in_studio: Mapping[str, str]) -> str:
    """The person behind a session of one of these roles, which are named `arn:aws:sts::<account>:assumed-role/<role>`.

    Of people's roles a session is named after whoever has taken it on: their trust demands it. A role in Studio is one
    person's, whatever its sessions are called: `in_studio` says whose. Of any other role, this account's or another's,
    whoever takes it on chooses the name.
    """
    role, _, session = arn.rpartition("/")
    user = in_studio.get(role, session)
    if role not in askers and role not in in_studio:
        known = ", ".join(sorted(askers)) or "none: name somebody in [personas] of the environment"
        raise ProofError(f"{arn} is nobody who may ask for runs; take on one of the roles of people who may: {known}")
    if not USER.fullmatch(user):
        raise ProofError(f"{user!r} cannot be written down as an author; session tags `user` are {USER.pattern}")
    return user


def digest(asked: Mapping[str, Any]) -> str:
    """Of a request, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(asked, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _headers(proof: object) -> dict[str, str]:
    """By lower-case name; one that comes twice in other letters counts for nothing."""
    if not isinstance(proof, dict) or not all(isinstance(value, str) for value in proof.values()):
        return {}
    headers = {name.lower(): value for name, value in proof.items()}
    return headers if len(headers) == len(proof) else {}
