"""Labs with the real daemon, shared by the tests of a module; each in both kinds of link."""
import errno
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))

from lab import Lab  # noqa: E402


def _links():
    try:
        os.close(os.open("/dev/net/tun", os.O_RDWR))
        return ["tun", "packet"]
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.ENOENT):
            raise
        return ["packet"]


@pytest.fixture(scope="module", params=["tun", "packet"])
def lab(request):
    if request.param not in _links():
        pytest.skip("needs TUN: /dev/net/tun may not be opened by this user")
    with Lab(request.param, getattr(request.module, "LAB_OPTIONS", ())) as made:
        yield made
