"""Starts the runner in a network namespace of its own, and hears what it says of each run."""
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
MIGD = os.environ.get("MIGD_BINARY", os.path.join(ROOT, "build/release/migd"))
PCAPS = os.path.join(ROOT, "build/tcp-failures")
GIVE_UP_S = 900


def _unshare():
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *user, "--net", "--mount", "--pid", "--fork", "--kill-child",
            "--mount-proc"]


def run_cases(names, link=None):
    """name -> what the runner says of it. `link`: another than the one that it would choose."""
    environment = dict(os.environ, **({"MIGD_TCP_LINK": link} if link else {}))
    done = subprocess.run([*_unshare(), sys.executable, "-B", os.path.join(HERE, "runner.py"), MIGD,
                           PCAPS], input="\n".join(names), capture_output=True, text=True,
                          timeout=GIVE_UP_S, env=environment, check=False)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr
    return {one["name"]: one for one in found}
