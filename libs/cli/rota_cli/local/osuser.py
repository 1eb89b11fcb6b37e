"""The operating system user that PostgreSQL runs as where Rota itself runs as root."""

import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

_NAME = "rota-postgres"


@dataclass(frozen=True)
class OsUser:
    name: str
    uid: int
    gid: int

    def may_search(self, directory: Path) -> bool:
        return self._may(directory, stat.S_IXUSR)

    def may_read(self, file: Path) -> bool:
        return self._may(file, stat.S_IRUSR)

    def _may(self, path: Path, owner_bit: int) -> bool:
        """Whether the mode bits allow it: the owner's, else the group's, else the others'."""
        status = path.stat()
        if status.st_uid == self.uid:
            return bool(status.st_mode & owner_bit)
        if status.st_gid == self.gid:
            return bool(status.st_mode & (owner_bit >> 3))
        return bool(status.st_mode & (owner_bit >> 6))


def unprivileged(data: Path) -> OsUser | None:
    """Who must run the server on `data`: None for the present user, somebody else for root.

    Data that exists stays with its owner; new data gets a system user, made at first need.
    """
    if os.geteuid() != 0:
        return None
    if data.exists() and data.stat().st_uid != 0:
        owner = _by_uid(data.stat().st_uid)
        if owner:
            return owner
    return _by_name(_NAME) or _created() or _by_name("nobody")


def open_path(user: OsUser, directory: Path, *, stop: Path | None = None) -> list[Path]:
    """Let `user` pass through `directory` and its parents (below `stop`); returns those that were changed."""
    path = (directory, *directory.parents)
    closed = [d for d in path[: path.index(stop) if stop else None] if not user.may_search(d)]
    for parent in closed:
        parent.chmod(stat.S_IMODE(parent.stat().st_mode) | stat.S_IXOTH)
    return closed


def _created() -> OsUser | None:
    command = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if command:
        options = [
            "--system",
            "--no-create-home",
            "--home-dir",
            "/nonexistent",
            "--shell",
            "/usr/sbin/nologin",
        ]
        subprocess.run([command, *options, _NAME], check=False, capture_output=True)
    return _by_name(_NAME)  # also when another process was first


def _by_name(name: str) -> OsUser | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return OsUser(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _by_uid(uid: int) -> OsUser | None:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:  # PostgreSQL refuses a user without a name
        return None
    return OsUser(entry.pw_name, entry.pw_uid, entry.pw_gid)
