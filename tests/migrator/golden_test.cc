// The blob and the messages of a migration against the vectors in tests/golden/, which scapy made
// (tests/scapy). Both sides write them from the values of the fields, and take them apart.
#include <gtest/gtest.h>

#include <array>
#include <string>

#include "migrator/blob.h"
#include "tests/support/golden.h"
#include "tests/support/sample_messages.h"

namespace migd {
namespace {

using test::golden;

// By number: a kind that is inserted in the middle, or renumbered, is found here too.
constexpr std::array<const char*, 20> kNames = {
    "state",        "ready",   "refuse",        "grant", "active", "abort",   "barrier",
    "map",          "unmap",   "lease_request", "lease", "locate", "located", "order",
    "order_result", "prepare", "promise",       "trace", "traced", "moved"};

TEST(MigrationGolden, EveryMessageIsWrittenAndReadAsItsVector) {
  const std::vector<wire::Message> samples = testing::sample_messages();
  ASSERT_EQ(samples.size(), kNames.size());
  for (std::size_t i = 0; i < samples.size(); ++i) {
    SCOPED_TRACE(kNames[i]);
    const Bytes bytes = golden(std::string("migration_") + kNames[i]);
    const auto kind = static_cast<std::uint8_t>(i + 1);
    EXPECT_EQ(static_cast<std::uint8_t>(wire::kind_of(samples[i])), kind);
    EXPECT_EQ(wire::serialize(samples[i]), bytes);
    const Result<wire::Message> parsed = wire::parse(kind, bytes);
    ASSERT_TRUE(parsed) << parsed.error().text;
    EXPECT_EQ(wire::serialize(*parsed), bytes);
  }
}

void expect_golden(const ConnectionBlob& blob, const std::string& name) {
  const Bytes bytes = golden(name);
  EXPECT_EQ(encode_blob(blob), bytes) << name;
  const Result<ConnectionBlob> decoded = decode_blob(bytes);
  ASSERT_TRUE(decoded) << decoded.error().text;
  EXPECT_EQ(encode_blob(*decoded), bytes) << name;
}

TEST(BlobGolden, WithAValueInEverySection) {
  expect_golden(testing::sample_blob(), "blob_ipv4");
}

// Flags that the first vector has set are not set here, and the other way round.
TEST(BlobGolden, Ipv6Unbound) {
  ConnectionBlob blob;
  blob.tenure = {{NodeId{11}, Boot{0x123456789abc}, 42}, Epoch{1}};
  blob.source = NodeId{11};
  blob.service = "web";
  TcpSnapshot& tcp = blob.tcp;
  tcp.tuple = {*Endpoint::parse("[fd77::100]:443"), *Endpoint::parse("[fd77::1:2]:40002")};
  tcp.state = TcpState::kFinWait2;
  tcp.send_unacknowledged = SeqNum(9);
  tcp.send_next = SeqNum(10);
  tcp.fin_sequence = SeqNum(9);
  tcp.ack_pending = true;
  tcp.window_scaling = true;
  tcp.rtt_known = true;
  tcp.in_rto_recovery = true;
  tcp.recovery_end = SeqNum(77);
  tcp.persist_backoff = 3;
  tcp.write_closed = true;
  expect_golden(blob, "blob_ipv6_unbound");
}

}  // namespace
}  // namespace migd
