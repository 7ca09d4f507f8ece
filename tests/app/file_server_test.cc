// The static file server on files in memory: requests good and bad, and connections that move.
#include "app/files/file_server.h"

#include <gtest/gtest.h>

#include "tests/app/http_text.h"

namespace migd {
namespace {

constexpr std::int64_t kModified = 1'600'000'000;  // Sun, 13 Sep 2020 12:26:40 GMT
constexpr char kModifiedText[] = "Sun, 13 Sep 2020 12:26:40 GMT";

Bytes pattern(std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i)
    bytes[i] = static_cast<std::uint8_t>(i % 251);
  return bytes;
}

void add_files(MemoryFileStore& files) {
  const auto text = [](const char* t) { return to_bytes(as_bytes(t)); };
  files.add("/srv/index.html", text("<p>root</p>"), kModified * 1'000'000'000);
  files.add("/srv/a.txt", text("0123456789"), kModified * 1'000'000'000);
  files.add("/srv/empty.css", {}, kModified * 1'000'000'000);
  files.add("/srv/sub/index.html", text("sub"), kModified * 1'000'000'000);
  files.add("/srv/bare/x.bin", text("x"), kModified * 1'000'000'000);
  files.add("/srv/a b&c/f", text("odd"), kModified * 1'000'000'000);
  files.add("/srv/big.bin", pattern(300'000), kModified * 1'000'000'000);
  files.add("/srv/small.bin", pattern(700), kModified * 1'000'000'000);
  files.add("/secret", text("secret"), 0);
}

std::vector<ApplicationOptions> applications() {
  ApplicationOptions files = application("files", ApplicationKind::kFiles);
  files.root = "/srv";
  return {files};
}

std::string get(const std::string& target, const std::string& fields = "") {
  return "GET " + target + " HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n";
}

class FileServerTest : public testing::Test {
 protected:
  // The only reply to `request`.
  HttpReply reply(const std::string& request, bool head_only = false) {
    TwoNodes nodes(applications(), add_files);
    const Outcome outcome = exchange(nodes, "files", request);
    const auto replies = split_replies(text_of(outcome), {head_only});
    EXPECT_EQ(replies.size(), 1u) << request << "\n-> " << text_of(outcome);
    EXPECT_TRUE(outcome.fin) << request;
    return replies.empty() ? HttpReply() : replies[0];
  }
};

TEST_F(FileServerTest, ServesAFile) {
  const HttpReply ok = reply(get("/a.txt"));
  EXPECT_EQ(ok.status, 200);
  EXPECT_EQ(ok.content, "0123456789");
  EXPECT_EQ(ok.field("Content-Type"), "text/plain; charset=utf-8");
  EXPECT_EQ(ok.field("Last-Modified"), kModifiedText);
  EXPECT_EQ(ok.field("Date"), "Tue, 14 Nov 2023 22:13:20 GMT");
  EXPECT_EQ(ok.field("Accept-Ranges"), "bytes");
  EXPECT_EQ(ok.field("ETag"), "\"a-16345785d8a00000\"");
  EXPECT_EQ(ok.field("Connection"), "");
}

TEST_F(FileServerTest, HeadSaysTheSameWithoutTheContent) {
  const HttpReply head = reply("HEAD /a.txt HTTP/1.1\r\nHost: h\r\n\r\n", true);
  const HttpReply full = reply(get("/a.txt"));
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.fields, full.fields);
}

TEST_F(FileServerTest, FoldersHaveAnIndex) {
  EXPECT_EQ(reply(get("/")).content, "<p>root</p>");
  EXPECT_EQ(reply(get("/sub/")).content, "sub");
  EXPECT_EQ(reply(get("/sub")).status, 301);
  EXPECT_EQ(reply(get("/sub")).field("Location"), "/sub/");
  EXPECT_EQ(reply(get("//a%20b&c")).field("Location"), "/a%20b&c/");
  EXPECT_EQ(reply(get("/bare/")).status, 404);
  EXPECT_EQ(reply(get("/a.txt/")).status, 404);
}

TEST_F(FileServerTest, Ranges) {
  const auto range = [&](const std::string& value) {
    return reply(get("/a.txt", "Range: " + value + "\r\n"));
  };
  EXPECT_EQ(range("bytes=2-4").status, 206);
  EXPECT_EQ(range("bytes=2-4").content, "234");
  EXPECT_EQ(range("bytes=2-4").field("Content-Range"), "bytes 2-4/10");
  EXPECT_EQ(range("bytes=7-").content, "789");
  EXPECT_EQ(range("bytes=-3").content, "789");
  EXPECT_EQ(range("bytes=-99").content, "0123456789");
  EXPECT_EQ(range("bytes=5-99").field("Content-Range"), "bytes 5-9/10");
  EXPECT_EQ(range("bytes=10-").status, 416);
  EXPECT_EQ(range("bytes=10-").field("Content-Range"), "bytes */10");
  EXPECT_EQ(range("bytes=-0").status, 416);
  for (const char* ignored : {"bytes=4-2", "bytes=a-b", "bytes=0-1,3-4", "lines=1-2",
                              "bytes=", "bytes=-", "2-4", "bytes=99999999999999999999-"}) {
    EXPECT_EQ(range(ignored).status, 200) << ignored;
  }
  EXPECT_EQ(reply(get("/empty.css", "Range: bytes=0-\r\n")).status, 416);
}

TEST_F(FileServerTest, ConditionalRequests) {
  const std::string tag = reply(get("/a.txt")).field("ETag");
  const auto status = [&](const std::string& fields) {
    return reply(get("/a.txt", fields + "\r\n")).status;
  };
  EXPECT_EQ(status("If-None-Match: " + tag), 304);
  EXPECT_EQ(status("If-None-Match: \"x\", W/" + tag), 304);
  EXPECT_EQ(status("If-None-Match: *"), 304);
  EXPECT_EQ(status("If-None-Match: \"x\""), 200);
  EXPECT_EQ(status(std::string("If-Modified-Since: ") + kModifiedText), 304);
  EXPECT_EQ(status("If-Modified-Since: Sunday, 13-Sep-20 12:26:40 GMT"), 304);
  EXPECT_EQ(status("If-Modified-Since: Sun Sep 13 12:26:40 2020"), 304);
  EXPECT_EQ(status("If-Modified-Since: Sun, 13 Sep 2020 12:26:39 GMT"), 200);
  EXPECT_EQ(status("If-Modified-Since: yesterday"), 200);
  EXPECT_EQ(status("If-None-Match: \"x\"\r\nIf-Modified-Since: " + std::string(kModifiedText)),
            200);
  EXPECT_EQ(status("If-Match: " + tag), 200);
  EXPECT_EQ(status("If-Match: \"x\""), 412);
  EXPECT_EQ(status("If-Unmodified-Since: Sun, 13 Sep 2020 12:26:39 GMT"), 412);
  EXPECT_EQ(status("Range: bytes=0-1\r\nIf-Range: " + tag), 206);
  EXPECT_EQ(status("Range: bytes=0-1\r\nIf-Range: \"x\""), 200);
  EXPECT_EQ(status("Range: bytes=0-1\r\nIf-Range: " + std::string(kModifiedText)), 206);
}

TEST_F(FileServerTest, TheConnectionStaysOrEndsAsAsked) {
  const auto connection = [&](const std::string& version, const std::string& fields) {
    return reply("GET /a.txt " + version + "\r\nHost: h\r\n" + fields + "\r\n").field("Connection");
  };
  EXPECT_EQ(connection("HTTP/1.1", ""), "");
  EXPECT_EQ(connection("HTTP/1.1", "Connection: close\r\n"), "close");
  EXPECT_EQ(connection("HTTP/1.0", ""), "close");
  EXPECT_EQ(connection("HTTP/1.0", "Connection: keep-alive\r\n"), "keep-alive");
  EXPECT_EQ(reply("GET /a.txt HTTP/1.0\r\n\r\n").status, 200);  // HTTP/1.0 needs no Host
}

TEST_F(FileServerTest, ClosesAfterConnectionCloseWithoutAReset) {
  TwoNodes nodes(applications(), add_files);
  nodes.open("files");
  nodes.connection().client_sends(as_bytes(get("/a.txt", "Connection: close\r\n") + "more"));
  nodes.settle();
  nodes.connection().client_takes(10'000);
  EXPECT_TRUE(nodes.connection().client_sees_fin());
  EXPECT_FALSE(nodes.gone());  // it waits for the client, and reads what still comes
  nodes.connection().client_sends(as_bytes("and more"));
  nodes.settle();
  EXPECT_EQ(nodes.connection().readable(), 0u);
  nodes.connection().client_closes();
  nodes.settle();
  EXPECT_TRUE(nodes.gone());
}

TEST_F(FileServerTest, PipelinedRequestsAreAnsweredInOrder) {
  TwoNodes nodes(applications(), add_files);
  const Outcome outcome =
      exchange(nodes, "files",
               get("/a.txt") + "HEAD /sub/ HTTP/1.1\r\nHost: h\r\n\r\n" + get("/none") + get("/") +
                   get("/sub/", "Connection: close\r\n") + get("/a.txt"));
  const auto replies = split_replies(text_of(outcome), {false, true});
  ASSERT_EQ(replies.size(), 5u);
  EXPECT_EQ(replies[0].content, "0123456789");
  EXPECT_EQ(replies[1].field("Content-Length"), "3");
  EXPECT_EQ(replies[2].status, 404);
  EXPECT_EQ(replies[3].content, "<p>root</p>");
  EXPECT_EQ(replies[4].content, "sub");
}

TEST_F(FileServerTest, ABodyOnGetIsReadAndForgotten) {
  TwoNodes nodes(applications(), add_files);
  const Outcome outcome = exchange(
      nodes, "files", get("/a.txt", "Content-Length: 14\r\n") + "GET /hidden HT" + get("/sub/"));
  const auto replies = split_replies(text_of(outcome));
  ASSERT_EQ(replies.size(), 2u);
  EXPECT_EQ(replies[0].content, "0123456789");
  EXPECT_EQ(replies[1].content, "sub");
}

TEST_F(FileServerTest, ABodyThatIsLargeChunkedOrAwaitsALeaveEndsTheConnection) {
  for (const char* fields : {"Content-Length: 70000\r\n", "Transfer-Encoding: chunked\r\n",
                             "Content-Length: 5\r\nExpect: 100-continue\r\n"}) {
    TwoNodes nodes(applications(), add_files);
    const Outcome outcome = exchange(nodes, "files", get("/a.txt", fields) + get("/sub/"));
    const auto replies = split_replies(text_of(outcome));
    ASSERT_EQ(replies.size(), 1u) << fields;
    EXPECT_EQ(replies[0].field("Connection"), "close");
  }
}

TEST_F(FileServerTest, OtherMethodsAreNotAllowed) {
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "PROPFIND"}) {
    const HttpReply no = reply(std::string(method) + " /a.txt HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_EQ(no.status, 405) << method;
    EXPECT_EQ(no.field("Allow"), "GET, HEAD");
  }
}

struct Nasty {
  std::string request;
  int status;
};

TEST_F(FileServerTest, NastyRequestsAreRefusedByTheRightStatus) {
  const std::string nul(1, '\0');
  const std::string host = "Host: h\r\n";
  const auto with = [&](const std::string& f) { return "GET / HTTP/1.1\r\n" + host + f + "\r\n"; };
  std::string many_fields;
  for (int i = 0; i < 101; ++i)
    many_fields += "X: y\r\n";
  const std::vector<Nasty> table{
      // targets
      {get("/../secret"), 403},
      {get("/%2e%2e/secret"), 403},
      {get("/sub/%2E%2E/a.txt"), 403},
      {get("/.%2e/.%2e/etc/passwd"), 403},
      {get("/..%2fsecret"), 400},
      {get("/sub%2findex.html"), 400},
      {get("/a.txt%00.html"), 400},
      {get("/a%0d%0aX:y"), 400},
      {get("/%"), 400},
      {get("/%4"), 400},
      {get("/%zz"), 400},
      {get("/a.txt#top"), 400},
      {get("*"), 400},
      {get("a.txt"), 400},
      {get("ftp://h/a.txt"), 400},
      {get("/" + std::string(9000, 'a')), 414},
      {get("/" + std::string(5000, 'a')), 414},
      {get("/none"), 404},
      // heads
      {with("A: " + std::string(20'000, 'b') + "\r\n"), 431},
      {with(many_fields), 431},
      {with("A b: c\r\n"), 400},
      {with(": c\r\n"), 400},
      {with("A : c\r\n"), 400},
      {with("A\r\n"), 400},
      {with(" A: c\r\n"), 400},
      {with("A: b\r\n c\r\n"), 400},
      {with("A: b\nC: d\r\n"), 400},
      {with("A: b\rC: d\r\n"), 400},
      {with("A: b" + nul + "\r\n"), 400},
      {with("A: b\x01\r\n"), 400},
      {with(host), 400},
      {"GET / HTTP/1.1\r\n\r\n", 400},
      {"GET / HTTP/1.1\nHost: h\n\n", 400},
      {"GET  / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"GET /  HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"GET /\r\n\r\n", 400},
      {"GET / HTTP/0.9\r\nHost: h\r\n\r\n", 505},
      {"GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505},
      {"GET / HTTP/3.7\r\nHost: h\r\n\r\n", 505},
      {"GET / HTTP/1.2\r\nHost: h\r\n\r\n", 505},
      {"GET / HTTP/x\r\nHost: h\r\n\r\n", 400},
      {"GET / RTSP/1.0\r\nHost: h\r\n\r\n", 400},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"BREW / HTTP/1.1\r\nHost: h\r\n\r\n", 501},
      {"get / HTTP/1.1\r\nHost: h\r\n\r\n", 501},
      {"\x16\x03\x01\x02\x00\x01", 400},
      {std::string(20, '\0'), 400},
      {"CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n", 405},
      // framing
      {with("Content-Length: 5\r\nContent-Length: 6\r\n"), 400},
      {with("Content-Length: 5\r\nContent-Length: 5\r\n"), 400},
      {with("Content-Length: +5\r\n"), 400},
      {with("Content-Length: -5\r\n"), 400},
      {with("Content-Length: 5, 5\r\n"), 400},
      {with("Content-Length: 0x5\r\n"), 400},
      {with("Content-Length: \r\n"), 400},
      {with("Content-Length: 99999999999999999999\r\n"), 400},
      {with("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), 400},
      {with("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), 400},
      {with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400},
      {with("Transfer-Encoding: gzip\r\n"), 501},
      {with("Transfer-Encoding: gzip, chunked\r\n"), 501},
      {with("Transfer-Encoding: xchunked\r\n"), 501},
      {with("Transfer-Encoding: chunked, gzip\r\n"), 400},
      {"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {with("Expect: a miracle\r\n"), 417},
  };
  for (const Nasty& nasty : table) {
    const HttpReply no = reply(nasty.request);
    EXPECT_EQ(no.status, nasty.status) << nasty.request.substr(0, 200);
    EXPECT_EQ(no.content.find("secret"), std::string::npos);
  }
}

TEST_F(FileServerTest, OddButGoodRequestsAreServed) {
  EXPECT_EQ(reply("\r\n" + get("/a.txt")).status, 200);
  EXPECT_EQ(reply(get("http://elsewhere/a.txt")).content, "0123456789");
  EXPECT_EQ(reply(get("HTTP://elsewhere")).content, "<p>root</p>");
  EXPECT_EQ(reply(get("http://elsewhere?q")).content, "<p>root</p>");
  EXPECT_EQ(reply(get("/a.txt?x=/../..")).content, "0123456789");
  EXPECT_EQ(reply(get("/./sub//./index.html")).content, "sub");
  EXPECT_EQ(reply(get("/%61.txt")).content, "0123456789");
  EXPECT_EQ(reply(get("/a%20b&c/f")).content, "odd");
  EXPECT_EQ(reply(get("/empty.css")).field("Content-Length"), "0");
  EXPECT_EQ(reply(get("/a.txt", "Upgrade: h2c\r\nConnection: Upgrade\r\n")).status, 200);
}

TEST_F(FileServerTest, ATruncatedHeadIsForgotten) {
  TwoNodes nodes(applications(), add_files);
  const Outcome outcome = exchange(nodes, "files", "GET / HTTP/1.1\r\nHos");
  EXPECT_TRUE(outcome.received.empty());
  EXPECT_TRUE(outcome.fin);
}

// ---- connections that move ----

struct Pace {
  std::size_t send, take, buffer;
};

class MovingFileServerTest : public testing::TestWithParam<std::tuple<MoveMode, Pace>> {
 protected:
  Script script(const std::string& sends) {
    const auto [moves, pace] = GetParam();
    Script script;
    script.application = "files";
    script.sends = to_bytes(as_bytes(sends));
    script.send_step = pace.send;
    script.take_step = pace.take;
    script.send_buffer = pace.buffer;
    script.moves = moves;
    return script;
  }
};

TEST_P(MovingFileServerTest, TheClientGetsTheSameBytes) {
  const std::string requests = get("/small.bin") + "\r\n" + get("/a.txt", "Content-Length: 9\r\n") +
                               "123456789" + get("/small.bin", "Range: bytes=600-\r\n") +
                               get("/sub") + "HEAD /small.bin HTTP/1.1\r\nHost: h\r\n\r\n" +
                               "GET /sub/ HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" +
                               get("/../x") + get("/", "Connection: close\r\n") + "ignored";
  Script still = script(requests);
  still.moves = MoveMode::kStay;
  TwoNodes there(applications(), add_files), moving(applications(), add_files);
  const Outcome expected = play(there, still);
  const auto replies =
      split_replies(text_of(expected), {false, false, false, false, true, false, false, false});
  ASSERT_EQ(replies.size(), 8u);
  EXPECT_EQ(to_bytes(as_bytes(replies[0].content)), pattern(700));
  EXPECT_EQ(replies[7].content, "<p>root</p>");

  const Outcome outcome = play(moving, script(requests));
  EXPECT_TRUE(outcome.same_for_client(expected));
  EXPECT_EQ(outcome.moves + 2 >= expected.steps, std::get<0>(GetParam()) == MoveMode::kEveryStep);
  EXPECT_EQ(moving.node(0).registry->session_count() + moving.node(1).registry->session_count(),
            0u);
}

INSTANTIATE_TEST_SUITE_P(Modes, MovingFileServerTest,
                         testing::Combine(testing::Values(MoveMode::kStay, MoveMode::kEveryStep,
                                                          MoveMode::kFreezeEveryStep),
                                          testing::Values(Pace{1u << 16, 1u << 16, 1u << 20},
                                                          Pace{1, 1, 1}, Pace{1, 100, 1000},
                                                          Pace{7, 50, 200}, Pace{1000, 1, 3})),
                         [](const auto& test) {
                           const Pace& pace = std::get<1>(test.param);
                           return to_string(std::get<0>(test.param)) + "Send" +
                                  std::to_string(pace.send) + "Take" + std::to_string(pace.take) +
                                  "Buffer" + std::to_string(pace.buffer);
                         });

TEST_F(FileServerTest, ALargeFileMovesManyTimesInItsBody) {
  TwoNodes nodes(applications(), add_files);
  Script script;
  script.application = "files";
  script.sends = to_bytes(as_bytes(get("/big.bin")));
  script.take_step = 4096;
  script.send_buffer = 10'000;
  script.moves = MoveMode::kEveryStep;
  const Outcome outcome = play(nodes, script);
  const auto replies = split_replies(text_of(outcome));
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_EQ(to_bytes(as_bytes(replies[0].content)), pattern(300'000));
  EXPECT_GT(outcome.moves, 50u);
}

class RefusedMoveTest : public FileServerTest {
 protected:
  // Begins a download and moves it after `prepare` has changed the files of the target.
  std::string refusal(const std::function<void(MemoryFileStore&)>& prepare) {
    TwoNodes nodes(applications(), add_files);
    nodes.open("files", {1000, false});
    nodes.connection().client_sends(as_bytes(get("/big.bin")));
    nodes.settle();
    prepare(nodes.node(1).files);
    const Result<void> moved = nodes.move();
    EXPECT_EQ(nodes.node(1).registry->session_count(), 0u);
    if (moved) return "";

    Bytes received;  // it goes on at the source
    for (int i = 0; i < 1000; ++i) {
      append(received, nodes.connection().client_takes(1000));
      nodes.settle();
    }
    const auto replies = split_replies(std::string(as_text(received)));
    EXPECT_TRUE(replies.size() == 1 && to_bytes(as_bytes(replies[0].content)) == pattern(300'000));
    return moved.error().text;
  }
};

TEST_F(RefusedMoveTest, AFileThatIsMissingOrDifferentAtTheTargetRefusesTheMove) {
  EXPECT_EQ(refusal([](MemoryFileStore& files) { files.remove("/srv/big.bin"); }),
            "file 'big.bin' is not found here");
  EXPECT_EQ(refusal([](MemoryFileStore& files) {
              files.add("/srv/big.bin", pattern(300'000), kModified * 1'000'000'000 + 1);
            }),
            "file 'big.bin' is another version here");
  EXPECT_EQ(refusal([](MemoryFileStore& files) {
              files.add("/srv/big.bin", pattern(299'999), kModified * 1'000'000'000);
            }),
            "file 'big.bin' is another version here");
}

TEST_F(RefusedMoveTest, BetweenRequestsTheFilesOfTheTargetDoNotMatter) {
  TwoNodes nodes(applications(), add_files);
  nodes.open("files");
  nodes.connection().client_sends(as_bytes(get("/a.txt")));
  nodes.settle();
  nodes.node(1).files.remove("/srv/a.txt");
  ASSERT_TRUE(nodes.move());
  nodes.connection().client_sends(as_bytes(get("/a.txt")));
  nodes.settle();
  const Bytes received = nodes.connection().client_takes(100'000);
  const auto replies = split_replies(std::string(as_text(received)));
  ASSERT_EQ(replies.size(), 2u);
  EXPECT_EQ(replies[0].status, 200);
  EXPECT_EQ(replies[1].status, 404);
}

TEST_F(FileServerTest, EveryStateThatIsCutShortOrLengthenedIsRefused) {
  TwoNodes nodes(applications(), add_files);
  nodes.open("files", {1000, false});
  nodes.connection().client_sends(as_bytes(get("/big.bin")));
  nodes.settle();
  Bytes state = nodes.connection().handler()->capture_state();
  for (std::size_t size = 1; size < state.size(); ++size) {
    FakeConnection copy(nodes.connection().carried());
    EXPECT_FALSE(nodes.node(1).registry->attach(copy, "files", ByteView(state).first(size), true));
  }
  state.push_back(0);
  FakeConnection copy(nodes.connection().carried());
  EXPECT_FALSE(nodes.node(1).registry->attach(copy, "files", state, true));
}

TEST_F(FileServerTest, NoStateCrashesTheTarget) {
  TwoNodes nodes(applications(), add_files);
  nodes.open("files", {1000, false});
  nodes.connection().client_sends(as_bytes(get("/big.bin")));
  nodes.settle();
  const Bytes state = nodes.connection().handler()->capture_state();
  for (std::size_t i = 0; i < state.size() * 8; ++i) {
    Bytes flipped = state;
    flipped[i / 8] = static_cast<std::uint8_t>(flipped[i / 8] ^ (1u << (i % 8)));
    FakeConnection copy(nodes.connection().carried());
    if (!nodes.node(1).registry->attach(copy, "files", flipped, true)) continue;
    copy.thaw();
    for (int step = 0; step < 10 && !copy.gone(); ++step) {
      copy.deliver_events();
      copy.client_takes(1000);
    }
    if (copy.gone()) continue;
    copy.client_resets();
    copy.deliver_events();
  }
  EXPECT_EQ(nodes.node(1).registry->session_count(), 0u);
}

}  // namespace
}  // namespace migd
