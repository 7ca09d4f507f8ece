// The relay to an unmodified local server: one stream socket for each connection.
//
//   client == TCP, migd's stack == RelaySession == stream socket == local server
//
// Ends pass through: FIN <-> shutdown(SHUT_WR), RST <-> abort; a server that cannot be reached is
// a RST. Back-pressure passes through: what the server does not take stays unconsumed and fills the
// client's window; what the client does not take is bounded by one read, and then not read.
//
// Moving: the local socket never moves. A connection may move while nothing would be missed if the
// socket at the source were closed and a new one opened at the target: before the first byte, or,
// with http_idle, between two HTTP/1.1 requests (app/relay/http_observer.h). At any other time it
// is kAppBusy. So there is no state but the envelope.
#pragma once

#include <memory>

#include "app/application.h"

namespace migd {

std::unique_ptr<Application> make_relay(const ApplicationOptions& options,
                                        const ApplicationServices& services);

}  // namespace migd
