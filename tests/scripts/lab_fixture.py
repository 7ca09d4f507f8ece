"""Runs scripts/lab with the stand-in daemon, in a runtime folder of its own."""
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
LAB = os.path.join(os.path.dirname(os.path.dirname(HERE)), "scripts", "lab")
TIMEOUT_S = 60


class Lab:
    def __init__(self, mode, runtime=None):
        self._mode = mode
        self.runtime = runtime or tempfile.mkdtemp(prefix="labtest.")
        self.folder = os.path.join(self.runtime, f"migd-lab-{os.getuid()}", "lab")
        self.environment = dict(os.environ, XDG_RUNTIME_DIR=self.runtime,
                                MIGD_BINARY=os.path.join(HERE, "fake_migd"))
        self._before = _links_and_mounts()

    def command(self, *arguments):
        return ["/usr/bin/python3", LAB, *arguments]

    def up_command(self, *arguments):
        return self.command("up", "--hosts", "2", *(["--user"] if self._mode == "user" else []),
                            *arguments)

    def run(self, *arguments, **options):
        return subprocess.run(self.command(*arguments), env=self.environment, text=True,
                              capture_output=True, timeout=TIMEOUT_S, check=False, **options)

    def up(self, *arguments):
        done = subprocess.run(self.up_command(*arguments), env=self.environment, text=True,
                              capture_output=True, timeout=TIMEOUT_S, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def output(self, *arguments, **options):
        done = self.run(*arguments, **options)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def status(self):
        return json.loads(self.output("status", "--json"))

    def processes(self):
        """Pids of all that runs for this lab: each has our runtime folder in its environment."""
        wanted = f"XDG_RUNTIME_DIR={self.runtime}".encode()
        found = []
        for entry in os.listdir("/proc"):
            with contextlib.suppress(OSError):
                if entry.isdigit() and wanted in _read(f"/proc/{entry}/environ").split(b"\0"):
                    found.append(int(entry))
        return found

    def assert_nothing_left(self):
        deadline = time.monotonic() + 5
        while self.processes() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert self.processes() == []
        assert _links_and_mounts() == self._before

    def close(self):
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.run("down")
        shutil.rmtree(self.runtime, ignore_errors=True)


def _read(path):
    with open(path, "rb") as stream:
        return stream.read()


def _links_and_mounts():
    """Network devices and mounts of the machine, which no lab may change."""
    return sorted(os.listdir("/sys/class/net")), _read("/proc/self/mountinfo")
