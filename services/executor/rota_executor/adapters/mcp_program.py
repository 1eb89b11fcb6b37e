"""Keeps a program company: ends what it leaves behind, and all of it when the executor is killed.

Run by its path, as `mcp_program.py <pid of the executor> <program> <argument>...`, at the head of a process
group of its own, between the executor and an MCP server. When an executor is killed, the input of its
programs ends, which a program need not mind. Of the standard library alone, and of little of it: there is
one such process for each server that runs.
"""

import os
import select
import signal
import sys
from typing import NoReturn

INPUT, OUTPUT = 0, 1
# How often it is looked whether the executor is gone, once the input has ended.
LOOK_MILLISECONDS = 100


def main(executor: int, command: list[str]) -> NoReturn:
    """Ends, with its whole group, when the program has ended or the executor is gone."""
    ended, ending = os.pipe()
    os.set_blocking(ending, False)
    signal.set_wakeup_fd(ending)
    # SIGTERM goes to the group, and is the program's to heed: no handler is inherited, to ignore it would be.
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    program = os.posix_spawn(command[0], command, os.environ)
    # The end of its output is to be seen when the program has closed it.
    os.dup2(os.open(os.devnull, os.O_WRONLY), OUTPUT)
    waiting = select.poll()
    waiting.register(ended, select.POLLIN)
    # No events: that the other side is gone is told anyway, and what it said is not for us.
    waiting.register(INPUT, 0)
    pause = None
    while os.getppid() == executor and os.waitpid(program, os.WNOHANG) == (0, 0):
        for descriptor, _ in waiting.poll(pause):
            if descriptor == ended:
                os.read(ended, 1024)
            else:
                # Closed on purpose, or the executor is about to be gone, which is seen a little later.
                waiting.unregister(INPUT)
                pause = LOOK_MILLISECONDS
    os.killpg(0, signal.SIGKILL)
    raise AssertionError  # nobody is left to see it


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
