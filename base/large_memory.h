// Memory for large tables that are met at random. In pages of 4 KiB each look-up also misses the
// address translation; so where the system offers pages of 2 MiB to whom asks for them
// (transparent_hugepage: madvise), what is large enough to fill some asks.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <new>

namespace migd {

// Address space that becomes memory when it is touched.
class LargeMemory {
 public:
  static constexpr std::size_t kLargePage = 2u << 20;

  explicit LargeMemory(std::size_t bytes);  // throws std::bad_alloc
  ~LargeMemory();
  LargeMemory(const LargeMemory&) = delete;
  LargeMemory& operator=(const LargeMemory&) = delete;

  void* data() const { return data_; }
  // What is touched from here on. Only a wish.
  void use_large_pages();
  // It is address space again; what was in it is lost.
  void give_back();

 private:
  void* data_;
  std::size_t bytes_;
};

// For containers in one piece: small ones from the heap, large ones in large pages.
template <typename T>
class LargeAllocator {
 public:
  using value_type = T;
  static constexpr std::size_t kLarge = 2 * LargeMemory::kLargePage;

  LargeAllocator() = default;
  template <typename U>
  LargeAllocator(const LargeAllocator<U>&) {}  // NOLINT(google-explicit-constructor): as std's

  T* allocate(std::size_t count);
  void deallocate(T* memory, std::size_t) { std::free(memory); }

  template <typename U>
  bool operator==(const LargeAllocator<U>&) const {
    return true;
  }
  template <typename U>
  bool operator!=(const LargeAllocator<U>&) const {
    return false;
  }
};

namespace detail {
void* allocate_large(std::size_t bytes);  // to be given to std::free; null: there is none
}

template <typename T>
T* LargeAllocator<T>::allocate(std::size_t count) {
  const std::size_t bytes = count * sizeof(T);
  void* const memory = bytes < kLarge ? std::malloc(bytes) : detail::allocate_large(bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return static_cast<T*>(memory);
}

}  // namespace migd
