"""scripts/bootstrap, without a package registry: what it derives, refuses and keeps."""
import os
import shutil
import subprocess

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BOOTSTRAP = os.path.join(ROOT, "scripts", "bootstrap")
CODENAME = subprocess.run(["sh", "-c", ". /etc/os-release && printf %s $VERSION_CODENAME"],
                          capture_output=True, text=True, check=True).stdout


@pytest.fixture
def stubs(tmp_path):
    """A folder of programs that go before the system's."""
    folder = tmp_path / "stubs"
    folder.mkdir()

    def add(name, script):
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    add.environment = dict(os.environ, PATH=f"{folder}:{os.environ['PATH']}",
                           XDG_CACHE_HOME=str(tmp_path / "cache"))
    return add


def derive(tmp_path, stubs, **files):
    """Runs derive_sources on a system with these source files; returns what it wrote."""
    system, out = tmp_path / "system", tmp_path / "out"
    (system / "parts").mkdir(parents=True)
    out.mkdir()
    for name, text in files.items():
        path = system / name.replace("__", "/").replace("_", ".")
        path.write_text(text.replace("CODENAME", CODENAME))
    stubs("apt-config", f'echo "LIST={system}/sources.list PARTS={system}/parts"')
    done = subprocess.run(["bash", "-c", f'. {BOOTSTRAP}; derive_sources "$0"', str(out)],
                          env=stubs.environment, capture_output=True, text=True, check=False)
    written = {path.name: path.read_text() for path in out.iterdir()}
    return done, written


def test_one_line_sources(tmp_path, stubs):
    _, written = derive(tmp_path, stubs, sources_list=(
        "# deb http://a.example/debian CODENAME main\n"
        "deb http://a.example/debian CODENAME main contrib # comment\n"
        "deb-src http://a.example/debian CODENAME main\n"
        "deb [arch=amd64 signed-by=/k.gpg] http://b.example/debian/ CODENAME contrib main\n"
        "deb http://a.example/debian-security CODENAME-security main\n"
        "deb http://a.example/debian CODENAME-updates main\n"
        "deb https://other.example/apt CODENAME main\n"
        "deb https://other.example/linux/debian CODENAME stable\n"))
    assert written["system.list"].replace("  ", " ").splitlines() == [
        f"deb-src [arch=amd64 signed-by=/k.gpg] http://b.example/debian/ {CODENAME} main",
        f"deb-src http://a.example/debian {CODENAME} main"]


def test_deb822_sources(tmp_path, stubs):
    _, written = derive(tmp_path, stubs, parts__debian_sources=(
        "Types: deb\n# comment\nURIs: http://a.example/debian\n"
        "Suites: CODENAME CODENAME-updates\nComponents: main contrib\n"
        "Signed-By:\n -----BEGIN PGP-----\n .\n abc\n"
        "\n"
        "Types: deb\nURIs: http://a.example/debian-security\nSuites: CODENAME-security\n"
        "Components: main\n"), parts__other_sources=(
        "Types: deb\nURIs: https://other.example/node\nSuites: CODENAME\nComponents: main\n"
        "\n\n"
        "Enabled: no\nTypes: deb\nURIs: http://c.example/debian\nSuites: CODENAME\n"
        "Components: main\n"))
    assert written == {"system.sources": (
        f"Types: deb-src\nSuites: {CODENAME}\nComponents: main\n"
        "URIs: http://a.example/debian\nSigned-By:\n -----BEGIN PGP-----\n .\n abc\n\n")}


def test_system_without_the_debian_archive(tmp_path, stubs):
    done, written = derive(tmp_path, stubs, sources_list="deb http://x.example/ubuntu lunar main\n")
    assert (done.returncode, written) == (1, {})
    assert done.stderr == (f"bootstrap: no entry for the Debian archive ({CODENAME} main) among "
                           "the system's package sources\n")


def test_missing_packages_without_rights_are_one_line(stubs):
    stubs("id", "echo 1000")
    stubs("sudo", "exit 1")
    stubs("dpkg-query", "echo 'g++ installed'; echo 'curl config-files'; exit 1")
    done = subprocess.run([BOOTSTRAP], env=stubs.environment, capture_output=True, text=True,
                          check=False)
    assert (done.returncode, done.stdout) == (1, "")
    start = "bootstrap: packages missing, and no right to install them: clang "
    assert done.stderr.startswith(start) and done.stderr.count("\n") == 1
    assert " curl " in done.stderr and " g++ " not in done.stderr


