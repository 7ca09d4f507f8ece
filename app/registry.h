// ApplicationRegistry: the applications of a node, by name. It is what the shim and the classifier
// bind connections through.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "app/application.h"

namespace migd {

class ApplicationRegistry : public ApplicationHost {
 public:
  // Fails when a name comes twice, or a served folder cannot be opened.
  static Result<std::unique_ptr<ApplicationRegistry>> create(
      const std::vector<ApplicationOptions>& options, const ApplicationServices& services);

  bool knows(std::string_view application) const override;
  Result<void> attach(Connection& connection, std::string_view application, ByteView state,
                      bool restored) override;

  std::size_t session_count() const;

 private:
  ApplicationRegistry() = default;

  std::map<std::string, std::unique_ptr<Application>, std::less<>> applications_;
};

}  // namespace migd
