"""Becomes another program that dies with its parent. Run by path, with nothing but the standard library.

    python -I -S launcher.py <parent pid> <death signal> <uid> <gid> <program> [argument ...]

A uid or gid of -1 stays as it is. A program of its own instead of `preexec_fn`: Python code
between fork and exec can deadlock in a process with threads. Privileges are dropped here, not by
the parent, because the other user need not be able to read this interpreter. The kernel forgets
the death signal when the user changes, so it is asked for afterwards.
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, death_signal, uid, gid = (int(text) for text in sys.argv[1:5])
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
        if os.getppid() != parent:  # it died before it was watched
            sys.exit(1)
    try:
        os.execvp(sys.argv[5], sys.argv[5:])  # noqa: S606 - becoming that program is the purpose
    except OSError as error:
        sys.exit(f"cannot run {sys.argv[5]!r}: {error.strerror}")


if __name__ == "__main__":
    main()
