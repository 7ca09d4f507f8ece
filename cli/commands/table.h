// Columns for people.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"

namespace migd {

class Table {
 public:
  explicit Table(std::vector<std::string> header) : rows_{std::move(header)} {}
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  // Columns two spaces apart, no trailing blanks, each line ended.
  std::string to_string() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

std::string human_bytes(std::uint64_t bytes);  // "812", "1.5K", "3.2M"
std::string human_duration(Duration d);        // "412us", "3.1ms", "5.2s", "4m10s", "2h05m"

}  // namespace migd
