"""All cases: to import them is to register them."""
import closing  # noqa: F401
import cookies  # noqa: F401
import handshake  # noqa: F401
import options  # noqa: F401
import path  # noqa: F401
import receiving  # noqa: F401
import segments  # noqa: F401
import sending  # noqa: F401
