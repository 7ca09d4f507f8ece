// Uploads, whole and chunked, that move between every two bytes.
#include "app/upload/upload.h"

#include <gtest/gtest.h>

#include "app/upload/sha256.h"
#include "tests/app/http_text.h"

namespace migd {
namespace {

std::vector<ApplicationOptions> applications() {
  return {application("upload", ApplicationKind::kUpload)};
}

std::string put(const std::string& fields, const std::string& body) {
  return "PUT /x HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n" + body;
}

std::string put_whole(const std::string& body) {
  return put("Content-Length: " + std::to_string(body.size()) + "\r\n", body);
}

std::string text(std::size_t size) {
  std::string result;
  while (result.size() < size)
    result += std::to_string(result.size()) + " ";
  return result.substr(0, size);
}

std::string line_of(const std::string& body) {
  Sha256 hash;
  hash.update(as_bytes(body));
  return hash.hex_digest() + " " + std::to_string(body.size()) + "\n";
}

class UploadTest : public testing::Test {
 protected:
  std::vector<HttpReply> replies(const std::string& requests) {
    TwoNodes nodes(applications());
    return split_replies(text_of(exchange(nodes, "upload", requests)));
  }
  HttpReply reply(const std::string& request) {
    const auto all = replies(request);
    EXPECT_EQ(all.size(), 1u) << request;
    return all.empty() ? HttpReply() : all[0];
  }
};

TEST_F(UploadTest, AnswersWithTheHashAndTheLength) {
  const HttpReply ok = reply(put_whole("abc"));
  EXPECT_EQ(ok.status, 200);
  EXPECT_EQ(ok.content, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad 3\n");
  EXPECT_EQ(ok.field("Content-Type"), "text/plain; charset=utf-8");
  EXPECT_EQ(reply("POST / HTTP/1.1\r\nHost: h\r\n\r\n").content, line_of(""));
}

TEST_F(UploadTest, ReadsChunkedBodies) {
  const std::string chunked = "Transfer-Encoding: chunked\r\n";
  EXPECT_EQ(reply(put(chunked, "3\r\nabc\r\n0\r\n\r\n")).content, line_of("abc"));
  EXPECT_EQ(reply(put(chunked, "0\r\n\r\n")).content, line_of(""));
  EXPECT_EQ(reply(put(chunked, "1;a=b\r\na\r\n00A ;x\r\n0123456789\r\n0\r\nT: v\r\n\r\n")).content,
            line_of("a0123456789"));
}

TEST_F(UploadTest, MalformedChunksAreRefused) {
  for (const char* body :
       {"\r\n", "x\r\n", "-1\r\n", "1\na\r\n0\r\n\r\n", "1\r\nab\r\n0\r\n\r\n", "1\r\na\n0\r\n\r\n",
        "1\r\na\r\n;\r\n", "1000000000000000\r\n", "0\r\nT: v\n\r\n", "0\r\n\r", "1\r\n",
        "0x1\r\na\r\n0\r\n\r\n", "1\r\r\na\r\n0\r\n\r\n", "1 \x01\r\n"}) {
    const HttpReply no = reply(put("Transfer-Encoding: chunked\r\n", body));
    EXPECT_EQ(no.status, 400) << body;
    EXPECT_EQ(no.field("Connection"), "close");
  }
  const std::string long_text(9000, 'e');
  for (const std::string& body : {"1;" + long_text, "0\r\nT: " + long_text}) {
    EXPECT_EQ(reply(put("Transfer-Encoding: chunked\r\n", body)).status, 400);
  }
}

TEST_F(UploadTest, ABodyThatIsCutShortIsRefused) {
  EXPECT_EQ(reply(put("Content-Length: 10\r\n", "123")).status, 400);
}

TEST_F(UploadTest, OtherMethodsAreNotAllowed) {
  const HttpReply no = reply("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(no.status, 405);
  EXPECT_EQ(no.field("Allow"), "PUT, POST");
}

TEST_F(UploadTest, SeveralUploadsOnOneConnection) {
  const auto all =
      replies(put_whole("one") + put("Transfer-Encoding: chunked\r\n", "3\r\ntwo\r\n0\r\n\r\n") +
              put_whole("") + put_whole("four"));
  ASSERT_EQ(all.size(), 4u);
  EXPECT_EQ(all[0].content, line_of("one"));
  EXPECT_EQ(all[1].content, line_of("two"));
  EXPECT_EQ(all[2].content, line_of(""));
  EXPECT_EQ(all[3].content, line_of("four"));
}

TEST_F(UploadTest, ExpectContinueIsAnsweredBeforeTheBody) {
  TwoNodes nodes(applications());
  nodes.open("upload", {3, false});
  nodes.connection().client_sends(
      as_bytes(put("Content-Length: 3\r\nExpect: 100-continue\r\n", "")));
  nodes.settle();
  Bytes interim;
  for (int i = 0; i < 100; ++i) {  // the "100 Continue" moves with its connection
    append(interim, nodes.connection().client_takes(2));
    nodes.settle();
    ASSERT_TRUE(nodes.move());
  }
  EXPECT_EQ(as_text(interim), "HTTP/1.1 100 Continue\r\n\r\n");
  nodes.connection().client_sends(as_bytes("abc"));
  Bytes final;
  for (int i = 0; i < 1000; ++i) {
    nodes.settle();
    append(final, nodes.connection().client_takes(2));
  }
  EXPECT_EQ(split_replies(std::string(as_text(final))).at(0).content, line_of("abc"));
}

struct Pace {
  std::size_t send, take, buffer;
};

class MovingUploadTest : public testing::TestWithParam<std::tuple<MoveMode, Pace>> {};

TEST_P(MovingUploadTest, TheClientGetsTheSameBytes) {
  const auto [moves, pace] = GetParam();
  const std::string body = text(200);
  Script script;
  script.application = "upload";
  script.sends = to_bytes(as_bytes(
      put_whole(body) +
      put("Transfer-Encoding: chunked\r\n", "41;e=\"v\"\r\n" + body.substr(0, 65) + "\r\n5 \r\n" +
                                                body.substr(65, 5) + "\r\n000\r\nA: b\r\n\r\n") +
      put_whole("") + "POST /y HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nold" +
      "POST /y HTTP/1.0\r\nContent-Length: 3\r\n\r\nend"));
  script.send_step = pace.send;
  script.take_step = pace.take;
  script.send_buffer = pace.buffer;
  TwoNodes there(applications()), moving(applications());
  const Outcome expected = play(there, script);
  const auto replies = split_replies(text_of(expected));
  ASSERT_EQ(replies.size(), 5u);
  EXPECT_EQ(replies[0].content, line_of(body));
  EXPECT_EQ(replies[1].content, line_of(body.substr(0, 70)));
  EXPECT_EQ(replies[3].field("Connection"), "keep-alive");
  EXPECT_EQ(replies[4].content, line_of("end"));

  script.moves = moves;
  const Outcome outcome = play(moving, script);
  EXPECT_TRUE(outcome.same_for_client(expected));
  EXPECT_EQ(outcome.moves + 2 >= expected.steps, moves == MoveMode::kEveryStep);
}

INSTANTIATE_TEST_SUITE_P(
    Modes, MovingUploadTest,
    testing::Combine(testing::Values(MoveMode::kEveryStep, MoveMode::kFreezeEveryStep),
                     testing::Values(Pace{1, 1u << 16, 1u << 16}, Pace{1, 1, 1}, Pace{3, 5, 7},
                                     Pace{64, 1, 2}, Pace{1u << 16, 10, 10})),
    [](const auto& test) {
      const Pace& pace = std::get<1>(test.param);
      return to_string(std::get<0>(test.param)) + "Send" + std::to_string(pace.send) + "Take" +
             std::to_string(pace.take) + "Buffer" + std::to_string(pace.buffer);
    });

// One move, at each byte of the chunked body in turn.
TEST_F(UploadTest, AMoveAtAnyByteOfAChunkedBodyChangesNothing) {
  const std::string request = put("Transfer-Encoding: chunked\r\n",
                                  "2;x=y\r\nab\r\n10\r\n0123456789abcdef\r\n0\r\nT: u\r\n\r\n");
  Script script;
  script.application = "upload";
  script.sends = to_bytes(as_bytes(request));
  script.send_step = 1;
  script.moves = MoveMode::kOnce;
  for (std::size_t at = 0; at <= request.size(); ++at) {
    script.move_at_step = at;
    TwoNodes nodes(applications());
    const Outcome outcome = play(nodes, script);
    EXPECT_EQ(outcome.moves, 1u) << at;
    const auto replies = split_replies(text_of(outcome));
    ASSERT_EQ(replies.size(), 1u) << at;
    EXPECT_EQ(replies[0].content, line_of("ab0123456789abcdef")) << at;
  }
}

TEST_F(UploadTest, NoStateCrashesTheTarget) {
  TwoNodes nodes(applications());
  nodes.open("upload");
  nodes.connection().client_sends(
      as_bytes(put("Transfer-Encoding: chunked\r\n", "20\r\n" + text(20))));
  nodes.settle();
  const Bytes state = nodes.connection().handler()->capture_state();
  for (std::size_t i = 0; i < state.size() * 8; ++i) {
    Bytes flipped = state;
    flipped[i / 8] = static_cast<std::uint8_t>(flipped[i / 8] ^ (1u << (i % 8)));
    FakeConnection copy(nodes.connection().carried());
    if (!nodes.node(1).registry->attach(copy, "upload", flipped, true)) continue;
    copy.thaw();
    copy.client_sends(as_bytes(text(100)));
    copy.client_closes();
    copy.deliver_events();
    copy.client_takes(100'000);
    copy.deliver_events();
    if (!copy.gone()) copy.client_resets();
    copy.deliver_events();
  }
  EXPECT_EQ(nodes.node(1).registry->session_count(), 0u);
}

TEST(Sha256Test, GoesOnAfterEveryByte) {
  const std::string body = text(300);
  Sha256 hash;
  for (std::size_t i = 0; i < body.size(); ++i) {
    hash.update(as_bytes(body.substr(i, 1)));
    Bytes written;
    ByteWriter out(written);
    hash.write_state(out);
    BoundedReader in(written);
    Result<Sha256> restored = Sha256::restore(in);
    ASSERT_TRUE(restored && in.finished());
    hash = *restored;
    EXPECT_EQ(hash.length(), i + 1);
  }
  Sha256 whole;
  whole.update(as_bytes(body));
  EXPECT_EQ(hash.hex_digest(), whole.hex_digest());
}

// What travels is the same on every machine.
TEST(Sha256Test, TheStateIsBigEndian) {
  Sha256 hash;
  hash.update(as_bytes("ab"));
  Bytes written;
  ByteWriter out(written);
  hash.write_state(out);
  ASSERT_EQ(written.size(), 32u + 8 + 2);
  EXPECT_EQ(Bytes(written.begin(), written.begin() + 4), (Bytes{0x6a, 0x09, 0xe6, 0x67}));
  EXPECT_EQ(Bytes(written.begin() + 32, written.end()), (Bytes{0, 0, 0, 0, 0, 0, 0, 2, 'a', 'b'}));
}

TEST(Sha256Test, AnImpossibleLengthIsRefused) {
  Bytes state(32, 0);
  ByteWriter out(state);
  out.u64(UINT64_MAX);
  out.bytes(Bytes(63, 0));
  BoundedReader in(state);
  EXPECT_FALSE(Sha256::restore(in));
}

}  // namespace
}  // namespace migd
