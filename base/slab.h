// Things by number, which never move: growing copies nothing, and a thing costs its size. So many
// at most; what has never been asked for is address space, not memory.
#pragma once

#include <cstddef>
#include <new>
#include <type_traits>

#include "base/check.h"
#include "base/large_memory.h"

namespace migd {

template <typename T>
class Slab {
  static_assert(std::is_trivially_destructible_v<T>, "they go with the memory");

 public:
  explicit Slab(std::size_t most) : most_(most), memory_(most * sizeof(T)) {}

  T& operator[](std::size_t number) { return things()[number]; }
  const T& operator[](std::size_t number) const { return things()[number]; }
  std::size_t size() const { return size_; }
  T& emplace_back() {
    MIGD_CHECK(size_ < most_);
    if (size_ == kMany) memory_.use_large_pages();
    return *new (things() + size_++) T;
  }
  void clear() {
    if (size_ > kMany) memory_.give_back();
    size_ = 0;
  }

 private:
  // Few stay in small pages: a large one would be more than all of them.
  static constexpr std::size_t kMany = 2 * LargeMemory::kLargePage / sizeof(T);

  T* things() const { return static_cast<T*>(memory_.data()); }

  std::size_t most_, size_ = 0;
  LargeMemory memory_;
};

}  // namespace migd
