// One function for each table of the configuration. They fill in what they can and complain about
// the rest; cli/config.cc puts them together.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "cli/config.h"
#include "cli/config/table_reader.h"

namespace migd {

// What is read, and what several tables must agree on.
struct Draft {
  std::string path;  // of the configuration file
  SecretPolicy secrets = SecretPolicy::kRequire;
  Config config;
  std::map<std::string, NodeInfo> nodes;      // by name: this one and its peers
  std::map<std::string, std::string> owners;  // "id 7" or an address -> the node that has it

  std::string absolute(const std::string& path_in_file) const;
  void warn(Place place, const std::string& key, const std::string& text);
};

// Complains when `what` is somebody else's already.
void claim(Draft& draft, TableReader& reader, Place place, std::string_view key,
           const std::string& what, const std::string& owner);

void read_node(TableReader& node, Draft& draft);
void read_tunnel(TableReader& tunnel, Draft& draft);
void read_channel(TableReader& channel, Draft& draft);
void read_peer(TableReader& peer, Draft& draft);

void read_link(TableReader& link, Draft& draft);
void read_admin(TableReader& admin, Draft& draft);
void read_log(TableReader& log, Draft& draft);
void read_tcp(TableReader& tcp, Draft& draft);
void read_migrate(TableReader& migrate, Draft& draft);

void read_application(TableReader& application, Draft& draft);
void read_service(TableReader& service, Draft& draft);  // after nodes and applications

}  // namespace migd
