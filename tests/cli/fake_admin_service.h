// A node that only says what a test tells it to say.
#pragma once

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "cli/admin_service.h"

namespace migd {

inline ConnectionRow make_row(std::uint64_t counter, std::string service = "web",
                              std::string owner = "a") {
  ConnectionRow row;
  row.id = {NodeId{1}, Boot{7}, counter};
  row.epoch = Epoch{1};
  row.tuple = {*Endpoint::parse("10.77.100.1:80"), *Endpoint::parse("10.77.99.2:40001")};
  row.service = std::move(service);
  row.application = "files";
  row.state = "ESTABLISHED";
  row.owner_node = std::move(owner);
  row.bytes_in = 120;
  row.bytes_out = 4u << 20;
  row.age = 5s;
  row.rtt = 350us;
  return row;
}

inline MigrateReport make_report() {
  MigrateReport report;
  report.connection = {NodeId{1}, Boot{7}, 3};
  report.epoch = Epoch{2};
  report.from = "a";
  report.to = "b";
  report.blob_bytes = 1234;
  report.freeze = 412us;
  report.stages = {{"requested", 0us}, {"frozen", 10us}, {"activated", 422us}};
  return report;
}

inline TraceReport make_trace() {
  TraceReport report;
  report.connection = {NodeId{1}, Boot{7}, 3};
  report.epoch = Epoch{3};
  report.tuple = make_row(3).tuple;
  report.owner = "a";
  report.older_moves = 4;
  TracedMove move;
  move.from = "b";
  move.to = "a";
  move.forwarder = "f1";
  move.epoch = Epoch{3};
  move.asked_by = "operator";
  move.at_once = true;
  move.blob_bytes = 720;
  move.prepared = 310us;
  move.at_source = 20us;
  move.crossing = 90us;
  move.at_target = 5us;
  move.frozen = 115us;
  move.first_out = 12us;
  move.ago = 4s;
  report.moves = {move};
  return report;
}

class FakeAdminService : public AdminService {
 public:
  struct Asked {
    std::string id, node;
    MoveTerms terms;
  };

  StatusReport status() override { return report; }
  std::vector<ConnectionRow> connections() override { return rows; }
  void migrate(std::string id_or_prefix, std::string node_name, MoveTerms terms,
               std::function<void(MigrateReport)> done) override {
    asked.push_back({std::move(id_or_prefix), std::move(node_name), terms});
    if (answer_at_once) {
      done(*answer_at_once);
    } else {
      unanswered.push_back(std::move(done));
    }
  }
  Result<void> start_drain(const DrainWish& wish) override {
    if (drain_error) return tl::unexpected(*drain_error);
    drains.push_back(wish);
    return {};
  }
  void stop_drain() override { ++drain_stops; }
  DrainReport drain_report() override {
    const DrainReport now = drain_reports.front();
    if (drain_reports.size() > 1) drain_reports.pop_front();
    return now;
  }
  void trace(std::string id_or_prefix, std::function<void(TraceReport)> done) override {
    traced_ids.push_back(std::move(id_or_prefix));
    done(traced);
  }
  void subscribe_events(std::function<void(const Message&, Instant)> on_event) override {
    emit = std::move(on_event);
  }
  std::string metrics_text() override { return metrics; }

  StatusReport report;
  std::vector<ConnectionRow> rows;
  std::string metrics = "migd_connections_opened_total 3\n";
  std::optional<MigrateReport> answer_at_once;
  std::vector<Asked> asked;
  std::optional<Error> drain_error;
  std::vector<DrainWish> drains;
  int drain_stops = 0;
  std::deque<DrainReport> drain_reports{{}};  // each time the next, at last the last
  TraceReport traced = make_trace();
  std::vector<std::string> traced_ids;
  std::vector<std::function<void(MigrateReport)>> unanswered;
  std::function<void(const Message&, Instant)> emit;
};

}  // namespace migd
