#include "cli/config/table_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/config/units.h"

namespace migd {
namespace {

std::string join(std::string_view table, std::string_view key) {
  return table.empty() ? std::string(key) : std::string(table) + "." + std::string(key);
}

std::string in_quotes(std::string_view text) {
  return "'" + std::string(text) + "'";
}

std::string hint(std::string_view name, const std::vector<std::string>& known) {
  const auto meant = nearest(name, known);
  return meant ? ", did you mean " + in_quotes(*meant) + "?" : "";
}

std::string as_written(const DocumentValue& value) {
  if (value.kind == DocumentValue::Kind::kString) return in_quotes(value.text);
  if (value.kind == DocumentValue::Kind::kInteger) return std::to_string(value.integer);
  if (value.kind == DocumentValue::Kind::kFloat) return fmt::to_string(value.number);
  return std::string(to_string(value.kind));
}

}  // namespace

TableReader::TableReader(const DocumentValue& table, std::string name, ReadContext& context)
    : TableReader(table, name, name, context) {}

TableReader::TableReader(const DocumentValue& table, std::string name, std::string asked_name,
                         ReadContext& context)
    : table_(table),
      name_(std::move(name)),
      asked_name_(std::move(asked_name)),
      context_(context) {}

TableReader::~TableReader() {
  for (const DocumentEntry& entry : table_.entries) {
    if (std::find(known_.begin(), known_.end(), entry.key) != known_.end()) continue;
    complain(entry.place, entry.key, "unknown key" + hint(entry.key, known_));
  }
}

std::string TableReader::full_name(std::string_view key) const {
  return join(name_, key);
}

void TableReader::complain(Place place, std::string_view key, std::string_view text) {
  context_.complaints.add(place, full_name(key), text);
}

void TableReader::complain_here(std::string_view text) {
  context_.complaints.add(table_.place, name_, text);
}

void TableReader::complain_reference(Place place, std::string_view key, std::string_view text) {
  context_.complaints.add_reference(place, full_name(key), text);
}

void TableReader::complain_unknown(const Placed<std::string>& name, std::string_view key,
                                   std::string_view what, const std::vector<std::string>& known) {
  complain_reference(name.place, key,
                     "expected the name of " + std::string(what) + ", got " +
                         in_quotes(name.value) + hint(name.value, known));
}

void TableReader::only_with(std::string_view key, std::string_view condition) {
  known_.emplace_back(key);
  const DocumentEntry* entry = find(key);
  if (entry == nullptr) return;
  complain(entry->place, key, "expected only with " + std::string(condition));
}

void TableReader::complain_kind(const DocumentValue& value, std::string_view key,
                                std::string_view expected) {
  complain(value.place, key, "expected " + std::string(expected) + ", got " + as_written(value));
}

const DocumentEntry* TableReader::find(std::string_view key) const {
  const auto found = std::find_if(table_.entries.begin(), table_.entries.end(),
                                  [&](const DocumentEntry& entry) { return entry.key == key; });
  return found == table_.entries.end() ? nullptr : &*found;
}

bool TableReader::has(std::string_view key) const {
  return find(key) != nullptr;
}

const DocumentEntry* TableReader::require(std::string_view key, Presence presence,
                                          std::string_view expected) {
  known_.emplace_back(key);
  context_.keys_asked.insert(join(asked_name_, key));
  const DocumentEntry* entry = find(key);
  if (entry == nullptr && presence == Presence::kRequired) {
    context_.complaints.add_missing(table_.place, full_name(key), expected);
  }
  return entry;
}

const DocumentValue* TableReader::get(std::string_view key, Presence presence,
                                      DocumentValue::Kind kind, std::string_view expected) {
  const DocumentEntry* entry = require(key, presence, expected);
  if (entry == nullptr) return nullptr;
  if (entry->value.kind == kind) return &entry->value;
  complain_kind(entry->value, key, expected);
  return nullptr;
}

std::optional<Placed<std::string>> TableReader::text(std::string_view key, Presence presence,
                                                     std::string_view expected) {
  const DocumentValue* value = get(key, presence, DocumentValue::Kind::kString, expected);
  if (value == nullptr) return std::nullopt;
  if (value->text.empty() || value->text.find('\0') != std::string::npos) {
    complain_kind(*value, key, expected);
    return std::nullopt;
  }
  return Placed<std::string>{value->text, value->place};
}

std::optional<Placed<std::int64_t>> TableReader::integer(std::string_view key, Presence presence,
                                                         std::int64_t least, std::int64_t most) {
  const std::string expected =
      least == most ? std::to_string(least) : fmt::format("an integer from {} to {}", least, most);
  const DocumentValue* value = get(key, presence, DocumentValue::Kind::kInteger, expected);
  if (value == nullptr) return std::nullopt;
  if (value->integer < least || value->integer > most) {
    complain_kind(*value, key, expected);
    return std::nullopt;
  }
  return Placed<std::int64_t>{value->integer, value->place};
}

std::optional<bool> TableReader::boolean(std::string_view key, Presence presence) {
  const DocumentValue* value = get(key, presence, DocumentValue::Kind::kBoolean, "true or false");
  if (value == nullptr) return std::nullopt;
  return value->boolean;
}

std::optional<double> TableReader::probability(std::string_view key) {
  constexpr std::string_view kExpected = "a probability from 0.0 to 1.0";
  const DocumentEntry* entry = require(key, Presence::kOptional, kExpected);
  if (entry == nullptr) return std::nullopt;
  const DocumentValue& value = entry->value;
  const bool integer = value.kind == DocumentValue::Kind::kInteger;
  const double number = integer ? static_cast<double>(value.integer) : value.number;
  const bool numeric = integer || value.kind == DocumentValue::Kind::kFloat;
  if (numeric && number >= 0.0 && number <= 1.0) return number;
  complain_kind(value, key, kExpected);
  return std::nullopt;
}

std::optional<Placed<Duration>> TableReader::duration(std::string_view key, Duration least,
                                                      Duration most) {
  const std::string expected =
      "a duration from \"" + format_duration(least) + "\" to \"" + format_duration(most) + "\"";
  const DocumentValue* value =
      get(key, Presence::kOptional, DocumentValue::Kind::kString, expected);
  if (value == nullptr) return std::nullopt;
  const auto parsed = parse_duration(value->text);
  if (!parsed || *parsed < least || *parsed > most) {
    complain_kind(*value, key, expected);
    return std::nullopt;
  }
  return Placed<Duration>{*parsed, value->place};
}

std::optional<Placed<std::uint64_t>> TableReader::size(std::string_view key, std::uint64_t least,
                                                       std::uint64_t most) {
  const std::string expected =
      "a size from \"" + format_size(least) + "\" to \"" + format_size(most) + "\"";
  const DocumentValue* value =
      get(key, Presence::kOptional, DocumentValue::Kind::kString, expected);
  if (value == nullptr) return std::nullopt;
  const auto parsed = parse_size(value->text);
  if (!parsed || *parsed < least || *parsed > most) {
    complain_kind(*value, key, expected);
    return std::nullopt;
  }
  return Placed<std::uint64_t>{*parsed, value->place};
}

std::optional<std::size_t> TableReader::choice(std::string_view key, Presence presence,
                                               std::initializer_list<std::string_view> names) {
  std::string expected;
  for (const std::string_view name : names) {
    expected += (expected.empty() ? "\"" : " or \"") + std::string(name) + "\"";
  }
  const DocumentValue* value = get(key, presence, DocumentValue::Kind::kString, expected);
  if (value == nullptr) return std::nullopt;
  const auto found = std::find(names.begin(), names.end(), value->text);
  if (found == names.end()) {
    complain_kind(*value, key, expected);
    return std::nullopt;
  }
  return static_cast<std::size_t>(found - names.begin());
}

std::vector<Placed<std::string>> TableReader::items(const DocumentValue& array,
                                                    std::string_view key,
                                                    std::string_view expected) {
  std::vector<Placed<std::string>> out;
  for (const DocumentValue& item : array.items) {
    if (item.kind == DocumentValue::Kind::kString && !item.text.empty()) {
      out.push_back({item.text, item.place});
    } else {
      complain_kind(item, key, expected);
    }
  }
  return out;
}

std::vector<Placed<std::string>> TableReader::texts(std::string_view key, Presence presence,
                                                    std::string_view expected) {
  const DocumentValue* value = get(key, presence, DocumentValue::Kind::kArray, expected);
  if (value == nullptr) return {};
  if (value->items.empty()) {
    complain(value->place, key, "expected " + std::string(expected) + ", got an empty array");
  }
  return items(*value, key, expected);
}

std::vector<Placed<std::string>> TableReader::one_or_two_texts(std::string_view key,
                                                               Presence presence,
                                                               std::string_view expected) {
  const std::string either = std::string(expected) + " or an array of two";
  const DocumentEntry* entry = require(key, presence, either);
  if (entry == nullptr) return {};
  const DocumentValue& value = entry->value;
  if (value.kind == DocumentValue::Kind::kString && !value.text.empty()) {
    return {{value.text, value.place}};
  }
  if (value.kind == DocumentValue::Kind::kArray && !value.items.empty() &&
      value.items.size() <= 2) {
    return items(value, key, expected);
  }
  complain_kind(value, key, either);
  return {};
}

bool TableReader::table(std::string_view key, Presence presence, const Section& read) {
  const DocumentValue* value = get(key, presence, DocumentValue::Kind::kTable, "a table");
  if (value == nullptr) return false;
  TableReader reader(*value, full_name(key), join(asked_name_, key), context_);
  read(reader);
  return true;
}

void TableReader::tables(std::string_view key, const Section& read) {
  const std::string expected = "an array of tables, each begun with [[" + full_name(key) + "]]";
  const DocumentValue* value = get(key, Presence::kOptional, DocumentValue::Kind::kArray, expected);
  if (value == nullptr) return;
  for (const DocumentValue& item : value->items) {
    if (item.kind != DocumentValue::Kind::kTable) {
      complain_kind(item, key, expected);
      continue;
    }
    TableReader reader(item, full_name(key), join(asked_name_, key), context_);
    read(reader);
  }
}

void TableReader::named_tables(
    std::string_view key,
    const std::function<void(const Placed<std::string>&, TableReader&)>& read) {
  const std::string expected = "tables, each begun with [" + full_name(key) + ".NAME]";
  const DocumentValue* value = get(key, Presence::kOptional, DocumentValue::Kind::kTable, expected);
  if (value == nullptr) return;
  for (const DocumentEntry& entry : value->entries) {
    const std::string inner = join(key, entry.key);
    if (entry.value.kind != DocumentValue::Kind::kTable) {
      complain_kind(entry.value, inner, "a table");
      continue;
    }
    TableReader reader(entry.value, full_name(inner), join(asked_name_, join(key, "NAME")),
                       context_);
    read({entry.key, entry.place}, reader);
  }
}

}  // namespace migd
