"""All cases: to import them is to register them."""
import handshake  # noqa: F401
import segments  # noqa: F401
