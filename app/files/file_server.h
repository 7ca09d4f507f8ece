// The static file server: GET and HEAD of the regular files below a root, with keep-alive,
// pipelining, single ranges and conditional requests. Its state travels at any moment; a connection
// in the middle of a body moves only to a node that has the same version of the file.
#pragma once

#include <memory>

#include "app/application.h"

namespace migd {

Result<std::unique_ptr<Application>> make_file_server(const ApplicationOptions& options,
                                                      const ApplicationServices& services);

}  // namespace migd