def test_opponents_are_asked_for_alone(stubs):
    stubs("dpkg-query", "echo 'nginx-light installed'; echo 'nftables installed'; exit 1")
    stubs("id", "echo 0")
    stubs("apt-get", 'echo "$*" >&2')
    done = subprocess.run([BOOTSTRAP, "--opponents"], env=stubs.environment, capture_output=True,
                          text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.splitlines()[0] == "bootstrap: installing haproxy"


def test_wrong_download_is_refused_and_leaves_nothing(tmp_path, stubs):
    stubs("apt-get", 'case "$*" in *source*) echo forged >lwip_2.1.3+dfsg1-2.dsc ;; esac')
    done = subprocess.run([BOOTSTRAP, "--print-lwip"], env=stubs.environment, capture_output=True,
                          text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1] == (
        "bootstrap: what was fetched is not what cmake/lwip.sha256 names; nothing was unpacked")
    assert os.listdir(tmp_path / "cache" / "migd") == ["lock"]


def test_failed_download_says_so(tmp_path, stubs):
    stubs("apt-get", 'echo "E: Unable to reach the archive"; exit 100')
    done = subprocess.run([BOOTSTRAP, "--print-lwip"], env=stubs.environment, capture_output=True,
                          text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[1:] == [
        "E: Unable to reach the archive",
        "bootstrap: apt-get could not fetch the source of lwip 2.1.3+dfsg1-2"]
    assert os.listdir(tmp_path / "cache" / "migd") == ["lock"]


@pytest.mark.parametrize("arguments, message", [
    (["--preset", "fast"], "bootstrap: unknown preset: fast (release, dev, asan or fuzz)"),
    (["--nonsense"], "bootstrap: unknown argument: --nonsense"),
])
def test_bad_usage(arguments, message):
    done = subprocess.run([BOOTSTRAP, *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.splitlines()[0]) == (2, message)


@pytest.fixture
def clone(tmp_path, stubs):
    """Makes a tree that bootstrap can build, with a stub of cmake and with lwIP in the cache."""
    (tmp_path / "cache/migd/lwip-2.1.3+dfsg1-2").mkdir(parents=True)
    stubs("dpkg-query", 'shift 3; for name; do echo "$name installed"; done')
    stubs("cmake", 'echo "$*" >>"$CMAKE_LOG"; [ "$1" = --preset ] || exit 0; '
                   'mkdir -p "build/$2"; touch "build/$2/build.ninja"; '
                   'echo "CMAKE_HOME_DIRECTORY:INTERNAL=$PWD" >"build/$2/CMakeCache.txt"')
    stubs.environment["CMAKE_LOG"] = str(tmp_path / "cmake.log")

    def make(name):
        tree = tmp_path / name
        for file in ("scripts/bootstrap", "cmake/lwip.sha256"):
            (tree / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(os.path.join(ROOT, file), tree / file)
        (tree / "CMakePresets.json").write_text("{}")
        return tree

    def build(tree, *arguments):
        log = tmp_path / "cmake.log"
        log.write_text("")
        done = subprocess.run([tree / "scripts/bootstrap", *arguments], env=stubs.environment,
                              capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
        return log.read_text().splitlines()

    make.build = build
    make.lwip = f"-DMIGD_LWIP_SOURCE_DIR={tmp_path}/cache/migd/lwip-2.1.3+dfsg1-2"
    return make


def test_build_configures_once(clone):
    tree = clone("a")
    build_it = f"--build {tree}/build/release"
    assert clone.build(tree) == [f"--preset release {clone.lwip}", build_it]
    assert clone.build(tree) == [build_it]
    (tree / "CMakePresets.json").write_text("{ }")
    assert clone.build(tree) == [f"--preset release {clone.lwip}", build_it]
    assert clone.build(tree, "--preset", "asan")[0] == f"--preset asan {clone.lwip}"
    assert clone.build(tree, "--no-build") == []


def test_build_folder_of_another_path_is_made_again(clone):
    first, second = clone("a"), clone("b")
    clone.build(first)
    shutil.copytree(first / "build", second / "build")
    (second / "build/release/leftover").touch()
    assert clone.build(second)[0] == f"--preset release {clone.lwip}"
    assert not (second / "build/release/leftover").exists()
