// The commands that need no daemon.
#include <ostream>

#include "base/random.h"
#include "cli/commands/command.h"
#include "cli/commands/render.h"
#include "cli/config.h"
#include "cli/file.h"
#include "cli/host_check.h"
#include "cli/keys.h"
#include "cli/version.h"

namespace migd {

int check_command(const CheckOptions& options, Console& console) {
  const Result<Config> config = load_config(options.config_path, SecretPolicy::kWarnIfAbsent);
  if (!config) {
    if (options.json) console.out << check_json(false, config.error().text, {}) << "\n";
    console.err << config.error().text << "\n";
    return kExitUsage;
  }
  std::vector<std::string> warnings = config->warnings;
  for (const std::string& warning : host_warnings(*config, read_host_facts(*config))) {
    warnings.push_back("host: " + warning);
  }
  if (options.json) {
    console.out << check_json(true, "", warnings) << "\n";
    return kExitDone;
  }
  console.out << options.config_path << ": ok\n";
  for (const std::string& warning : warnings)
    console.out << "warning: " << warning << "\n";
  return kExitDone;
}

int keygen_command(const KeygenOptions& options, Console& console) {
  SystemRng rng;
  const SecretKey secret = make_secret_key(rng);
  const std::string public_key = key_to_text(public_key_of(secret));
  Result<void> written = write_key_file(options.secret_path, secret);
  if (written && !options.public_path.empty()) {
    written = create_file(options.public_path, 0644, public_key + "\n");
  }
  if (!written) return report(written.error(), options.json, console);
  console.out << (options.json ? keygen_json(public_key, options.secret_path) : public_key) << "\n";
  return kExitDone;
}

int version_command(bool json, Console& console) {
  console.out << (json ? version_json() : "migd " + std::string(kVersion)) << "\n";
  return kExitDone;
}

}  // namespace migd
