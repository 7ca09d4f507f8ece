import errno
import os

import pytest

from lab_fixture import Lab


@pytest.fixture(params=["plain", "user"])
def lab(request):
    """A lab that is not up yet: as this user, and as if this user were an ordinary one."""
    made = Lab(request.param)
    yield made
    made.close()


@pytest.fixture
def user_lab():
    made = Lab("user")
    yield made
    made.close()


@pytest.fixture(scope="module", params=["plain", "user"])
def mode(request):
    return request.param


@pytest.fixture(scope="module", params=["tun", "packet"])
def link(request):
    if request.param == "tun":
        try:
            os.close(os.open("/dev/net/tun", os.O_RDWR))
        except OSError as error:
            pytest.skip(f"needs TUN: /dev/net/tun: {errno.errorcode[error.errno]}")
    return request.param


@pytest.fixture(scope="module")
def shared_lab(mode, link):
    """A lab that is up; its tests change nothing in it."""
    made = Lab(mode)
    made.up("--link", link)
    assert made.status()["link"] == link
    yield made
    made.close()
