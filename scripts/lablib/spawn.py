"""Starts the holder of a lab: pid 1 of a new PID namespace, owner of everything else in the lab."""
import json
import os
import select
import signal
import time

from . import kernel
from .store import LabError, start_time

_PROGRAM = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lab")


class Holder:
    """The holder as `up` sees it. Until it is let go it ends with this process."""

    def __init__(self, store, in_user_namespace):
        report_reader, report_writer = os.pipe()
        life_reader, self._life_writer = os.pipe()
        pid_reader, pid_writer = os.pipe()
        middle = os.fork()
        if middle == 0:
            # Open in the holder it would hide from it that `up` is gone.
            os.close(self._life_writer)
            _become_middle(store, in_user_namespace, pid_writer, report_writer, life_reader)
        for descriptor in (pid_writer, report_writer, life_reader):
            os.close(descriptor)
        with os.fdopen(pid_reader, encoding="utf-8") as stream:
            answer = stream.read()
        os.waitpid(middle, 0)
        if not answer.isdigit():
            raise LabError(f"cannot make the lab's namespaces: {answer}")
        self.pid = int(answer)
        self._report = report_reader

    def wait(self):
        """What the holder reports when it is ready; raises LabError when it could not do it."""
        with os.fdopen(self._report, encoding="utf-8") as stream:
            line = stream.readline()
        if not line:
            raise LabError("the holder of the lab was killed")
        message = json.loads(line)
        if "error" in message:
            raise LabError("\n".join([message["error"]] + message["log"]))
        return message["ready"]

    def let_go(self):
        """From here on the lab does not end with this process."""
        try:
            os.write(self._life_writer, b"\n")
        except BrokenPipeError as error:
            raise LabError("the holder of the lab was killed") from error
        self._close_life()

    def kill(self):
        """Ends the holder and with it all processes of the lab; returns when they are gone."""
        self._close_life()
        end(self.pid, graceful_s=0)

    def _close_life(self):
        descriptor, self._life_writer = self._life_writer, None
        if descriptor is not None:
            os.close(descriptor)


def end(pid, graceful_s):
    """Ends a holder; its PID namespace ends with it. Returns when every process in it is gone."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        for number, seconds in ((signal.SIGTERM, graceful_s), (signal.SIGKILL, 10)):
            if seconds == 0:
                continue
            signal.pidfd_send_signal(descriptor, number)
            if select.select([descriptor], [], [], seconds)[0]:
                break
        else:
            raise LabError(f"process {pid}, the holder of the lab, does not end")
    except ProcessLookupError:
        pass
    finally:
        os.close(descriptor)
    # Its parent collects it; a parent that does not must not hold us up.
    for _ in range(100):
        if start_time(pid) is None:
            return
        time.sleep(0.01)


def _become_middle(store, in_user_namespace, pid_writer, report_writer, life_reader):
    """Makes the namespaces. Only children enter a new PID namespace, so the holder is a child."""
    try:
        os.setsid()  # a Ctrl-C is for `up`, which then ends the holder
        if in_user_namespace:
            _enter_user_namespace()
        kernel.unshare(kernel.CLONE_NEWNS | kernel.CLONE_NEWPID | kernel.CLONE_NEWNET,
                       "mount, PID and network namespaces")
        pid = os.fork()
        if pid == 0:
            os.set_inheritable(report_writer, True)
            os.set_inheritable(life_reader, True)
            os.execv("/usr/bin/python3", ["/usr/bin/python3", _PROGRAM, "hold", store.folder,
                                          str(report_writer), str(life_reader)])
        os.write(pid_writer, str(pid).encode())
    except OSError as error:
        os.write(pid_writer, str(error.strerror or error).encode())
    finally:
        os._exit(0)


def _enter_user_namespace():
    user, group = os.geteuid(), os.getegid()
    kernel.unshare(kernel.CLONE_NEWUSER, "user namespace")
    for file, text in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"),
                       ("gid_map", f"0 {group} 1")):
        with open(f"/proc/self/{file}", "w", encoding="ascii") as stream:
            stream.write(text)
