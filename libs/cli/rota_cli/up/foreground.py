"""`rota up` itself: start, say where everything is, keep running until told to stop."""

import os
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from rota_cli.client.api import Api
from rota_cli.errors import CliError
from rota_cli.up.console import Console
from rota_cli.up.datadir import DataDir
from rota_cli.up.firstresult import report_first_result
from rota_cli.up.options import DEFAULT_DATA_DIR, Options
from rota_cli.up.system import System

READY = "READY"
"""The line that ends what a detached `rota up` tells the process that started it."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_NOHUP = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


class _ToldToStopError(BaseException):
    """A signal arrived; like KeyboardInterrupt no `except Exception` may swallow it."""


def run(options: Options, *, notify: int | None = None) -> None:
    """Run until a signal. `notify` is a file descriptor that hears the supervisor's own lines until ready."""
    directory = DataDir(options.data_dir)
    directory.make()
    directory.lock()
    console = Console(directory.logs)
    system = System(options, directory, console)
    try:
        with _stopping(system, console), _told_by_signals():
            with _listening(console, notify):
                system.start()
                _say_where(system, options, console)
            if options.demo:
                _watch_for_the_first_result(system, options, console)
            threading.Event().wait()
    finally:
        console.close()
        directory.unlock()


@contextmanager
def _stopping(system: System, console: Console) -> Iterator[None]:
    try:
        yield
    except _ToldToStopError:
        console.say("stopping ... (once more: at once)")
    finally:
        try:
            with _told_by_signals():
                system.stop()
        except _ToldToStopError:
            system.kill()
        console.say("stopped")


@contextmanager
def _told_by_signals() -> Iterator[None]:
    """Inside, the first signal raises; further ones are for whoever handles the exception."""

    def tell(_number: int, _frame: FrameType | None) -> None:
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        raise _ToldToStopError

    for number in _heeded():
        signal.signal(number, tell)
    try:
        yield
    finally:
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)


def _heeded() -> list[signal.Signals]:
    """Who was started by nohup wants to stay when the terminal goes."""
    return [number for number in _SIGNALS if not (_NOHUP and number == signal.SIGHUP)]


@contextmanager
def _listening(console: Console, notify: int | None) -> Iterator[None]:
    if notify is None:
        yield
        return
    with os.fdopen(notify, "w") as listener:
        console.tell(listener)
        try:
            yield
            console.tell_listener(READY)
        except CliError as error:
            console.tell_listener(str(error))
            raise
        finally:
            console.tell(None)


def _say_where(system: System, options: Options, console: Console) -> None:
    command = _command_name()
    flag = "" if options.data_dir == DEFAULT_DATA_DIR else f" --data-dir {options.data_dir}"
    console.say(
        "\n".join(
            [
                "",
                f"Rota runs at   {system.url}",
                f"sign in        {_sign_in_link(system)}",
                f"API key        in {options.data_dir / 'api-key'}",
                f"logs           in {options.data_dir / 'logs'}",
                f"look at        {command} runs list{flag}",
                f"               {command} jobs list{flag}",
                f"stop           Ctrl-C, or {command} down{flag}",
                "",
            ]
        )
    )


def _sign_in_link(system: System) -> str:
    try:
        with Api(system.url, system.api_key) as api:
            return str(api.post("/sign-in-links")["url"])
    except CliError as error:  # the system runs all the same
        return f"(no link: {error.reason})"


def _watch_for_the_first_result(system: System, options: Options, console: Console) -> None:
    threading.Thread(
        target=report_first_result,
        args=(system.url, system.api_key, console.say),
        kwargs={"command": _command_name(), "data_dir": options.data_dir},
        name="first-result",
        daemon=True,
    ).start()


def _command_name() -> str:
    """`rota` where the shell finds this very program under that name, else its path."""
    program = Path(sys.argv[0])
    found = shutil.which("rota")
    if found and Path(found).exists() and program.exists() and Path(found).samefile(program):
        return "rota"
    beside = Path(sys.executable).with_name("rota")
    with suppress(ValueError):
        return str(beside.relative_to(Path.cwd()))
    return str(beside)
