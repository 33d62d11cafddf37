"""SageMaker's data capture: a share of requests and answers, in files of the service's own layout and form.

https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture-endpoint.html
SageMaker gathers requests for minutes before it writes them; here every captured request is a file at once. A request
that the container refused is not kept.
"""

from __future__ import annotations

import base64
import json
import threading
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

from rehearsal.clock import clock

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rehearsal.fleet import Origin, Reply
    from rehearsal.resources import Place

Json = dict[str, Any]

WHOLE = 100
MODES = {"Input": ("Input",), "Output": ("Output",), "InputAndOutput": ("Input", "Output")}
INFERENCE_ID = "x-amzn-sagemaker-inference-id"


@dataclass
class Capture:
    """What a configuration asks to keep of one variant, written in the name of the model's role."""

    config: Json
    place: Place
    role: str
    origin: Origin
    _credit: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def keep(self, body: bytes, headers: Mapping[str, str], reply: Reply) -> None:
        """Write the request and its answer, if its turn has come: one in two of 50 percent, and so on."""
        if not self._chosen():
            return
        given = {name.lower(): value for name, value in headers.items()}
        sides = {"Input": (given.get("content-type", ""), body), "Output": (reply.type, reply.body)}
        asked = {side for option in self.config["CaptureOptions"] for side in MODES[option["CaptureMode"]]}
        kept = {
            f"endpoint{side}": {"observedContentType": media, "mode": side.upper(), **self._encoded(media, content)}
            for side, (media, content) in sides.items()
            if side in asked
        }
        now = clock.now()
        event = {"eventId": str(uuid.uuid4()), "inferenceTime": now.strftime("%Y-%m-%dT%H:%M:%SZ")}
        if INFERENCE_ID in given:
            event["inferenceId"] = given[INFERENCE_ID]
        record = {"captureData": kept, "eventMetadata": event, "eventVersion": "0"}
        name = f"{now:%Y/%m/%d/%H/%M-%S}-{now.microsecond // 1000:03d}-{uuid.uuid4()}.jsonl"
        self._write(f"{self.origin.endpoint}/{self.origin.variant}/{name}", json.dumps(record) + "\n")

    def _chosen(self) -> bool:
        with self._lock:
            self._credit += int(self.config["InitialSamplingPercentage"])
            chosen = self._credit >= WHOLE
            self._credit -= WHOLE if chosen else 0
            return chosen

    def _encoded(self, media: str, content: bytes) -> Json:
        """Text where the configuration names the content type, else base64."""
        known, kind = self.config.get("CaptureContentTypeHeader", {}), media.partition(";")[0].strip().lower()
        for encoding in ("Csv", "Json"):
            if kind in known.get(f"{encoding}ContentTypes", []):
                return {"data": content.decode(errors="replace"), "encoding": encoding.upper()}
        return {"data": base64.b64encode(content).decode(), "encoding": "BASE64"}

    def _write(self, key: str, line: str) -> None:
        found = urlparse(self.config["DestinationS3Uri"])
        prefix = found.path.strip("/")
        encrypted = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.config.get("KmsKeyId")}
        self.place.acting_as(self.role).client("s3").put_object(
            Bucket=found.netloc,
            Key=f"{prefix}/{key}" if prefix else key,
            Body=line.encode(),
            **(encrypted if encrypted["SSEKMSKeyId"] else {}),
        )


def summary(config: Json) -> Json | None:
    """What DescribeEndpoint says of it."""
    capture = config.get("DataCaptureConfig")
    if not capture:
        return None
    enabled = bool(capture.get("EnableCapture", True))
    kept = {key: capture[key] for key in ("DestinationS3Uri", "KmsKeyId") if key in capture}
    return {
        "EnableCapture": enabled,
        "CaptureStatus": "Started" if enabled else "Stopped",
        "CurrentSamplingPercentage": int(capture["InitialSamplingPercentage"]),
        "KmsKeyId": "",
        **kept,
    }
