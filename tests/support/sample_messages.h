// One message of the migration protocol of each kind, in the order of the kinds.
#pragma once

#include <vector>

#include "migrator/wire.h"
#include "tests/support/sample_blob.h"

namespace migd::testing {

inline const Tenure kTenure{{NodeId{3}, Boot{0xabcdef012345}, 99}, Epoch{7}};

inline std::vector<wire::Message> sample_messages() {
  using namespace wire;
  MigrationFinished finished;
  finished.request = 12;
  finished.tenure = kTenure;
  finished.source = NodeId{1};
  finished.target = NodeId{2};
  finished.outcome = MigrationOutcome::kRefused;
  finished.reason = "app_busy";
  finished.blob_bytes = 1234;
  finished.stage_at[static_cast<std::size_t>(Stage::kFrozen)] = Duration(55us);
  return {State{kTenure, NodeId{1}, NodeId{2}, NodeId{4}, FlowId{0x01020304}, FlowId{9}, true, true,
                sample_tuple()},
          Ready{kTenure},
          Refuse{kTenure, "tuple_in_use"},
          Grant{kTenure, 37us},
          Active{kTenure, 42us},
          Abort{kTenure, "timed_out"},
          Barrier{kTenure, NodeId{4}, Boot{0x123456789abc}, true},
          Map{kTenure, NodeId{2}, FlowId{5}, true, sample_tuple()},
          Unmap{kTenure, sample_tuple()},
          LeaseRequest{},
          Lease{100, 4096, {1, 2, 3}},
          Locate{8, "00ff"},
          Located{8, {{kTenure, true, NodeId{}}, {kTenure, false, NodeId{9}}}},
          Order{13, kTenure.connection, NodeId{2}, {5s, MigrationMode::kHold, "echo", true}},
          OrderResult{finished},
          Prepare{kTenure, sample_tuple(), true, "files"},
          Promise{kTenure, "application_unknown"},
          Trace{21, kTenure.connection},
          Traced{21, true, kTenure, sample_tuple()},
          Moved{kTenure, NodeId{2}, {{NodeId{2}, Boot{0x1234}, 5}, Epoch{1}}, sample_tuple()}};
}

}  // namespace migd::testing
