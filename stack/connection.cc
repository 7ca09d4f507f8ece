#include "stack/connection.h"

#include <array>
#include <utility>

namespace migd {

std::string to_string(Blockers blockers) {
  static constexpr std::array kNames{
      std::pair{Blocker::kAppBusy, "app_busy"},
      std::pair{Blocker::kMoving, "moving"},
      std::pair{Blocker::kBlobTooLarge, "blob_too_large"},
      std::pair{Blocker::kNoTarget, "no_target"},
      std::pair{Blocker::kQuarantined, "quarantined"},
  };
  std::string text;
  for (const auto& [blocker, name] : kNames) {
    if ((blockers & static_cast<Blockers>(blocker)) == 0) continue;
    if (!text.empty()) text += ',';
    text += name;
  }
  return text;
}

}  // namespace migd
