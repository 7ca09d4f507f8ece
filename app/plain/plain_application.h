// What echo, discard and source have in common: a session type that is made from (tag, connection)
// and restored by its own static restore(tag, connection, reader).
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "app/application.h"

namespace migd {

template <typename SessionType>
class PlainApplication : public Application {
 public:
  using Application::Application;

 private:
  Result<std::unique_ptr<Session>> make(Connection& connection) override {
    return std::make_unique<SessionType>(tag(), connection);
  }
  Result<std::unique_ptr<Session>> restore(Connection& connection, BoundedReader& in) override {
    return SessionType::restore(tag(), connection, in);
  }
};

}  // namespace migd
