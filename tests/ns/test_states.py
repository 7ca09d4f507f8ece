"""A connection of the kernel's TCP in each TCP state, moved by hand, there and back."""
import subprocess
import time

import pytest

from lab import TIMEOUT_S

LAB_OPTIONS = ("--hosts", "2", "--classifiers", "2")
STATES = ["SYN_RCVD", "ESTABLISHED", "CLOSE_WAIT", "FIN_WAIT_1", "FIN_WAIT_2", "CLOSING",
          "LAST_ACK", "TIME_WAIT"]


def owned(lab, nodes, port):
    """(connection, owner) in the listing of the owner."""
    for node in nodes:
        _, answer = lab.migd(node, "conns")
        for row in answer["connections"]:
            is_it = row["peer"].endswith(f":{port}") and row["owner"] == node
            if is_it and row["state"] != "MAPPED":
                return row, node
    return None, None


def wait_for(lab, nodes, port, state):
    give_up = time.monotonic() + 10
    while time.monotonic() < give_up:
        row, owner = owned(lab, nodes, port)
        if row and row["state"] == state:
            return row["id"], owner
        time.sleep(0.05)
    raise AssertionError(f"port {port} is not in {state}: {row}\n{lab.logs()}")


def state_of(lab, node, connection):
    _, answer = lab.migd(node, "conns")
    return [row["state"] for row in answer["connections"] if row["id"] == connection]


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
@pytest.mark.parametrize("state", STATES)
def test_moves_there_and_back(lab, state, family):
    for name, size in (("1KiB.bin", 1 << 10), ("1MiB.bin", 1 << 20)):
        lab.make_file("h1", name, size)
    nodes = ["k1", "k2"] if state == "SYN_RCVD" else ["h1", "h2"]
    command = lab.command("client", state, *(["--ipv6"] if family == "ipv6" else []))
    with subprocess.Popen(command, env=lab.environment, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as client:
        reached, _, port = client.stdout.readline().split()
        assert reached == state
        connection, first = wait_for(lab, nodes, port, state)
        second = nodes[1 - nodes.index(first)]
        for owner in (second, first, second):
            lab.move(connection, owner)
            assert state_of(lab, owner, connection) == [state]
        code, trace = lab.migd("f1", "trace", connection)
        assert code == 0
        moves = [(move["from"], move["to"]) for move in trace["moves"]][-3:]
        assert moves == [(first, second), (second, first), (first, second)]
        output, _ = client.communicate("\n", timeout=TIMEOUT_S)
        assert output == "done\n", f"{output}\n{lab.logs()}"
