"""scripts/witness runs, and judges; what it is for takes longer."""
import json
import os
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


@pytest.mark.parametrize("situation", ["full-speed", "other-mtu", "lossy"])
def test_a_short_run(situation):
    done = subprocess.run([os.path.join(ROOT, "scripts", "witness"), situation, "--seconds", "1",
                           "--json"], capture_output=True, text=True, timeout=120, check=False)
    rows = json.loads(done.stdout)  # one line
    assert [row["row"] for row in rows] == [f"{situation}-download", f"{situation}-upload"]
    for row in rows:
        assert row["sha256_ok"] and row["moves"] > 0
        assert row["moved"]["client_rst"] == 0
    assert (done.returncode == 0) == (not any(row["wrong"] for row in rows))


def test_bad_command_line():
    done = subprocess.run([os.path.join(ROOT, "scripts", "witness"), "--seconds", "x"],
                          capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 2
