"""TCP as a client sees it: two daemons, and a client that says whatever it likes. Each case runs
unmoved, with a move before each of its steps, and with one before every step."""
import behaviour  # noqa: F401  (its cases register themselves)
import cases
import pytest


@pytest.mark.parametrize("name", cases.runs())
def test_case(name, results):
    if results[name]["problem"]:
        pytest.fail(f"{results[name]['problem']}\npackets: {results[name]['pcap']}", pytrace=False)
