#include "forwarder/http_request_parser.h"

#include <gtest/gtest.h>

#include "tests/support/sim_rng.h"

namespace migd {
namespace {

using Outcome = HttpRequestParser::Outcome;
using namespace std::string_view_literals;

constexpr std::size_t kMax = 8192;

Outcome parse(std::string_view text, std::size_t piece = kMax, std::size_t max = kMax) {
  HttpRequestParser parser(max);
  Outcome outcome = Outcome::kIncomplete;
  for (std::size_t at = 0; at < text.size() && outcome == Outcome::kIncomplete; at += piece)
    outcome = parser.feed(as_bytes(text.substr(at, piece)));
  return outcome;
}

constexpr std::string_view kRequest =
    "GET /index.html?a=b HTTP/1.1\r\nUser-Agent: x\r\nHostess: no\r\nHos: no\r\n"
    "hOsT:  example.com:80 \r\nX-Host: no\r\n\r\n";

TEST(HttpRequestParser, ReadsWhatRulesLookAt) {
  for (std::size_t piece = 1; piece <= kRequest.size(); ++piece) {
    HttpRequestParser parser(kMax);
    std::size_t at = 0;
    Outcome outcome = Outcome::kIncomplete;
    while (outcome == Outcome::kIncomplete) {
      ASSERT_LT(at, kRequest.size());
      outcome = parser.feed(as_bytes(kRequest.substr(at, piece)));
      at += piece;
      EXPECT_EQ(parser.fed_bytes(), std::min(at, kRequest.size()));
    }
    EXPECT_GE(at, kRequest.size()) << "not before the head is complete";
    EXPECT_EQ(outcome, Outcome::kRequest);
    EXPECT_EQ(parser.method(), "GET");
    EXPECT_EQ(parser.target(), "/index.html?a=b");
    EXPECT_EQ(parser.host(), "example.com:80");
  }
}

TEST(HttpRequestParser, OutcomeStays) {
  HttpRequestParser parser(kMax);
  ASSERT_EQ(parser.feed(as_bytes(kRequest)), Outcome::kRequest);
  EXPECT_EQ(parser.feed(as_bytes("\0garbage"sv)), Outcome::kRequest);
  HttpRequestParser refused(kMax);
  ASSERT_EQ(refused.feed(as_bytes("\x16\x03\x01")), Outcome::kMalformed);
  EXPECT_EQ(refused.feed(as_bytes(kRequest)), Outcome::kMalformed);
}

TEST(HttpRequestParser, OnlyTheFirstOfPipelinedRequestsCounts) {
  const std::string second = std::string(kRequest) + "DELETE /other HTTP/1.1\r\nHost: b\r\n\r\n";
  HttpRequestParser parser(kMax);
  EXPECT_EQ(parser.feed(as_bytes(second)), Outcome::kRequest);
  EXPECT_EQ(parser.method(), "GET");
  EXPECT_EQ(parser.target(), "/index.html?a=b");
  EXPECT_EQ(parser.host(), "example.com:80");
}

TEST(HttpRequestParser, BodyIsNotJudged) {
  EXPECT_EQ(parse("POST /u HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"),
            Outcome::kRequest);
  EXPECT_EQ(parse("POST /u HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nZZZ"),
            Outcome::kRequest);
  EXPECT_EQ(parse("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n\1\2"),
            Outcome::kRequest);
  EXPECT_EQ(parse("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n\x16\x03"), Outcome::kRequest);
}

TEST(HttpRequestParser, OtherFormsAreRequests) {
  EXPECT_EQ(parse("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"), Outcome::kRequest);
  EXPECT_EQ(parse("GET http://a/b HTTP/1.1\r\nHost: c\r\n\r\n"), Outcome::kRequest);
  EXPECT_EQ(parse("GET / HTTP/1.0\r\n\r\n"), Outcome::kRequest);
  EXPECT_EQ(parse("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), Outcome::kRequest)
      << "RFC 9112 2.2: at least one empty line before it is ignored";
}

TEST(HttpRequestParser, MalformedOrAmbiguousHeads) {
  constexpr std::string_view kBad[] = {
      "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  // TLS
      "SSH-2.0-OpenSSH_9.2\r\n",
      "GET / HTTP/3.7\r\nHost: a\r\n\r\n",
      "GET /\r\n\r\n",  // HTTP/0.9
      "get / HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n",
      "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n"sv,
      "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n"sv,
      "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5x\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\n",
  };
  for (const std::string_view bad : kBad)
    EXPECT_EQ(parse(bad), Outcome::kMalformed) << bad;
}

TEST(HttpRequestParser, Http2Preface) {
  constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  EXPECT_EQ(parse(kPreface), Outcome::kHttp2);
  EXPECT_EQ(parse(kPreface, 1), Outcome::kHttp2);
  EXPECT_EQ(parse(std::string(kPreface) + std::string(20, '\0')), Outcome::kHttp2);
}

TEST(HttpRequestParser, LimitIsOnTheHead) {
  const std::string head = "GET /" + std::string(500, 'a') +
                           " HTTP/1.1\r\nHost: a\r\nX: " + std::string(500, 'b') + "\r\n\r\n";
  EXPECT_EQ(parse(head, 100, head.size()), Outcome::kRequest);
  EXPECT_EQ(parse(head, 100, head.size() - 1), Outcome::kTooLarge);
  EXPECT_EQ(parse(head, head.size(), head.size() - 1), Outcome::kTooLarge);
  EXPECT_EQ(parse(head + std::string(10000, 'x'), 20000, head.size()), Outcome::kRequest)
      << "what follows it does not count";
  HttpRequestParser parser(100);
  parser.feed(as_bytes(head));
  EXPECT_LE(parser.fed_bytes(), 100u);
  EXPECT_LE(parser.target().size(), 100u);
}

TEST(HttpRequestParser, GarbageNeverCrashesHoweverItIsCut) {
  sim::SimRng rng(6);
  for (int i = 0; i < 20000; ++i) {
    std::string text(kRequest);
    for (std::uint64_t changes = rng.below(6); changes > 0; --changes) {
      const std::size_t at = rng.below(text.size());
      if (rng.chance(0.5)) {
        text[at] = static_cast<char>(rng.next());
      } else {
        text.insert(at, text.substr(rng.below(text.size()), rng.below(30)));
      }
    }
    EXPECT_EQ(parse(text), parse(text, rng.between(1, 9))) << "the pieces do not matter";
  }
}

}  // namespace
}  // namespace migd
