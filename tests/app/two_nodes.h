// Two nodes with the same applications, and one client whose connection moves between them: the
// harness in which every application must give the client the same bytes, moved or not.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "app/files/memory_file_store.h"
#include "app/registry.h"
#include "tests/app/fake_connection.h"
#include "tests/app/fake_stream_network.h"

namespace migd {

inline ApplicationOptions application(std::string name, ApplicationKind kind) {
  ApplicationOptions options;
  options.name = std::move(name);
  options.kind = kind;
  return options;
}

struct TestNode {
  explicit TestNode(const std::vector<ApplicationOptions>& options,
                    const std::function<void(MemoryFileStore&)>& add_files = {});

  MemoryFileStore files;
  FakeStreamNetwork network;
  NullLog log;
  Metrics metrics;
  std::unique_ptr<ApplicationRegistry> registry;
};

class TwoNodes {
 public:
  explicit TwoNodes(const std::vector<ApplicationOptions>& options,
                    const std::function<void(MemoryFileStore&)>& add_files = {})
      : nodes_{TestNode(options, add_files), TestNode(options, add_files)} {}

  // A fresh connection at node 0.
  void open(const std::string& application, FakeConnection::Options options = {});

  FakeConnection& connection() { return *connection_; }
  bool gone() const { return connection_ == nullptr || connection_->gone(); }
  TestNode& node(std::size_t i) { return nodes_[i]; }
  TestNode& owner() { return nodes_[owner_]; }
  Blockers blockers() const { return connection_->handler()->blockers(); }

  // Lets everything happen that can happen without the client.
  void settle();
  // Moves the connection to the other node, unless it is blocked or gone. A refusal by the target
  // is returned, and the connection goes on at the source.
  Result<void> move();
  // Freezes and thaws it where it is.
  void freeze_and_thaw();
  std::size_t moves() const { return moves_; }

 private:
  std::array<TestNode, 2> nodes_;
  std::size_t owner_ = 0;
  std::unique_ptr<FakeConnection> connection_;
  std::size_t moves_ = 0;
};

// When the connection of an exchange moves.
enum class MoveMode { kStay, kOnce, kEveryStep, kFreezeEveryStep };
std::string to_string(MoveMode mode);

struct Script {
  std::string application;
  Bytes sends;                       // all that the client sends
  std::size_t send_step = 1u << 16;  // how much of it at a time
  std::size_t take_step = 1u << 16;  // how much the client takes at a time
  std::size_t send_buffer = 1u << 20;
  bool client_closes = true;                   // FIN behind the last byte
  std::size_t client_closes_after = SIZE_MAX;  // or once it has taken so much
  MoveMode moves = MoveMode::kStay;
  std::size_t move_at_step = 0;  // kOnce
};

struct Outcome {
  Bytes received;
  bool fin = false;
  bool aborted = false;
  std::size_t steps = 0;
  std::size_t moves = 0;

  // What the client sees.
  bool same_for_client(const Outcome& other) const {
    return received == other.received && fin == other.fin && aborted == other.aborted;
  }
};

// Plays the script until nothing changes any more.
Outcome play(TwoNodes& nodes, const Script& script);

}  // namespace migd
