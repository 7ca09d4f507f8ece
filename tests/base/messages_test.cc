#include "base/messages.h"

#include <gtest/gtest.h>

#include <set>

namespace migd {
namespace {

const ConnectionId kId{NodeId{1}, Boot{2}, 3};
const FourTuple kTuple{{*IpAddress::parse("10.77.100.1"), 80},
                       {*IpAddress::parse("10.77.0.9"), 99}};

std::string line(const Message& message) {
  std::string text(name_of(message));
  for (const MessageField& field : fields_of(message)) {
    text += " " + std::string(field.key) + "=" + field.value;
  }
  return text;
}

TEST(Messages, AreNamedAndWritten) {
  const std::string id = kId.to_string();
  EXPECT_EQ(
      line(ConnectionOpened{kId, kTuple, "web"}),
      "connection_opened connection=" + id + " peer=10.77.0.9:99 local=10.77.100.1:80 service=web");
  EXPECT_EQ(line(ConnectionClosed{{kId, Epoch{2}}, kTuple, CloseReason::kPeerReset, 10, 20, 3ms}),
            "connection_closed connection=" + id +
                " epoch=2 peer=10.77.0.9:99 local=10.77.100.1:80 reason=peer_reset bytes_in=10"
                " bytes_out=20 age_us=3000");
  EXPECT_EQ(line(PeerLoadReported{NodeId{7}, {5, 250, true}}),
            "peer_load_reported peer=7 connections=5 busy_permille=250 draining=true");
}

TEST(Messages, EachStageHasItsName) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kStageCount; ++i)
    names.insert(to_string(static_cast<Stage>(i)));
  EXPECT_EQ(names, (std::set<std::string_view>{"requested", "prepared", "frozen", "sent", "mapped",
                                               "attached", "granted", "activated", "released"}));
}

TEST(Messages, ModesAreReadAsTheyAreWritten) {
  for (const auto mode : {MigrationMode::kNow, MigrationMode::kDrain, MigrationMode::kHold}) {
    EXPECT_EQ(parse_migration_mode(to_string(mode)), mode);
  }
  EXPECT_EQ(parse_migration_mode("soon"), std::nullopt);
}

TEST(Messages, OptionalFieldsAppearOnlyWhenSet) {
  MigrationRequest request;
  request.connection = kId;
  request.target = NodeId{4};
  request.asked_by = "operator";
  EXPECT_EQ(line(request), "migration_request connection=" + kId.to_string() +
                               " target=4 timeout_us=5000000 asked_by=operator");
  request.request = 9;
  request.terms.application = "files";
  request.expected_epoch = Epoch{3};
  EXPECT_EQ(line(request), "migration_request request=9 connection=" + kId.to_string() +
                               " target=4 application=files expected_epoch=3 timeout_us=5000000"
                               " asked_by=operator");
}

TEST(Messages, FinishedMigrationHasTheTimesThatAreKnown) {
  MigrationFinished finished;
  finished.tenure = {kId, Epoch{2}};
  finished.source = NodeId{1};
  finished.target = NodeId{2};
  finished.blob_bytes = 900;
  finished.stage_at[static_cast<std::size_t>(Stage::kFrozen)] = 10us;
  finished.stage_at[static_cast<std::size_t>(Stage::kActivated)] = 1ms;
  EXPECT_EQ(line(finished), "migration_finished connection=" + kId.to_string() +
                                " epoch=2 source=1 target=2 outcome=completed blob_bytes=900"
                                " frozen_us=10 activated_us=1000");
}

TEST(Messages, EveryKindHasANameOfItsOwn) {
  const Message all[] = {ConnectionOpened{},
                         ConnectionClassified{},
                         ConnectionBound{},
                         ConnectionUnbound{},
                         ConnectionClosed{},
                         MigrationRequest{},
                         MigrationStageReached{},
                         MigrationFinished{},
                         MigrationArrived{},
                         MappingRequest{},
                         MappingInstalled{},
                         MappingRefused{},
                         MappingRemoveRequest{},
                         PeerUp{},
                         PeerDown{},
                         PeerLoadReported{}};
  const char* const names[] = {"connection_opened",
                               "connection_classified",
                               "connection_bound",
                               "connection_unbound",
                               "connection_closed",
                               "migration_request",
                               "migration_stage_reached",
                               "migration_finished",
                               "migration_arrived",
                               "mapping_request",
                               "mapping_installed",
                               "mapping_refused",
                               "mapping_remove_request",
                               "peer_up",
                               "peer_down",
                               "peer_load_reported"};
  static_assert(std::size(all) == std::variant_size_v<Message>);
  for (std::size_t i = 0; i < std::size(all); ++i) {
    EXPECT_EQ(name_of(all[i]), names[i]);
    std::set<std::string_view> keys;
    for (const MessageField& field : fields_of(all[i])) {
      EXPECT_TRUE(keys.insert(field.key).second) << names[i] << " " << field.key;
    }
  }
}

TEST(Messages, StagesAreNamed) {
  EXPECT_EQ(to_string(Stage::kRequested), "requested");
  EXPECT_EQ(to_string(Stage::kReleased), "released");
  EXPECT_EQ(to_string(MigrationOutcome::kAborted), "aborted");
  EXPECT_EQ(to_string(CloseReason::kMigrated), "migrated");
}

}  // namespace
}  // namespace migd
