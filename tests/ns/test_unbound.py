"""Connections of the kernel's TCP that lose their application and get one again, on other nodes."""
import json
import time

from moves import ECHO, PORTS, finish, start_client


def application_of(lab, connection):
    for node in lab.hosts:
        _, rows = lab.migd(node, "conns")
        for row in rows["connections"]:
            if row["id"] == connection and row["owner"] == node:
                return node, row["application"]
    return None, None


def test_unbound_moved_and_bound_again(lab):
    port = next(PORTS)
    client = start_client(lab, "echo", lab.vip4, ECHO, port, 200, 2)
    connection, owner = lab.owner_of(port)
    for _ in range(3):
        code, answer = lab.migd("f1", "unbind", connection)
        assert code == 0, answer
        assert application_of(lab, connection) == (owner, "")
        owner = lab.next_host(owner)
        lab.move(connection, owner)
        assert application_of(lab, connection) == (owner, "")
        code, answer = lab.migd("f1", "bind", connection)
        assert code == 0, answer
        assert application_of(lab, connection) == (owner, "echo")
        time.sleep(0.1)
    code, answer = lab.migd("f1", "bind", connection)
    assert code == 1 and "already_bound" in json.dumps(answer)
    target = lab.next_host(owner)
    code, answer = lab.migd(owner, "migrate", connection, "--to", target, "--unbound", "--wait")
    assert code == 0, answer
    code, answer = lab.migd(target, "bind", connection, "--application", "echo")
    assert code == 0, answer
    finish(client, lab)
