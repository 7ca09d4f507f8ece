#include "base/large_memory.h"

#include <sys/mman.h>

namespace migd {

LargeMemory::LargeMemory(std::size_t bytes) : bytes_(bytes) {
  data_ = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
               -1, 0);
  if (data_ == MAP_FAILED) throw std::bad_alloc();
}

LargeMemory::~LargeMemory() {
  munmap(data_, bytes_);
}

void LargeMemory::use_large_pages() {
  madvise(data_, bytes_, MADV_HUGEPAGE);
}

void LargeMemory::give_back() {
  madvise(data_, bytes_, MADV_DONTNEED);
}

void* detail::allocate_large(std::size_t bytes) {
  constexpr std::size_t kPage = LargeMemory::kLargePage;
  const std::size_t whole = (bytes + kPage - 1) / kPage * kPage;
  void* const memory = std::aligned_alloc(kPage, whole);
  if (memory != nullptr) madvise(memory, whole, MADV_HUGEPAGE);
  return memory;
}

}  // namespace migd
