#include "cli/config.h"

#include "cli/config/read.h"
#include "cli/config/sections.h"
#include "cli/file.h"

namespace migd {
namespace {

constexpr std::size_t kFileMax = 1u << 20;
constexpr int kConfigVersion = 1;

// What others refer to comes first: names before the pools that list them.
void read_document(TableReader& root, Draft& draft) {
  using enum Presence;
  const auto with = [&draft](auto read) {
    return [&draft, read](TableReader& table) { read(table, draft); };
  };
  root.integer("config_version", kRequired, kConfigVersion, kConfigVersion);
  root.table("node", kRequired, with(read_node));
  root.table("tunnel", kRequired, with(read_tunnel));
  root.tables("peer", with(read_peer));
  root.table("channel", draft.config.node.peers.empty() ? kOptional : kRequired,
             with(read_channel));
  root.tables("application", with(read_application));
  root.tables("service", with(read_service));

  root.table("link", kRequired, with(read_link));
  draft.config.admin.socket_path = kDefaultAdminSocket;
  root.table("admin", kOptional, with(read_admin));
  root.table("log", kOptional, with(read_log));
  root.table("tcp", kOptional, with(read_tcp));
  root.table("migrate", kOptional, with(read_migrate));
}

}  // namespace

std::string Draft::absolute(const std::string& path_in_file) const {
  return relative_to_file(path, path_in_file);
}

void Draft::warn(Place place, const std::string& key, const std::string& text) {
  config.warnings.push_back(
      printable(path + ":" + std::to_string(place.line) + ": " + key + ": " + text));
}

void claim(Draft& draft, TableReader& reader, Place place, std::string_view key,
           const std::string& what, const std::string& owner) {
  const auto [found, fresh] = draft.owners.emplace(what, owner);
  if (fresh) return;
  const bool same = found->second == owner;
  reader.complain(place, key, what + " is taken already" + (same ? "" : ", by " + found->second));
}

Result<Config> read_config(std::string_view toml, const std::string& path, SecretPolicy secrets,
                           ReadContext& context) {
  const Result<DocumentValue> document = parse_document(toml);
  if (!document) {
    return fail(ErrorCode::kInvalidArgument, printable(path + ":" + document.error().text));
  }
  Draft draft;
  draft.path = path;
  draft.secrets = secrets;
  {
    TableReader root(*document, "", context);
    read_document(root, draft);
  }
  if (!context.complaints.empty()) {
    return fail(ErrorCode::kInvalidArgument, context.complaints.first(path));
  }
  return std::move(draft.config);
}

Result<Config> load_config(const std::string& path, SecretPolicy secrets) {
  const Result<std::string> text = read_file(path, kFileMax);
  if (!text) return fail(text.error().code, printable(text.error().text));
  ReadContext context;
  return read_config(*text, path, secrets, context);
}

}  // namespace migd
