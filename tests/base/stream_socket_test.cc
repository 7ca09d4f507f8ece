#include "base/stream_socket.h"

#include <gtest/gtest.h>

namespace migd {
namespace {

TEST(StreamAddress, ParsesAndPrints) {
  for (const char* text : {"tcp:127.0.0.1:80", "tcp:[::1]:8080", "tcp:localhost:0",
                           "unix:/run/app.sock", "unix:relative:with:colons"}) {
    const auto address = StreamAddress::parse(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->to_string(), text);
  }
  const auto v6 = StreamAddress::parse("tcp:[::1]:8080");
  EXPECT_EQ(v6->host_or_path, "::1");
  EXPECT_EQ(v6->port, 8080);
  EXPECT_EQ(v6->kind, StreamAddress::Kind::kTcp);
}

TEST(StreamAddress, RefusesOtherText) {
  for (const std::string& text :
       {std::string(), std::string("127.0.0.1:80"), std::string("tcp:"), std::string("tcp:host"),
        std::string("tcp::80"), std::string("tcp:host:"), std::string("tcp:host:65536"),
        std::string("tcp:host:8x"), std::string("tcp:::1:80"), std::string("tcp:[]:80"),
        std::string("tcp:[::1:80"), std::string("unix:"), "unix:/" + std::string(107, 'a'),
        std::string("http://host")}) {
    const auto address = StreamAddress::parse(text);
    ASSERT_FALSE(address) << text;
    EXPECT_EQ(address.error().code, ErrorCode::kInvalidArgument);
  }
  EXPECT_TRUE(StreamAddress::parse("unix:/" + std::string(106, 'a')));
}

}  // namespace
}  // namespace migd
