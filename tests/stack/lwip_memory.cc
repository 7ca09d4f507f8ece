#include "tests/stack/lwip_memory.h"

#include <optional>

namespace migd::test {
namespace {
std::optional<memp_t> refused;
int refusals = 0;
}  // namespace

RefusedMemory::RefusedMemory(memp_t type) {
  refused = type;
  refusals = 0;
}

RefusedMemory::~RefusedMemory() {
  refused.reset();
}

int RefusedMemory::count() {
  return refusals;
}

}  // namespace migd::test

// The linker gives us all calls of memp_malloc (tests/CMakeLists.txt).
extern "C" {
void* __real_memp_malloc(memp_t type);
void* __wrap_memp_malloc(memp_t type);
void* __wrap_memp_malloc(memp_t type) {
  if (type == migd::test::refused) {
    ++migd::test::refusals;
    return nullptr;
  }
  return __real_memp_malloc(type);
}
}
