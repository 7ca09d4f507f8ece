#include "cli/config/document.h"

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

namespace migd {
namespace {

Place place_of(const toml::source_region& region) {
  return {region.begin.line, region.begin.column};
}

DocumentValue convert(const toml::node& node);

void convert_table(const toml::table& from, DocumentValue& to) {
  to.kind = DocumentValue::Kind::kTable;
  for (const auto& [key, value] : from) {
    to.entries.push_back({std::string(key.str()), place_of(key.source()), convert(value)});
  }
}

void convert_array(const toml::array& from, DocumentValue& to) {
  to.kind = DocumentValue::Kind::kArray;
  for (const toml::node& item : from)
    to.items.push_back(convert(item));
}

// toml++ bounds the nesting, so this recursion is bounded too.
DocumentValue convert(const toml::node& node) {
  DocumentValue value;
  value.place = place_of(node.source());
  if (const auto* table = node.as_table()) {
    convert_table(*table, value);
  } else if (const auto* array = node.as_array()) {
    convert_array(*array, value);
  } else if (const auto* text = node.as_string()) {
    value.kind = DocumentValue::Kind::kString;
    value.text = text->get();
  } else if (const auto* integer = node.as_integer()) {
    value.kind = DocumentValue::Kind::kInteger;
    value.integer = integer->get();
  } else if (const auto* number = node.as_floating_point()) {
    value.kind = DocumentValue::Kind::kFloat;
    value.number = number->get();
  } else if (const auto* boolean = node.as_boolean()) {
    value.kind = DocumentValue::Kind::kBoolean;
    value.boolean = boolean->get();
  } else {
    value.kind = DocumentValue::Kind::kDate;
  }
  return value;
}

}  // namespace

std::string_view to_string(DocumentValue::Kind kind) {
  switch (kind) {
    case DocumentValue::Kind::kString:
      return "a string";
    case DocumentValue::Kind::kInteger:
      return "an integer";
    case DocumentValue::Kind::kFloat:
      return "a number with a fraction";
    case DocumentValue::Kind::kBoolean:
      return "a boolean";
    case DocumentValue::Kind::kArray:
      return "an array";
    case DocumentValue::Kind::kTable:
      return "a table";
    case DocumentValue::Kind::kDate:
      return "a date or time";
  }
  return "";
}

Result<DocumentValue> parse_document(std::string_view toml) {
  const toml::parse_result result = toml::parse(toml);
  if (!result) {
    const toml::parse_error& error = result.error();
    return fail(ErrorCode::kInvalidArgument, std::to_string(error.source().begin.line) + ": " +
                                                 std::string(error.description()));
  }
  return convert(result.table());
}

}  // namespace migd
