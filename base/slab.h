// Things by number, in blocks that never move: growing copies nothing, and a thing costs its size.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

namespace migd {

template <typename T>
class Slab {
 public:
  static constexpr std::size_t kBlock = 1024;

  T& operator[](std::size_t number) { return blocks_[number / kBlock][number % kBlock]; }
  const T& operator[](std::size_t number) const {
    return blocks_[number / kBlock][number % kBlock];
  }
  std::size_t size() const { return size_; }
  T& emplace_back() {
    if (size_ % kBlock == 0) blocks_.push_back(std::make_unique<T[]>(kBlock));
    return (*this)[size_++];
  }

 private:
  std::vector<std::unique_ptr<T[]>> blocks_;
  std::size_t size_ = 0;
};

}  // namespace migd
