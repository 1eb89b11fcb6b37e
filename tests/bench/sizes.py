"""What processes take: memory and CPU time."""

from dataclasses import dataclass

import psutil

from tests.support.system import System


@dataclass
class Size:
    """Of one kind of process: memory of its own in MiB, CPU time in seconds."""

    memory_mib: float
    cpu_seconds: float


def sizes(system: System) -> dict[str, Size]:
    """Each service and server with its children."""
    pids = {name: child.pid for name, child in system.processes.items()}
    pids |= {
        "nats-server": system.world.servers.nats.pid or 0,
        "postgres": system.world.servers.postgres.pid or 0,
    }
    return {name: _size(pid) for name, pid in pids.items()}


def cpu_seconds(system: System) -> float:
    """Of all of them."""
    return sum(size.cpu_seconds for size in sizes(system).values())


def _size(pid: int) -> Size:
    root = psutil.Process(pid)
    memory = cpu = 0.0
    for process in [root, *root.children(recursive=True)]:
        try:
            with process.oneshot():
                info, times = process.memory_full_info(), process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        memory += info.uss / 2**20  # what would be free without it; pages that are shared count nowhere
        cpu += times.user + times.system + times.children_user + times.children_system
    return Size(memory, cpu)
