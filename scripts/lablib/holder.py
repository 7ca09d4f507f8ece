"""Pid 1 of a lab. It builds the lab, starts the daemons, collects what ends, and ends the lab.

The kernel kills every process of a PID namespace when its pid 1 ends, however that happens, and
network namespaces, links and mounts go with the last process that uses them. So nothing has to be
cleaned up, and nothing can be forgotten.
"""
import json
import os
import select
import signal
import time
import traceback

from . import config, daemon, kernel, network
from .plan import Plan
from .store import LabError, Store

_TERM_TIMEOUT_S = 3


def main(folder, report_fd, life_fd):
    store = Store(folder)
    os.set_inheritable(report_fd, False)
    os.set_inheritable(life_fd, False)
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)

    def report(**message):
        os.write(report_fd, (json.dumps(message) + "\n").encode())

    try:
        _redirect(store)
        _private_mounts(store)
        report(ready=_build(store, life_fd))
    except LabError as error:
        report(error=str(error), log=getattr(error, "log", []))
        return 1
    except OSError as error:
        traceback.print_exc()
        report(error=str(error.strerror or error), log=[])
        return 1
    os.close(report_fd)
    # From here on the lab lives on its own; but not before `up` has written down that it exists.
    if os.read(life_fd, 1) != b"\n":
        return 1
    os.close(life_fd)
    _serve()
    _end_others()
    return 0


_SIGNALS = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP}


def _redirect(store):
    os.chdir("/")
    os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
    log = os.open(store.path("holder.log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)


def _private_mounts(store):
    """A /run of our own, for /run/netns is where `ip netns` keeps namespaces; and our own /proc."""
    kernel.mount("none", "/", "none", kernel.MS_REC | kernel.MS_PRIVATE)
    folder = os.open(store.folder, os.O_PATH | os.O_DIRECTORY)
    kernel.mount("none", "/run", "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV)
    if not os.path.isdir(store.folder):  # it was below /run
        os.makedirs(store.folder, mode=0o700)
        kernel.mount(f"/proc/self/fd/{folder}", store.folder, "none", kernel.MS_BIND)
    os.close(folder)
    try:
        kernel.mount("proc", "/proc", "proc",
                     kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC)
    except PermissionError as error:
        _say(f"{error.strerror}; going on with the machine's /proc")


def _build(store, life_fd):
    options = store.read("options.json")
    link = _choose_link(options["link"])
    plan = Plan.from_json(dict(store.read("plan.json"), link=link))
    store.write("plan.json", plan.to_json())
    network.build(plan)
    _check_alive(life_fd)

    binary = options["binary"]
    keys = {node.name: daemon.make_key(store, node, binary) for node in plan.nodes}
    for node in plan.nodes:
        with open(store.path(f"{node.name}.toml"), "w", encoding="utf-8") as stream:
            stream.write(config.text(plan, node, keys, options))
    _check_alive(life_fd)

    processes = {node: daemon.start(store, node, binary) for node in plan.nodes}
    daemon.wait_ready(store, processes, life_fd)
    return {
        "link": link,
        "pid_namespace": kernel.namespace_id("/proc/self/ns/pid"),
        "net_namespaces": {name: kernel.namespace_id(network.netns_path(name))
                           for name in plan.namespaces},
    }


def _choose_link(wanted):
    if wanted == "packet":
        return wanted
    hindrance = network.why_no_tun()
    if hindrance is None:
        return "tun"
    if wanted == "tun":
        raise LabError(f"--link tun: {hindrance}; --link packet does without it")
    _say(f"link packet, for {hindrance}")
    return "packet"


def _check_alive(life_fd):
    if select.select([life_fd], [], [], 0)[0]:
        raise LabError("whoever asked for the lab is gone")


def _serve():
    """Collects what ends, until a signal says to end the lab."""
    while signal.sigwaitinfo(_SIGNALS).si_signo == signal.SIGCHLD:
        _collect()


def _collect():
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        _say(f"process {pid} ended with {os.waitstatus_to_exitcode(status)}")


def _end_others():
    """Lets the daemons end by themselves; the kernel ends those that do not."""
    deadline = time.monotonic() + _TERM_TIMEOUT_S
    try:
        os.kill(-1, signal.SIGTERM)
        os.kill(-1, signal.SIGCONT)
        while time.monotonic() < deadline:
            _collect()
            os.kill(-1, 0)
            time.sleep(0.01)
    except ProcessLookupError:
        pass


def _say(text):
    print(text, flush=True)
