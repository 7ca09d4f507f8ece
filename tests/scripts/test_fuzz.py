"""scripts/fuzz: what it makes of what a fuzzer says. The fuzzers here are scripts."""
import json
import os
import re
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TARGETS = ["blob", "datagram", "protocol", "segments", "device"]
SEARCHED = """
echo '#67	INITED cov: 3500 ft: 11025 corp: 52/312Kb exec/s: 33 rss: 58Mb'
echo '#90	NEW    cov: 3510 ft: 11030 corp: 53/312Kb exec/s: 33 rss: 58Mb'
echo 'stat::number_of_executed_units: 1234'
"""


def fuzz(*arguments, **environment):
    return subprocess.run([os.path.join(ROOT, "scripts/fuzz"), *arguments], capture_output=True,
                          text=True, check=False, env={**os.environ, **environment})


@pytest.fixture
def fuzzer(tmp_path):
    """Makes a fuzzer `blob` of shell commands; returns what runs scripts/fuzz with it."""
    def make(commands):
        program = tmp_path / "tests/fuzz/fuzz_blob"
        program.parent.mkdir(parents=True)
        program.write_text("#!/bin/sh\n" + commands)
        program.chmod(0o755)
        return lambda *arguments: fuzz("blob", *arguments, MIGD_FUZZ_BUILD=str(tmp_path))
    return make


def test_list_names_every_target_of_the_tree():
    done = fuzz("list")
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == TARGETS
    with open(os.path.join(ROOT, "tests/fuzz/CMakeLists.txt"), encoding="utf-8") as file:
        assert re.findall(r"^migd_fuzzer\((\w+)", file.read(), re.MULTILINE) == TARGETS
    for target in TARGETS:
        assert os.listdir(os.path.join(ROOT, "tests/fuzz/corpus", target))


def test_bad_usage():
    assert fuzz("nonsense").returncode == 2
    assert fuzz().returncode == 2


def test_clean(fuzzer):
    run = fuzzer(SEARCHED)
    done = run("--seconds", "1")
    assert done.returncode == 0
    assert re.fullmatch(r"blob: 1234 executions, [\d.]+ seconds, coverage 3510 \(10 new\), clean\n",
                        done.stdout)
    [result] = json.loads(run("--seconds", "1", "--json").stdout)
    assert result["target"] == "blob" and result["clean"] and result["findings"] == []
    assert (result["executions"], result["coverage"], result["new_coverage"]) == (1234, 3510, 10)


def test_a_finding_is_kept_and_named(fuzzer):
    done = fuzzer("""
for argument; do case $argument in -artifact_prefix=*) prefix=${argument#*=};; esac; done
echo 'finding: two owners'; echo input >"${prefix}crash-1"; exit 77""")("--seconds", "1")
    assert done.returncode == 1
    assert done.stdout.rstrip().endswith("findings/blob/crash-1")
    assert "finding: two owners" in done.stderr
    assert re.search(r"^replay: scripts/fuzz blob --replay \S*/findings/blob/crash-1$", done.stderr,
                     re.MULTILINE)


def test_replay_says_what_each_input_finds(fuzzer, tmp_path):
    (tmp_path / "one").write_text("1")
    run = fuzzer('for last; do :; done\n'
                 'grep -q 1 "$last" && { echo "finding: one"; exit 77; }; exit 0')
    (tmp_path / "two").write_text("2")
    assert run("--replay", str(tmp_path / "two")).returncode == 0
    done = run("--replay", str(tmp_path / "one"), str(tmp_path / "two"))
    assert done.returncode == 1
    assert "one: finding: one" in done.stdout and "two: clean" in done.stdout
