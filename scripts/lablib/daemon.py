"""Keys and start of one node's migd. Start and wait run inside the lab."""
import errno
import os
import select
import signal
import subprocess
import time

from . import kernel, network
from .store import LabError

READY_TIMEOUT_S = 20


def make_key(store, node, binary):
    """Makes the node's secret key and returns the public one."""
    try:
        done = subprocess.run([binary, "keygen", "--out", store.path(f"{node.name}.key")],
                              capture_output=True, text=True, check=False)
    except OSError as error:
        raise LabError(f"cannot run {binary}: {error.strerror}") from error
    if done.returncode != 0:
        raise LabError(f"{binary} keygen failed: {' '.join(done.stderr.split())}")
    return done.stdout.strip()


def start(store, node, binary):
    """Starts the node's migd in its network and its own time namespace.

    Returns its pid and the descriptor on which it reports that it is ready.
    """
    ready_reader, ready_writer = os.pipe()
    pid_reader, pid_writer = os.pipe()
    middle = os.fork()
    if middle == 0:
        try:
            _enter_node(node)
            child = os.fork()  # a time namespace holds the children, not the one who made it
            if child == 0:
                _become_daemon(store, node, binary, ready_writer)
            os.write(pid_writer, str(child).encode())
        except OSError as error:
            os.write(pid_writer, f"{node.name}: {error.strerror or error}".encode())
        finally:
            os._exit(0)
    os.close(ready_writer)
    os.close(pid_writer)
    with os.fdopen(pid_reader, "rb") as stream:
        answer = stream.read().decode()
    os.waitpid(middle, 0)
    if not answer.isdigit():
        os.close(ready_reader)
        raise LabError(answer or f"{node.name}: no daemon was started")
    with open(store.path(f"{node.name}.pid"), "w", encoding="ascii") as stream:
        stream.write(answer + "\n")
    return int(answer), ready_reader


def _enter_node(node):
    with open(network.netns_path(node.name), encoding="ascii") as namespace:
        kernel.setns(namespace.fileno(), node.name)
    try:
        kernel.unshare(kernel.CLONE_NEWTIME, "time namespace")
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return  # a kernel without time namespaces
    with open("/proc/self/timens_offsets", "w", encoding="ascii") as stream:
        stream.write(f"monotonic {node.clock_offset_s} 0\nboottime {node.clock_offset_s} 0\n")


def _become_daemon(store, node, binary, ready_fd):
    try:
        os.setsid()
        os.chdir(store.folder)
        log = os.open(f"{node.name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.set_inheritable(ready_fd, True)
        kernel.come_first()
        reset_signals()
        os.execv(binary, [binary, "run", "-c", store.path(f"{node.name}.toml"),
                          "--ready-fd", str(ready_fd)])
    except OSError as error:
        os.write(2, f"cannot run {binary}: {error.strerror}\n".encode())
    finally:
        os._exit(127)


def reset_signals():
    """Undoes what Python and the callers here do to signals, before another program is run."""
    for number in (signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def wait_ready(store, started, life_fd=None):
    """Waits until each of `started` (node -> (pid, descriptor)) has written its newline.

    Gives up when one ends, when the time is over, or when nobody holds the other end of `life_fd`.
    """
    deadline = time.monotonic() + READY_TIMEOUT_S
    waiting = {descriptor: node for node, (_, descriptor) in started.items()}
    poll = select.poll()
    for descriptor in list(waiting) + ([life_fd] if life_fd is not None else []):
        poll.register(descriptor, select.POLLIN)
    while waiting:
        left_s = deadline - time.monotonic()
        events = poll.poll(max(0, left_s) * 1000)
        if not events:
            names = ", ".join(node.name for node in waiting.values())
            raise LabError(f"not ready after {READY_TIMEOUT_S} s: {names}")
        for descriptor, _ in events:
            if descriptor == life_fd:
                raise LabError("whoever asked for the lab is gone")
            node = waiting.pop(descriptor)
            poll.unregister(descriptor)
            answer = os.read(descriptor, 1)
            os.close(descriptor)
            if answer != b"\n":
                raise DaemonEnded(store, node)


class DaemonEnded(LabError):
    def __init__(self, store, node):
        super().__init__(f"migd of {node.name} ended before it was ready")
        self.node = node
        time.sleep(0.05)  # its last words may still be on their way
        self.log = store.log_tail(f"{node.name}.log")
