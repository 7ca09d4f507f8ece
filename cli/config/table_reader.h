// Reads one table of the configuration, key by key, with types and ranges checked and every fault
// put into the Complaints. A key that nobody asked for is unknown: the reader complains about it,
// with the nearest known name, when it is destroyed.
#pragma once

#include <functional>
#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"
#include "cli/config/complaints.h"
#include "cli/config/document.h"

namespace migd {

enum class Presence { kOptional, kRequired };

struct ReadContext {
  Complaints complaints;
  std::set<std::string> keys_asked;  // full names, for the test that the manual page has them all
};

class TableReader {
 public:
  // `name` is the table's full name, "" for the document.
  TableReader(const DocumentValue& table, std::string name, ReadContext& context);
  ~TableReader();
  TableReader(const TableReader&) = delete;
  TableReader& operator=(const TableReader&) = delete;

  Place place() const { return table_.place; }
  std::string full_name(std::string_view key) const;
  bool has(std::string_view key) const;

  // Each returns nothing when the key is absent or its value is refused.
  std::optional<Placed<std::string>> text(std::string_view key, Presence presence,
                                          std::string_view expected = "a string");
  std::optional<Placed<std::int64_t>> integer(std::string_view key, Presence presence,
                                              std::int64_t least, std::int64_t most);
  std::optional<bool> boolean(std::string_view key, Presence presence);
  std::optional<double> probability(std::string_view key);
  std::optional<Placed<Duration>> duration(std::string_view key, Duration least, Duration most);
  std::optional<Placed<std::uint64_t>> size(std::string_view key, std::uint64_t least,
                                            std::uint64_t most);
  // The position in `names` of the one that is written there.
  std::optional<std::size_t> choice(std::string_view key, Presence presence,
                                    std::initializer_list<std::string_view> names);
  // An array of strings that is not empty.
  std::vector<Placed<std::string>> texts(std::string_view key, Presence presence,
                                         std::string_view expected);
  // A string, or an array of one or two.
  std::vector<Placed<std::string>> one_or_two_texts(std::string_view key, Presence presence,
                                                    std::string_view expected);

  using Section = std::function<void(TableReader&)>;
  bool table(std::string_view key, Presence presence, const Section& read);
  void tables(std::string_view key, const Section& read);  // [[key]]
  // [key.NAME] for any NAME. The tables' keys are asked for under the name key.NAME.
  void named_tables(std::string_view key,
                    const std::function<void(const Placed<std::string>&, TableReader&)>& read);

  void complain(Place place, std::string_view key, std::string_view text);
  void complain_here(std::string_view text);  // of the table as a whole
  // Complains when the key is there although `condition` does not hold.
  void only_with(std::string_view key, std::string_view condition);
  void complain_reference(Place place, std::string_view key, std::string_view text);
  // `name` should be one of `known`, and is not.
  void complain_unknown(const Placed<std::string>& name, std::string_view key,
                        std::string_view what, const std::vector<std::string>& known);

 private:
  TableReader(const DocumentValue& table, std::string name, std::string asked_name,
              ReadContext& context);
  const DocumentEntry* find(std::string_view key) const;
  const DocumentEntry* require(std::string_view key, Presence presence, std::string_view expected);
  const DocumentValue* get(std::string_view key, Presence presence, DocumentValue::Kind kind,
                           std::string_view expected);
  void complain_kind(const DocumentValue& value, std::string_view key, std::string_view expected);
  std::vector<Placed<std::string>> items(const DocumentValue& array, std::string_view key,
                                         std::string_view expected);

  const DocumentValue& table_;
  const std::string name_;
  const std::string asked_name_;  // as name_, with placeholders for names that users choose
  ReadContext& context_;
  std::vector<std::string> known_;
};

}  // namespace migd
