#include "cli/admin/http_message.h"

#include <gtest/gtest.h>

namespace migd {
namespace {

using Verdict = HttpParser::Verdict;

constexpr std::string_view kGet = "GET /v1/status HTTP/1.1\r\nHost: migd\r\n\r\n";
constexpr std::string_view kPost =
    "POST /v1/migrate HTTP/1.1\r\nHost: migd\r\nContent-Length: 5\r\n\r\nhello";

TEST(HttpParser, ARequestInOnePiece) {
  HttpParser parser(HttpParser::Kind::kRequest);
  const auto progress = parser.input(kPost);
  EXPECT_EQ(progress.verdict, Verdict::kComplete);
  EXPECT_EQ(progress.consumed, kPost.size());
  EXPECT_EQ(parser.method(), "POST");
  EXPECT_EQ(parser.target(), "/v1/migrate");
  EXPECT_EQ(parser.body(), "hello");
  EXPECT_TRUE(parser.keep_alive());
}

TEST(HttpParser, ARequestByteByByte) {
  HttpParser parser(HttpParser::Kind::kRequest);
  for (std::size_t i = 0; i + 1 < kPost.size(); ++i) {
    ASSERT_EQ(parser.input(kPost.substr(i, 1)).verdict, Verdict::kMore) << i;
  }
  EXPECT_EQ(parser.input(kPost.substr(kPost.size() - 1)).verdict, Verdict::kComplete);
  EXPECT_EQ(parser.body(), "hello");
}

TEST(HttpParser, LeavesTheNextRequestAlone) {
  HttpParser parser(HttpParser::Kind::kRequest);
  std::string bytes = std::string(kPost) + std::string(kGet);
  auto progress = parser.input(bytes);
  EXPECT_EQ(progress.verdict, Verdict::kComplete);
  EXPECT_EQ(progress.consumed, kPost.size());
  parser.reset();
  progress = parser.input(std::string_view(bytes).substr(progress.consumed));
  EXPECT_EQ(progress.verdict, Verdict::kComplete);
  EXPECT_EQ(progress.consumed, kGet.size());
  EXPECT_EQ(parser.target(), "/v1/status");
  EXPECT_EQ(parser.body(), "");
}

TEST(HttpParser, AChunkedRequest) {
  HttpParser parser(HttpParser::Kind::kRequest);
  EXPECT_EQ(parser
                .input("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
                       "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n")
                .verdict,
            Verdict::kComplete);
  EXPECT_EQ(parser.body(), "hello");
}

TEST(HttpParser, ConnectionCloseIsHeard) {
  HttpParser parser(HttpParser::Kind::kRequest);
  EXPECT_EQ(parser.input("GET / HTTP/1.1\r\nConnection: close\r\n\r\n").verdict,
            Verdict::kComplete);
  EXPECT_FALSE(parser.keep_alive());
}

TEST(HttpParser, GarbageIsRefused) {
  for (const std::string_view bytes :
       {std::string_view("hello\r\n\r\n"), std::string_view("\x16\x03\x01\x02\x00", 5),
        std::string_view("GET /\r\n\r\n"), std::string_view("GET / HTTP/9.9\r\n\r\n"),
        std::string_view("GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n"),
        std::string_view("GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
        std::string_view("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        std::string_view("GET / HTTP/1.1\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n\x01", 58)}) {
    HttpParser parser(HttpParser::Kind::kRequest);
    EXPECT_NE(parser.input(bytes).verdict, Verdict::kMore) << bytes;
    EXPECT_FALSE(parser.begun() && parser.input(bytes).verdict == Verdict::kMore) << bytes;
  }
}

TEST(HttpParser, EachPartHasItsLimit) {
  const std::string lots(100'000, 'x');
  HttpParser target(HttpParser::Kind::kRequest);
  EXPECT_EQ(target.input("GET /" + lots).verdict, Verdict::kTargetTooLong);
  HttpParser header(HttpParser::Kind::kRequest);
  EXPECT_EQ(header.input("GET / HTTP/1.1\r\nA: " + lots).verdict, Verdict::kHeaderTooLarge);
  HttpParser body(HttpParser::Kind::kRequest);
  EXPECT_EQ(body.input("POST / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n" + lots).verdict,
            Verdict::kBodyTooLarge);
  HttpParser chunks(HttpParser::Kind::kRequest);
  EXPECT_EQ(
      chunks.input("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n186a0\r\n" + lots).verdict,
      Verdict::kBodyTooLarge);
}

TEST(HttpParser, EndlessEmptyLinesAreRefused) {
  HttpParser parser(HttpParser::Kind::kRequest);
  const std::string lines(4096, '\n');
  Verdict verdict = Verdict::kMore;
  for (int i = 0; i < 1000 && verdict == Verdict::kMore; ++i)
    verdict = parser.input(lines).verdict;
  EXPECT_NE(verdict, Verdict::kMore);
}

TEST(HttpParser, AResponseThatEndsWithTheStream) {
  HttpParser parser(HttpParser::Kind::kResponse);
  EXPECT_EQ(parser.input("HTTP/1.1 200 OK\r\n\r\nsome").verdict, Verdict::kMore);
  EXPECT_TRUE(parser.head_complete());
  EXPECT_EQ(parser.status(), 200);
  EXPECT_TRUE(parser.finish());
  EXPECT_EQ(parser.body(), "some");
}

TEST(HttpParser, AResponseThatIsCutOff) {
  HttpParser parser(HttpParser::Kind::kResponse);
  EXPECT_EQ(parser.input("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsome").verdict,
            Verdict::kMore);
  EXPECT_FALSE(parser.finish());
}

}  // namespace
}  // namespace migd
