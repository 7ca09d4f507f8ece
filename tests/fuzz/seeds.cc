// fuzz_seeds TARGET FOLDER: writes the first inputs of a fuzzer's corpus, made from the golden
// vectors and from connections in every situation. To be run again when a format changes. Scripts
// in them are random, from fixed seeds.
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "migrator/blob.h"
#include "tests/fuzz/blob_input.h"
#include "tests/stack/situations.h"
#include "tests/support/golden.h"
#include "tests/support/sample_messages.h"

namespace migd::fuzz {
namespace {

constexpr std::size_t kScriptSize = 120;

class Corpus {
 public:
  explicit Corpus(std::filesystem::path folder) : folder_(std::move(folder)) {}
  void add(const std::string& name, ByteView bytes) const {
    std::ofstream file(folder_ / ("seed-" + name), std::ios::binary);
    file.write(as_text(bytes).data(), static_cast<std::streamsize>(bytes.size()));
  }

 private:
  std::filesystem::path folder_;
};

Bytes random_script(std::uint64_t seed) {
  Bytes script(kScriptSize);
  sim::SimRng(seed).fill(script);
  return script;
}

std::vector<std::string> golden_names(const std::string& prefix) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator("tests/golden")) {
    const std::string name = entry.path().stem().string();
    if (name.starts_with(prefix)) names.push_back(name);
  }
  return names;
}

TcpSnapshot snapshot_of(const test::Situation& situation) {
  test::TestBed bed(test::Moves::kNever, situation.peer, situation.options);
  situation.arrive(bed);
  FrozenConnection frozen = bed.a.stack->freeze(*bed.find(), bed.now);
  TcpSnapshot snapshot = bed.a.stack->capture(frozen, bed.now);
  bed.a.stack->thaw(std::move(frozen), bed.now);
  // Small: of what has not been sent yet, a little says as much as all of it.
  const auto kept =
      std::min<std::size_t>(snapshot.send_data.size(), snapshot.send_in_flight + std::size_t{2000});
  if (snapshot.fin_sequence && kept < snapshot.send_data.size()) {
    snapshot.fin_sequence = snapshot.send_unacknowledged + static_cast<std::uint32_t>(kept);
  }
  snapshot.send_data.resize(kept);
  return snapshot;
}

void blob(const Corpus& corpus) {
  for (const std::string& name : golden_names("blob_"))
    corpus.add(name, BlobInput{{}, test::golden(name)}.serialize());
  std::uint64_t seed = 0;
  for (const test::Situation& situation : test::situations()) {
    ConnectionBlob blob;
    blob.tenure = {{NodeId{1}, Boot{2}, 3}, Epoch{2}};
    blob.source = NodeId{1};
    blob.service = "web";
    blob.application = "app";
    blob.tcp = snapshot_of(situation);
    corpus.add(situation.name, BlobInput{random_script(++seed), encode_blob(blob)}.serialize());
  }
}

void scripts(const Corpus& corpus) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed)
    corpus.add("script" + std::to_string(seed), random_script(seed));
}

// The attacker says each, sealed: ChannelNet::Attacker::give_sealed().
void datagram(const Corpus& corpus) {
  for (const std::string& name : golden_names("channel_")) {
    const Bytes golden = test::golden(name);
    Bytes input{0, 0, 0, 1, static_cast<std::uint8_t>(golden.size())};
    append(input, golden);
    corpus.add(name, input);
  }
  scripts(corpus);
}

// The first node says each to the second: ProtocolCluster::forge(). And scripts that begin in every
// stage.
void protocol(const Corpus& corpus) {
  for (const wire::Message& message : testing::sample_messages()) {
    const Bytes head = wire::serialize(message);
    const auto kind = static_cast<std::uint8_t>(wire::kind_of(message));
    Bytes input{255, 0, 0, 1, kind, 0, static_cast<std::uint8_t>(head.size())};
    append(input, head);
    corpus.add("kind" + std::to_string(kind), input);
  }
  for (std::uint8_t way = 0; way < 6; ++way) {
    for (std::uint8_t messages = 0; messages < 8; ++messages) {
      Bytes input{way, messages};
      append(input, random_script(way * 8u + messages));
      corpus.add("stage" + std::to_string(way) + std::to_string(messages), input);
    }
  }
}

// Every packet that the golden vectors hold, as it comes to a node.
void device(const Corpus& corpus) {
  for (const char* kind : {"gue_", "mapped_", "tunnelled_"}) {
    for (const std::string& name : golden_names(kind)) {
      const Bytes golden = test::golden(name);
      Bytes input{0, static_cast<std::uint8_t>(golden.size())};
      append(input, golden);
      corpus.add(name, input);
    }
  }
  scripts(corpus);
}

}  // namespace
}  // namespace migd::fuzz

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (argc != 3) return 2;
  const std::string target = argv[1];
  const migd::fuzz::Corpus corpus(argv[2]);
  if (target == "blob") {
    migd::fuzz::blob(corpus);
  } else if (target == "datagram") {
    migd::fuzz::datagram(corpus);
  } else if (target == "protocol") {
    migd::fuzz::protocol(corpus);
  } else if (target == "segments") {
    migd::fuzz::scripts(corpus);
  } else if (target == "device") {
    migd::fuzz::device(corpus);
  } else {
    std::fprintf(stderr, "no fuzzer is called '%s'\n", target.c_str());
    return 2;
  }
  return testing::Test::HasFailure() ? 1 : 0;
}
