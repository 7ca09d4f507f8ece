// The manual pages have every option of the command line and every key of the configuration, and
// no others.
#include <gtest/gtest.h>

#include <algorithm>
#include <regex>
#include <set>

#include "cli/file.h"
#include "tests/cli/config_text.h"
#include "tests/cli/run_cli.h"

namespace migd {
namespace {

std::string page(const std::string& name) {
  const Result<std::string> text = read_file("docs/man/" + name, 1u << 20);
  EXPECT_TRUE(text);
  return text.value_or("");
}

std::set<std::string> all_matches(const std::string& text, const std::string& pattern) {
  const std::regex regex(pattern);
  std::set<std::string> out;
  for (std::sregex_iterator it(text.begin(), text.end(), regex), end; it != end; ++it) {
    out.insert((*it)[1]);
  }
  return out;
}

std::set<std::string> commands() {
  const std::string help = run_migd({"--help"}).out;
  return all_matches(help.substr(help.find("Subcommands:")), "\n  ([a-z]+) ");
}

TEST(Manual, HasEveryCommand) {
  ASSERT_GE(commands().size(), 9u);
  EXPECT_EQ(all_matches(page("migd.8"), "\n\\.It Cm ([a-z]+)"), commands());
}

TEST(Manual, HasEveryOption) {
  std::string help = run_migd({"--help"}).out;
  for (const std::string& command : commands())
    help += run_migd({command, "--help"}).out;
  // As roff writes them: "Fl c", "Fl -config".
  std::set<std::string> options = all_matches(help, "\n  -([a-z])[, ]");
  for (const std::string& name : all_matches(help, "--([a-z-]+)"))
    options.insert("-" + name);
  EXPECT_GE(options.size(), 15u);
  EXPECT_EQ(all_matches(page("migd.8"), "Fl (-?[a-z-]+)"), options);
}

// What the page says of one command, up to the next one or the next section.
std::string section_of(const std::string& command) {
  const std::string text = page("migd.8");
  const std::size_t start = text.find("\n.It Cm " + command);
  const std::size_t end = std::min(text.find("\n.It Cm ", start + 1), text.find("\n.S", start));
  return text.substr(start, end - start);
}

TEST(Manual, HasTheOptionsOfEachCommandWhereTheyBelong) {
  for (const std::string& command : commands()) {
    const std::string help = run_migd({command, "--help"}).out;
    std::set<std::string> names;  // each option once: "c" for "-c,--config"
    for (const std::string& name : all_matches(help, "\n  -(-?[a-z-]+)"))
      names.insert(name);
    EXPECT_EQ(names.erase("h"), 1u) << command;
    EXPECT_EQ(names.erase("-json"), command == "run" ? 0u : 1u) << command;
    std::set<std::string> described = all_matches(section_of(command), "Fl (-?[a-z-]+)");
    for (const char* elsewhere : {"-json", "-config", "-follow"})  // second names of c and f
      described.erase(elsewhere);
    EXPECT_EQ(described, names) << command;
  }
}

TEST(Manual, HasEveryExitCode) {
  std::string help = run_migd({"--help"}).out;
  help = help.substr(help.find("Exit codes:"));
  std::string status = page("migd.8");
  status = status.substr(status.find(".Sh EXIT STATUS"));
  status = status.substr(0, status.find(".El"));
  EXPECT_EQ(all_matches(status, "\n\\.It ([0-9])"),
            all_matches(help.substr(0, help.find(" The ")), "([0-9])"));
}

TEST(Manual, HasEveryKey) {
  ReadContext context;
  const Result<Config> config =
      read_config(replaced(kFullConfig, "kind = \"files\"", "kind = \"\""), "a.toml",
                  SecretPolicy::kWarnIfAbsent, context);
  ASSERT_FALSE(config);  // without a kind, the keys of all kinds are asked for
  const std::string text = page("migd.toml.5");
  const std::set<std::string> keys = all_matches(text, "\n\\.(?:It Va |Va |Ss \\[+)([A-Za-z_.]+)");
  for (const std::string& key : context.keys_asked)
    EXPECT_TRUE(keys.contains(key)) << key;
  for (const std::string& key : all_matches(text, "\n\\.It Va ([A-Za-z_.]+)")) {
    EXPECT_TRUE(context.keys_asked.contains(key)) << key;
  }
}

}  // namespace
}  // namespace migd
