#include "app/files/file_store.h"

namespace migd {

std::string_view to_string(OpenFailure failure) {
  switch (failure) {
    case OpenFailure::kNotFound:
      return "not found";
    case OpenFailure::kForbidden:
      return "not served";
    case OpenFailure::kIsFolder:
      return "a folder";
    case OpenFailure::kIo:
      return "cannot be read";
  }
  return "?";
}

}  // namespace migd
