// [[application]]: what this node can serve with.
#include <algorithm>
#include <filesystem>

#include "cli/config/checks.h"
#include "cli/config/sections.h"

namespace migd {
namespace {

constexpr ApplicationKind kKinds[] = {ApplicationKind::kFiles,  ApplicationKind::kUpload,
                                      ApplicationKind::kEcho,   ApplicationKind::kDiscard,
                                      ApplicationKind::kSource, ApplicationKind::kRelay};

void read_root(TableReader& table, Draft& draft, ApplicationOptions& application) {
  const auto root = table.text("root", Presence::kRequired, "the folder to serve");
  if (!root) return;
  // Absolute: the server must not depend on the working directory.
  std::error_code error;
  const auto path = std::filesystem::absolute(draft.absolute(root->value), error);
  application.root = path.lexically_normal().string();
  if (std::filesystem::is_directory(application.root, error)) return;
  if (draft.secrets == SecretPolicy::kRequire) {
    table.complain(root->place, "root", "expected a folder, " + application.root + " is none");
  } else {
    draft.warn(root->place, "application.root", application.root + " is not a folder");
  }
}

void read_relay(TableReader& table, Draft& draft, ApplicationOptions& application) {
  constexpr std::string_view kExpected = "\"tcp:HOST:PORT\" or \"unix:PATH\"";
  if (table.integer("proxy_protocol", Presence::kOptional, 2, 2)) application.proxy_header = true;
  application.http_idle =
      table.boolean("http_idle", Presence::kOptional).value_or(application.http_idle);
  const auto text = table.text("address", Presence::kRequired, kExpected);
  if (!text) return;
  Result<StreamAddress> address = StreamAddress::parse(text->value);
  if (!address || (address->kind == StreamAddress::Kind::kTcp && address->port == 0)) {
    table.complain(text->place, "address", expected_got(kExpected, text->value));
    return;
  }
  if (address->kind == StreamAddress::Kind::kUnix) {
    address->host_or_path = draft.absolute(address->host_or_path);
  }
  application.address = *address;
}

}  // namespace

void read_application(TableReader& table, Draft& draft) {
  ApplicationOptions application;
  if (const auto name = table.text("name", Presence::kRequired, kNameExpected)) {
    if (!is_name(name->value)) {
      table.complain(name->place, "name", expected_got(kNameExpected, name->value));
    }
    claim(draft, table, name->place, "name", "the application name '" + name->value + "'",
          "another [[application]]");
    application.name = name->value;
  }
  const auto kind = table.choice("kind", Presence::kRequired,
                                 {"files", "upload", "echo", "discard", "source", "relay"});
  if (kind) application.kind = kKinds[*kind];
  if (!kind || application.kind == ApplicationKind::kFiles) {
    read_root(table, draft, application);
  } else {
    table.only_with("root", "kind = \"files\"");
  }
  if (!kind || application.kind == ApplicationKind::kRelay) {
    read_relay(table, draft, application);
  } else {
    table.only_with("address", "kind = \"relay\"");
    table.only_with("proxy_protocol", "kind = \"relay\"");
    table.only_with("http_idle", "kind = \"relay\"");
  }
  draft.config.node.applications.push_back(std::move(application));
}

}  // namespace migd
