// The upload endpoint: answers PUT and POST, to any path, with the SHA-256 of the body and its
// length in bytes, as one line of text: "<64 hex digits> <decimal>\n". The body may be of any
// length, also chunked; the running hash travels, so a connection may move between any two bytes.
#pragma once

#include <memory>

#include "app/application.h"

namespace migd {

std::unique_ptr<Application> make_upload(const ApplicationOptions& options,
                                         const ApplicationServices& services);

}  // namespace migd
