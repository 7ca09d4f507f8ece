"""What runs in a lab, seen from outside."""
import os

from . import kernel
from .store import start_time


def _all_pids():
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def _status(pid):
    """Fields of /proc/<pid>/status; empty when the process is gone."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as stream:
            return dict(line.rstrip("\n").split(":\t", 1) for line in stream if ":\t" in line)
    except (FileNotFoundError, ProcessLookupError):
        return {}


def of_pid_namespace(pid_namespace):
    """Pid inside -> pid outside, for each live process of the namespace."""
    found = {}
    for pid in _all_pids():
        try:
            if kernel.namespace_id(f"/proc/{pid}/ns/pid") != pid_namespace:
                continue
        except OSError:
            continue  # gone, or another user's
        status = _status(pid)
        if status.get("State", "Z")[0] not in "ZX":
            found[int(status["NSpid"].split()[-1])] = pid
    return found


def of_lab(state):
    """Pid -> start time of each process in the lab's PID namespace or in one of its networks."""
    pids = set(of_pid_namespace(state["pid_namespace"]).values())
    networks = set(state["net_namespaces"].values())
    for pid in _all_pids():
        try:
            if kernel.namespace_id(f"/proc/{pid}/ns/net") in networks:
                pids.add(pid)
        except OSError:
            continue
    return {pid: start_time(pid) for pid in pids}


def daemon_pid(store, node_name, inside_to_outside):
    """The pid, outside, of a node's migd; None when it does not run."""
    try:
        with open(store.path(f"{node_name}.pid"), encoding="ascii") as stream:
            return inside_to_outside.get(int(stream.read()))
    except (FileNotFoundError, ValueError):
        return None


def is_stopped(pid):
    return _status(pid).get("State", "")[:1] == "T"
