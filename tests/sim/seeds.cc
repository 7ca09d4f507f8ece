#include "tests/sim/seeds.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace migd::sim {
namespace {

// As it is called from where it was called.
std::string own_program() {
  std::error_code error;
  const auto path = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return "sim_test";
  const auto near = std::filesystem::proximate(path, error);
  return error ? path.string() : near.string();
}

}  // namespace

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

void for_each_seed(int usual, const std::function<void(std::uint64_t)>& body, SeedShare share) {
  const bool one = std::getenv("MIGD_SIM_SEED") != nullptr;
  const std::uint64_t runs = from_environment("MIGD_SIM_RUNS", static_cast<std::uint64_t>(usual));
  const std::uint64_t first = one ? from_environment("MIGD_SIM_SEED", 1) : 1 + share.index;
  const std::uint64_t last = one ? first : runs;
  for (std::uint64_t seed = first; seed <= last; seed += share.of) {
    SCOPED_TRACE(replay_command(seed));
    body(seed);
    if (::testing::Test::HasFailure()) return;  // the first is the one to replay
  }
}

std::string replay_command(std::uint64_t seed, std::string_view more) {
  const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
  const std::string test =
      info == nullptr ? "*" : std::string(info->test_suite_name()) + "." + info->name();
  return fmt::format("replay: MIGD_SIM_SEED={} {}{} --gtest_filter='{}'", seed, more, own_program(),
                     test);
}

}  // namespace migd::sim
