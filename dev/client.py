"""ComfyUI's HTTP API, as much of it as the demo and the tests use."""

import json
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from typing import Any

from .trouble import Trouble

Prompt = dict[str, dict[str, Any]]  # node id -> {"class_type", "inputs", "_meta"}


class PromptRefused(Trouble):
    """The server would not queue the prompt; `answer` is what it said, with `node_errors` by node id."""

    def __init__(self, answer: dict[str, Any]):
        details = [
            f"{node['class_type']}: {error['message']} ({error['details']})"
            for node in answer["node_errors"].values()
            for error in node["errors"]
        ]
        error = answer.get("error", {})
        super().__init__("ComfyUI refused the workflow: " + ("; ".join(details) or error.get("message", str(answer))))
        self.answer = answer


class PromptFailed(Trouble):
    """A node raised while the prompt ran; `details` is ComfyUI's execution_error message."""

    def __init__(self, details: dict[str, Any]):
        super().__init__(f"{details['node_type']} failed: {details['exception_message'].strip()}")
        self.details = details


class PromptInterrupted(Trouble):
    """Somebody cancelled the prompt."""


class Client:
    """A running ComfyUI over HTTP. Every call raises Trouble where nobody answers, HTTPError where it is refused."""

    def __init__(self, url: str):
        self.url = url
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({})
        )  # loopback, whatever proxy the machine has

    def is_up(self) -> bool:
        """Whether it answers."""
        try:
            self.get("system_stats")
        except Trouble:
            return False
        return True

    def get(self, path: str, **query: str) -> bytes:
        """What stands at a path, `query` behind its question mark."""
        return self._send(f"{path}?{urllib.parse.urlencode(query)}" if query else path)

    def get_json(self, path: str) -> Any:
        """The same, read as JSON."""
        return json.loads(self.get(path))

    def post_json(self, path: str, body: dict[str, Any]) -> bytes:
        """Send a body as JSON; returns the answer as it is."""
        return self._send(path, json.dumps(body).encode(), "application/json")

    def object_info(self) -> dict[str, Any]:
        """Every node type with its inputs and outputs."""
        return self.get_json("object_info")

    def choices(self, node_id: str, name: str) -> list[str]:
        """What a combo input offers at this moment."""
        kind, *options = self.get_json(f"object_info/{node_id}")[node_id]["input"]["required"][name]
        return kind if isinstance(kind, list) else options[0]["options"]

    def upload(self, name: str, content: bytes, subfolder: str = "") -> str:
        """Put a file into the input folder; returns its name as LoadImage and LoadVideo want it."""
        fields = {"subfolder": subfolder, "overwrite": "true", "type": "input"}
        boundary = uuid.uuid4().hex
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'
            for key, value in fields.items()
        ]
        parts.append(f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n\r\n')
        body = "".join(parts).encode() + content + f"\r\n--{boundary}--\r\n".encode()
        answer = json.loads(self._send("upload/image", body, f"multipart/form-data; boundary={boundary}"))
        return "/".join(part for part in (answer["subfolder"], answer["name"]) if part)

    def queue(self, prompt: Prompt) -> str:
        """Queue a prompt and return its id; every error in any node refuses it as a whole."""
        try:
            answer = json.loads(self.post_json("prompt", {"prompt": prompt}))
        except urllib.error.HTTPError as refusal:
            raise PromptRefused(json.loads(refusal.read())) from None
        if answer["node_errors"]:  # some outputs are valid and are on their way
            self.post_json("queue", {"delete": [answer["prompt_id"]]})
            self.interrupt(answer["prompt_id"])
            raise PromptRefused(answer)
        return answer["prompt_id"]

    def wait(self, prompt_id: str, timeout: float = 3600) -> dict[str, Any]:
        """Wait for a queued prompt; returns its outputs by node id."""
        deadline = time.monotonic() + timeout
        while not (history := self.get_json(f"history/{prompt_id}")):
            if time.monotonic() > deadline:
                self.interrupt(prompt_id)
                raise Trouble(f"A workflow took longer than {timeout:.0f} s and was cancelled")
            time.sleep(0.2)
        entry = history[prompt_id]
        messages = dict(entry["status"]["messages"])
        if "execution_error" in messages:
            raise PromptFailed(messages["execution_error"])
        if "execution_interrupted" in messages:
            raise PromptInterrupted("The workflow was cancelled")
        return entry["outputs"]

    def run(self, prompt: Prompt, timeout: float = 3600) -> dict[str, Any]:
        """Queue a prompt and wait for its outputs, at most `timeout` seconds; raises what `queue` and `wait` do."""
        return self.wait(self.queue(prompt), timeout)

    def interrupt(self, prompt_id: str | None = None) -> None:
        """Cancel what runs, or only this prompt if it does."""
        self.post_json("interrupt", {"prompt_id": prompt_id} if prompt_id else {})

    def download(self, file: dict[str, str]) -> bytes:
        """One file as an output names it: filename, subfolder, type."""
        return self.get("view", **{key: file[key] for key in ("filename", "subfolder", "type")})

    def _send(self, path: str, body: bytes | None = None, content_type: str = "") -> bytes:
        request = urllib.request.Request(
            f"{self.url}/{path}", body, {"Content-Type": content_type} if content_type else {}
        )
        try:
            with self._opener.open(request, timeout=600) as answer:
                return answer.read()
        except urllib.error.HTTPError:
            raise
        except OSError as error:
            raise Trouble(f"No answer from ComfyUI at {self.url}: {error}") from None
