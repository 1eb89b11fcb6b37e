"""`rota up` as a person starts it: a process of its own, everything real, its words in a file."""

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import psutil

from rota_cli.local import process
from rota_cli.local.port import free_port
from tests.support.eventually import eventually
from tests.support.servers import SERVICES

BIN = Path(sys.executable).parent
# With one of these the agents would run on somebody's paid model, and Rota's own are `rota up`'s affair.
_FOREIGN = ("ROTA_", "ANTHROPIC_", "OPENAI_", "OLLAMA_", *(f"{service.upper()}_" for service in SERVICES))


class RotaUp:
    """One data directory, and what runs on it."""

    def __init__(self, directory: Path) -> None:
        self.data_dir = directory / "data"
        self.port = free_port()
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(_FOREIGN)}
        self._output = directory / "output"
        self._process: subprocess.Popen[bytes] | None = None
        self.first_started: datetime | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def api_key(self) -> str:
        return (self.data_dir / "api-key").read_text().strip()

    @property
    def output(self) -> str:
        """What the present `rota up` has said."""
        return self._output.read_text()

    async def start(self) -> None:
        """Start it, and wait until it says where to go."""
        self.first_started = self.first_started or datetime.now(UTC)
        with self._output.open("wb") as output:
            self._process = process.spawn(
                [BIN / "rota", "up", "--data-dir", self.data_dir, "--port", str(self.port)],
                env=self.environment,
                stdout=output,
                death_signal=signal.SIGTERM,  # it then stops its children in good order
            )
        await self.said(r"stop +Ctrl-C", seconds=120)

    async def said(self, pattern: str, *, seconds: float) -> re.Match[str]:
        """The first place of its output that fits."""

        async def found() -> re.Match[str] | None:
            assert self.running, f"rota up has ended:\n{self.output[-4000:]}"
            return re.search(pattern, self.output)

        match = await eventually(found, seconds=seconds, what=f"{pattern!r} in the output of rota up")
        assert match
        return match

    async def interrupt(self) -> int:
        """Ctrl-C; the exit code."""
        assert self._process
        self._process.send_signal(signal.SIGINT)
        return await asyncio.to_thread(self._process.wait, 60)

    async def end(self) -> None:
        if self.running and self._process:
            try:
                await self.interrupt()
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def processes(self) -> list[psutil.Process]:
        """Itself, what it started, and whatever names its data directory."""
        assert self._process
        own = psutil.Process(self._process.pid)
        found = {one.pid: one for one in (own, *own.children(recursive=True), *self.strays())}
        return list(found.values())

    def strays(self) -> list[psutil.Process]:
        """Processes that name the data directory in their command line."""
        return [
            one
            for one in psutil.process_iter(["cmdline"])
            if any(str(self.data_dir) in word for word in one.info["cmdline"] or ())
        ]

    def services(self) -> dict[str, psutil.Process]:
        """The process of each service that runs."""
        assert self._process
        found = {}
        for child in psutil.Process(self._process.pid).children():
            with contextlib.suppress(psutil.Error):  # it ended just now
                name = "".join(child.cmdline()[-1:]).removeprefix("rota_")
                if name in SERVICES:
                    found[name] = child
        return found

    async def rota(self, *arguments: str) -> Any:
        """What the command prints as JSON."""
        command = [str(BIN / "rota"), *arguments, "--json", "--data-dir", str(self.data_dir)]
        done = await asyncio.to_thread(
            subprocess.run, command, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    async def ready(self) -> bool:
        async with httpx2.AsyncClient(base_url=self.url) as anybody:
            with contextlib.suppress(httpx2.HTTPError):
                return (await anybody.get("/readyz")).status_code == 200
        return False

    @contextlib.asynccontextmanager
    async def api(self, key: str | None = None) -> AsyncIterator[httpx2.AsyncClient]:
        """As a machine with that key, or the first one."""
        headers = {"Authorization": f"Bearer {key or self.api_key}"}
        async with httpx2.AsyncClient(base_url=f"{self.url}/api/v1", headers=headers, timeout=30) as client:
            yield client

    @contextlib.asynccontextmanager
    async def browser(self) -> AsyncIterator[httpx2.AsyncClient]:
        """Nobody yet; it keeps cookies and says where its forms come from, as browsers do."""
        headers = {"Origin": self.url, "Sec-Fetch-Site": "same-origin"}
        async with httpx2.AsyncClient(base_url=self.url, headers=headers, follow_redirects=True) as client:
            yield client
