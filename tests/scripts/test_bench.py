"""scripts/bench: that each row is measured and has its shape. Its times mean nothing here."""
import json
import os
import subprocess

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
BENCH = os.path.join(os.path.dirname(os.path.dirname(HERE)), "scripts", "bench")
KEYS = ["table", "row", "unit", "ours", "min", "max", "runs", "against", "opponent", "opponent_min",
        "opponent_max", "ratio", "target", "target_of", "at_least", "met", "note", "error"]
ROWS = ["move-idle", "move-idle-blob", "move-64k", "move-64k-blob", "gap", "gap-at-once",
        "gap-forwarder", "gap-one-processor", "stalls", "stalls-at-once", "stalls-20ms", "batch",
        "batch-memory"]
WITH_TARGET = {"move-idle", "move-64k", "gap", "stalls", "stalls-20ms", "batch"}
WITH_OPPONENT = {"gap", "gap-at-once", "gap-forwarder", "gap-one-processor", "stalls",
                 "stalls-at-once", "stalls-20ms"}


def bench(*arguments, **options):
    return subprocess.run(["/usr/bin/python3", "-B", BENCH, *arguments], capture_output=True,
                          text=True, check=False, timeout=300, **options)


@pytest.fixture(scope="module")
def migration():
    done = bench("migration", "--quick", "--json")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    return {row["row"]: row for row in json.loads(done.stdout)}


def test_every_row_is_there(migration):
    assert list(migration) == ROWS
    for row in migration.values():
        assert list(row) == KEYS
        assert row["table"] == "migration" and row["unit"] and row["error"] is None


def test_figures_lie_between_the_least_and_the_greatest(migration):
    for row in migration.values():
        assert row["runs"] >= 1 and row["min"] <= row["ours"] <= row["max"], row
        if row["row"] in WITH_OPPONENT:
            assert row["opponent_min"] <= row["opponent"] <= row["opponent_max"], row


def test_only_what_has_a_target_can_meet_it(migration):
    for row in migration.values():
        assert (row["met"] is None) == (row["row"] not in WITH_TARGET), row
        if row["target"] is not None:
            value = row[row["target_of"]]
            assert row["met"] == (value <= row["target"]), row


def test_what_cannot_be_otherwise(migration):
    """A move cannot take no time, nor can a blob be had for less than nothing."""
    assert 0 < migration["move-idle"]["ours"] < migration["move-idle-blob"]["ours"]
    assert migration["move-idle"]["ours"] < migration["move-64k"]["ours"]
    # Packets that come at a bad moment are lost to the opponent, and cost a time-out each. A busy
    # machine may stand still for as long itself: a few of ours then seem to be such.
    assert migration["stalls"]["ours"] < migration["stalls-at-once"]["opponent"]


def test_a_missing_opponent_fails_its_rows_alone(tmp_path):
    """A build that has not the opponent's program."""
    real = os.environ.get("MIGD_BINARY") or os.path.join(os.path.dirname(BENCH), os.pardir, "build",
                                                         "release", "migd")
    for name in ("migd", "migd-bench-client", "migd-bench-moves"):
        os.symlink(os.path.join(os.path.dirname(os.path.abspath(real)), name), tmp_path / name)
    done = bench("migration", "--quick", "--json",
                 env=dict(os.environ, MIGD_BINARY=str(tmp_path / "migd")))
    rows = {row["row"]: row for row in json.loads(done.stdout)}
    assert done.returncode == 1
    assert list(rows) == ROWS
    for name, row in rows.items():
        assert (row["error"] is not None) == (name in WITH_OPPONENT), row
        if row["error"]:
            assert row["met"] is False and row["ours"] is None


def test_the_table_of_loss():
    done = bench("loss", "--quick", "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert [row["row"] for row in rows] == ["loss-0.1-in", "loss-0.1-out", "loss-1-in",
                                            "loss-1-out", "reorder", "flood"]
    for row in rows:
        assert list(row) == KEYS and row["at_least"] and row["ours"] > 0 and row["opponent"] > 0
        assert row["met"] == (row["ratio"] >= row["target"])


def test_the_table_of_the_engine():
    done = bench("engine", "--quick", "--json")
    assert done.returncode == 0, done.stderr
    rows = {row["row"]: row for row in json.loads(done.stdout)}
    assert list(rows) == ["in-1", "out-1", "in-4", "out-4", "handoff-download", "http-new-handoff",
                          "forward", "http-keepalive", "http-new", "pingpong", "pingpong-p99",
                          "memory"]
    for row in rows.values():
        assert list(row) == KEYS and row["table"] == "engine" and row["ours"] > 0
        assert row["at_least"] == (not row["row"].startswith(("pingpong", "memory")))
        value = row[row["target_of"]]
        assert row["met"] == (value >= row["target"] if row["at_least"] else value <= row["target"])
        if row["row"] != "memory":
            assert row["opponent"] > 0 and row["target_of"] == "ratio"


def test_the_table_of_scale():
    done = bench("scale", "--quick", "--json")
    assert done.returncode == 0, done.stderr
    rows = {row["row"]: row for row in json.loads(done.stdout)}
    assert list(rows) == ["packet-1m", "map-1m", "map-1m-memory", "packet-1m-end", "loop",
                          "memory-1m", "drain-100k"]
    for row in rows.values():
        assert list(row) == KEYS and row["table"] == "scale" and row["ours"] > 0
        assert not row["at_least"] and row["met"] == (row[row["target_of"]] <= row["target"])
    for name in ("packet-1m", "map-1m", "packet-1m-end"):
        assert rows[name]["opponent"] > 0 and rows[name]["target_of"] == "ratio"
    assert rows["map-1m-memory"]["met"]  # it has nothing to do with the machine, nor with its load


def test_an_unknown_table_is_refused():
    done = bench("no-such-table")
    assert done.returncode == 2 and done.stdout == ""
