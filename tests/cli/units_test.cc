#include "cli/config/units.h"

#include <gtest/gtest.h>

namespace migd {
namespace {

TEST(Units, Durations) {
  EXPECT_EQ(parse_duration("500ms"), 500ms);
  EXPECT_EQ(parse_duration("0s"), 0s);
  EXPECT_EQ(parse_duration("7us"), 7us);
  EXPECT_EQ(parse_duration("10m"), 10min);
  EXPECT_EQ(parse_duration("2h"), 2h);
  EXPECT_EQ(parse_duration("9223372036s"), 9223372036s);
  for (const char* bad : {"", "5", "s", "-5s", "+5s", "5 s", " 5s", "5s ", "1.5s", "5S", "5sec",
                          "9223372037s", "99999999999999999999s", "0x5s"}) {
    EXPECT_FALSE(parse_duration(bad)) << bad;
  }
}

TEST(Units, Sizes) {
  EXPECT_EQ(parse_size("0B"), 0u);
  EXPECT_EQ(parse_size("256KiB"), 256u << 10);
  EXPECT_EQ(parse_size("1MiB"), 1u << 20);
  EXPECT_EQ(parse_size("8GiB"), std::uint64_t{8} << 30);
  for (const char* bad : {"", "1", "1K", "1KB", "1kib", "-1B", "9999999999GiB"}) {
    EXPECT_FALSE(parse_size(bad)) << bad;
  }
}

TEST(Units, AreWrittenWithTheLargestThatFits) {
  EXPECT_EQ(format_duration(500ms), "500ms");
  EXPECT_EQ(format_duration(60s), "1m");
  EXPECT_EQ(format_duration(90s), "90s");
  EXPECT_EQ(format_duration(0s), "0s");
  EXPECT_EQ(format_duration(Duration(1)), "1ns");
  EXPECT_EQ(format_size(8u << 20), "8MiB");
  EXPECT_EQ(format_size(1000), "1000B");
  EXPECT_EQ(format_size(0), "0B");
}

TEST(Units, NearestName) {
  const std::vector<std::string> known = {"name", "roles", "heartbeat", "protocol", "id"};
  EXPECT_EQ(nearest("naem", known), "name");
  EXPECT_EQ(nearest("hartbeat", known), "heartbeat");
  EXPECT_EQ(nearest("proto", known), "protocol");
  EXPECT_EQ(nearest("x", known), std::nullopt);
  EXPECT_EQ(nearest("weight", known), std::nullopt);
  EXPECT_EQ(nearest(std::string(10'000, 'n'), known), std::nullopt);
  EXPECT_EQ(nearest("name", {}), std::nullopt);
}

}  // namespace
}  // namespace migd
