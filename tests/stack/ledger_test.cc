#include "stack/ledger.h"

#include <gtest/gtest.h>

namespace migd {
namespace {

// Entries follow the struct without a gap that a field could hide in: what lies between two of them
// is padding, so less than the alignment of the second.
TEST(LedgerTest, NamesEveryField) {
  std::size_t end = 0;
  for (const LedgerEntry& entry : kLedger) {
    EXPECT_GE(entry.offset, end) << entry.field;
    std::size_t alignment = entry.size % 8 == 0   ? 8
                            : entry.size % 4 == 0 ? 4
                            : entry.size % 2 == 0 ? 2
                                                  : 1;
    EXPECT_LT(entry.offset - end, alignment) << "something lies in front of " << entry.field;
    EXPECT_FALSE(entry.why.empty()) << entry.field;
    end = entry.offset + entry.size;
  }
  EXPECT_LT(sizeof(tcp_pcb) - end, alignof(tcp_pcb)) << "something lies behind the last field";
}

}  // namespace
}  // namespace migd
