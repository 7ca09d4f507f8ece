"""Each run of a case is a test of its own, but all that were chosen run together: most wait for a
timer most of the time. The first test starts them, in a network namespace; each tells its own."""
import os
import shutil
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from launch import PCAPS, run_cases  # noqa: E402


@pytest.fixture(scope="session")
def pcaps():
    shutil.rmtree(PCAPS, ignore_errors=True)
    os.makedirs(PCAPS)


@pytest.fixture(scope="session")
def results(request, pcaps):
    names = [item.callspec.params["name"] for item in request.session.items
             if "results" in getattr(item, "fixturenames", ())]
    return run_cases(names)
