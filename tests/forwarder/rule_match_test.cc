#include "forwarder/rule_match.h"

#include <gtest/gtest.h>

namespace migd {
namespace {

struct HeadCase {
  const char *method, *target, *host_field;  // in
  const char *host, *path;                   // out
};

TEST(RequestHead, FormsOfTheTarget) {
  constexpr HeadCase kCases[] = {
      {"GET", "/a/b?c=d", "example.com", "example.com", "/a/b?c=d"},
      {"GET", "/", "example.com:8080", "example.com", "/"},
      {"GET", "/", "[fd77::1]:80", "[fd77::1]", "/"},
      {"GET", "/", "[fd77::1]", "[fd77::1]", "/"},
      {"GET", "/", "", "", "/"},
      {"GET", "/", "example.com:", "example.com", "/"},
      // Absolute form: its authority, not the Host field.
      {"GET", "http://a.example/x", "b.example", "a.example", "/x"},
      {"GET", "http://a.example:81", "b.example", "a.example", "/"},
      {"GET", "HTTP://a.example?q", "b.example", "a.example", "?q"},
      {"GET", "http://good.example@evil.example/x", "", "evil.example", "/x"},
      {"GET", "http://u:p@a.example:81/x", "", "a.example", "/x"},
      {"GET", "http://a.example/x@y", "", "a.example", "/x@y"},
      {"GET", "http://[fd77::1]:80/x", "", "[fd77::1]", "/x"},
      // Authority form, asterisk form.
      {"CONNECT", "a.example:443", "b.example", "a.example", ""},
      {"OPTIONS", "*", "a.example", "a.example", "*"},
      {"GET", "nonsense", "a.example", "a.example", "nonsense"},
  };
  for (const HeadCase& c : kCases) {
    const RequestHead head = RequestHead::from(c.method, c.target, c.host_field);
    EXPECT_EQ(head.method, c.method);
    EXPECT_EQ(head.host, c.host) << c.target;
    EXPECT_EQ(head.path, c.path) << c.target;
  }
}

struct MatchCase {
  RuleMatch match;
  RequestHead head;
  bool expected;
};

TEST(RuleMatch, EachConditionAndAllOfThem) {
  const MatchCase cases[] = {
      {{}, {"GET", "a", "/"}, true},
      {{"GET", {}, {}}, {"GET", "a", "/"}, true},
      {{"GET", {}, {}}, {"get", "a", "/"}, false},
      {{"GET", {}, {}}, {"HEAD", "a", "/"}, false},
      {{{}, "Example.COM", {}}, {"GET", "eXample.com", "/"}, true},
      {{{}, "example.com:80", {}}, {"GET", "example.com", "/"}, true},
      {{{}, "example.com", {}}, {"GET", "www.example.com", "/"}, false},
      {{{}, "example.com", {}}, {"GET", "example.comm", "/"}, false},
      {{{}, "example.com", {}}, {"GET", "", "/"}, false},
      {{{}, {}, "/api"}, {"GET", "a", "/api/x"}, true},
      {{{}, {}, "/api"}, {"GET", "a", "/api"}, true},
      {{{}, {}, "/api"}, {"GET", "a", "/ap"}, false},
      {{{}, {}, "/api"}, {"GET", "a", "/API"}, false},
      {{{}, {}, "/api"}, {"GET", "a", "/x/api"}, false},
      {{{}, {}, "/"}, {"OPTIONS", "a", "*"}, false},
      {{{}, {}, "/"}, {"CONNECT", "a", ""}, false},
      {{"GET", "a", "/x"}, {"GET", "a", "/x"}, true},
      {{"GET", "a", "/x"}, {"PUT", "a", "/x"}, false},
      {{"GET", "a", "/x"}, {"GET", "b", "/x"}, false},
      {{"GET", "a", "/x"}, {"GET", "a", "/y"}, false},
  };
  for (const MatchCase& c : cases) {
    EXPECT_EQ(matches(c.match, c.head), c.expected)
        << c.match.method.value_or("-") << ' ' << c.match.host.value_or("-") << ' '
        << c.match.path_prefix.value_or("-") << " against " << c.head.method << ' ' << c.head.host
        << ' ' << c.head.path;
  }
}

TEST(RuleMatch, TheFirstRuleWins) {
  const std::vector<ServiceRule> rules = {
      {"posts", {"POST", {}, {}}, NodeTarget{NodeId{1}}, "a"},
      {"api", {{}, {}, "/api"}, NodeTarget{NodeId{2}}, "b"},
      {"all", {}, NodeTarget{NodeId{3}}, "c"},
  };
  EXPECT_EQ(first_match(rules, {"POST", "h", "/api"})->name, "posts");
  EXPECT_EQ(first_match(rules, {"GET", "h", "/api"})->name, "api");
  EXPECT_EQ(first_match(rules, {"GET", "h", "/"})->name, "all");
  EXPECT_EQ(first_match({rules[0]}, {"GET", "h", "/"}), nullptr);
}

}  // namespace
}  // namespace migd
