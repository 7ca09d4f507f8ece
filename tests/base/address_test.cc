#include "base/address.h"

#include <gtest/gtest.h>

namespace migd {
namespace {

IpAddress ip(const char* text) {
  return *IpAddress::parse(text);
}

TEST(IpAddress, ParsesAndPrints) {
  for (const char* text : {"0.0.0.0", "10.77.0.1", "255.255.255.255", "::", "::1", "fd77::1",
                           "fd77:0:0:200::b", "::ffff:10.77.0.1"}) {
    const auto address = IpAddress::parse(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->to_string(), text);
    EXPECT_EQ(IpAddress::from_bytes(address->bytes()), *address);
  }
}

TEST(IpAddress, RefusesWhatIsNone) {
  for (const char* text : {"", "10.77.0", "10.77.0.256", "10.77.0.1 ", "fd77::1::2", "fe80::1%eth0",
                           "host", "0x0a.0.0.1", "[::1]", "10.77.0.1/24"}) {
    const auto address = IpAddress::parse(text);
    ASSERT_FALSE(address) << text;
    EXPECT_EQ(address.error().code, ErrorCode::kInvalidArgument);
  }
  EXPECT_FALSE(IpAddress::parse(std::string_view("10.77.0.1\0x", 11)))
      << "what follows a zero byte counts too";
}

TEST(IpAddress, FamiliesDiffer) {
  EXPECT_TRUE(IpAddress().is_v4());
  EXPECT_TRUE(IpAddress().is_unspecified());
  EXPECT_TRUE(ip("::").is_unspecified());
  EXPECT_NE(IpAddress(), ip("::"));
  EXPECT_EQ(ip("10.77.0.1").bytes().size(), 4u);
  EXPECT_EQ(ip("fd77::1").bytes().size(), 16u);
  EXPECT_EQ(IpAddress::v4(0x0a4d0001), ip("10.77.0.1"));
  EXPECT_EQ(ip("10.77.0.1").v4_host_order(), 0x0a4d0001u);
  EXPECT_LT(ip("10.77.0.1"), ip("10.77.0.2"));
}

TEST(IpAddressDeathTest, ProgrammingErrors) {
  EXPECT_DEATH(IpAddress::from_bytes(Bytes(5)), "check failed");
  EXPECT_DEATH(ip("::1").v4_host_order(), "check failed");
}

TEST(Endpoint, ParsesAndPrints) {
  for (const char* text : {"10.77.0.1:80", "[fd77::1]:65535", "0.0.0.0:0", "[::]:1"}) {
    const auto endpoint = Endpoint::parse(text);
    ASSERT_TRUE(endpoint) << text;
    EXPECT_EQ(endpoint->to_string(), text);
  }
}

TEST(Endpoint, RefusesWhatIsNone) {
  for (const char* text :
       {"", ":", ":80", "10.77.0.1", "10.77.0.1:", "10.77.0.1:65536", "10.77.0.1:-1",
        "10.77.0.1:+1", "10.77.0.1: 1", "10.77.0.1:8o", "fd77::1:80", "[10.77.0.1]:80", "[fd77::1]",
        "[]:1", "[fd77::1:80", "host:80"}) {
    EXPECT_FALSE(Endpoint::parse(text)) << text;
  }
}

TEST(FourTuple, Prints) {
  const FourTuple tuple{{ip("10.77.100.1"), 80}, {ip("10.77.0.9"), 40'000}};
  EXPECT_EQ(tuple.to_string(), "10.77.0.9:40000 -> 10.77.100.1:80");
}

TEST(WireForm, FourTupleIsFamilyThenBothEnds) {
  Bytes bytes;
  ByteWriter out(bytes);
  write_four_tuple(out, {{ip("10.77.100.1"), 80}, {ip("10.77.0.9"), 0x9c40}});
  EXPECT_EQ(bytes, (Bytes{4, 10, 77, 100, 1, 0, 80, 10, 77, 0, 9, 0x9c, 0x40}));
}

TEST(WireForm, RoundTripsAndRefusesEveryTruncation) {
  for (const FourTuple& tuple : {FourTuple{{ip("10.77.100.1"), 80}, {ip("10.77.0.9"), 40'000}},
                                 FourTuple{{ip("fd77:0:0:100::1"), 443}, {ip("fd77::9"), 1}}}) {
    Bytes bytes;
    ByteWriter out(bytes);
    write_four_tuple(out, tuple);
    BoundedReader in(bytes);
    const auto read = read_four_tuple(in);
    ASSERT_TRUE(read);
    EXPECT_EQ(*read, tuple);
    EXPECT_TRUE(in.finished());
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      BoundedReader truncated(ByteView(bytes).first(size));
      const auto refused = read_four_tuple(truncated);
      ASSERT_FALSE(refused) << size;
      EXPECT_EQ(refused.error().code, ErrorCode::kProtocol);
    }
  }
}

TEST(WireForm, RefusesUnknownFamilies) {
  for (const int family : {0, 5, 7, 255}) {
    Bytes bytes(40, static_cast<std::uint8_t>(family));
    BoundedReader in(bytes);
    EXPECT_FALSE(read_address(in)) << family;
  }
}

TEST(WireFormDeathTest, MixedFamiliesAreAProgrammingError) {
  Bytes bytes;
  ByteWriter out(bytes);
  EXPECT_DEATH(write_four_tuple(out, {{ip("10.77.0.1"), 1}, {ip("fd77::1"), 2}}), "check failed");
}

}  // namespace
}  // namespace migd
