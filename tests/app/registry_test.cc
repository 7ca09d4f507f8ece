// Names, and states that are refused.
#include "app/registry.h"

#include <gtest/gtest.h>

#include "tests/app/two_nodes.h"

namespace migd {
namespace {

class RegistryTest : public testing::Test {
 protected:
  // The text of the refusal, "" when there was none. The connection must be left unbound.
  std::string refusal(const std::string& application, Bytes state) {
    FakeConnection connection(FakeConnection::Carried{});
    const Result<void> attached = node_.registry->attach(connection, application, state, true);
    if (attached) {
      connection.release();
      return "";
    }
    EXPECT_EQ(connection.handler(), nullptr);
    EXPECT_EQ(node_.registry->session_count(), 0u);
    return attached.error().text;
  }

  TestNode node_{
      {application("echo", ApplicationKind::kEcho), application("ramp", ApplicationKind::kSource)}};
};

TEST_F(RegistryTest, KnowsItsApplications) {
  EXPECT_TRUE(node_.registry->knows("echo"));
  EXPECT_TRUE(node_.registry->knows("ramp"));
  EXPECT_FALSE(node_.registry->knows("source"));
  EXPECT_FALSE(node_.registry->knows(""));
}

TEST_F(RegistryTest, AnUnknownNameIsNotFound) {
  FakeConnection connection;
  const Result<void> attached = node_.registry->attach(connection, "nobody", {}, false);
  ASSERT_FALSE(attached);
  EXPECT_EQ(attached.error().code, ErrorCode::kNotFound);
}

TEST_F(RegistryTest, BindsUnderTheConfiguredName) {
  FakeConnection connection;
  ASSERT_TRUE(node_.registry->attach(connection, "ramp", {}, false));
  EXPECT_EQ(connection.application(), "ramp");
}

TEST_F(RegistryTest, NamesMustBeUniqueAndThere) {
  const std::vector<ApplicationOptions> twice{application("a", ApplicationKind::kEcho),
                                              application("a", ApplicationKind::kEcho)};
  const std::vector<ApplicationOptions> nameless{application("", ApplicationKind::kEcho)};
  const ApplicationServices services{node_.files, node_.network, node_.log, node_.metrics, {}};
  EXPECT_FALSE(ApplicationRegistry::create(twice, services));
  EXPECT_FALSE(ApplicationRegistry::create(nameless, services));
}

TEST_F(RegistryTest, MalformedStatesAreRefusedByName) {
  EXPECT_EQ(refusal("echo", {3, 1, 0}), "");
  EXPECT_EQ(refusal("ramp", {5, 1, 0, 0}), "");
  const std::string refused = "application state refused: ";
  EXPECT_EQ(refusal("echo", {}), refused + "truncated");
  EXPECT_EQ(refusal("echo", {3}), refused + "truncated");
  EXPECT_EQ(refusal("echo", {3, 1}), refused + "truncated");
  EXPECT_EQ(refusal("echo", {5, 1, 0, 0}), refused + "of another kind than echo");
  EXPECT_EQ(refusal("echo", {3, 2, 0}), refused + "of version 2, expected 1");
  EXPECT_EQ(refusal("echo", {3, 1, 2}), refused + "ended is neither 0 nor 1");
  EXPECT_EQ(refusal("echo", {3, 1, 0, 0}), refused + "bytes behind its end");
  EXPECT_EQ(refusal("ramp", {5, 1, 0}), refused + "truncated");
  EXPECT_EQ(refusal("ramp", {5, 1, 0, 251}), refused + "position is outside the ramp");
}

TEST_F(RegistryTest, RefusalsAreCounted) {
  refusal("echo", {});
  EXPECT_EQ(node_.metrics.counter("migd_application_refused_total{application=\"echo\"}").value,
            1u);
}

TEST_F(RegistryTest, AFreshConnectionWithStateIsRefused) {
  FakeConnection connection;
  EXPECT_FALSE(node_.registry->attach(connection, "echo", Bytes{3, 1, 0}, false));
}

}  // namespace
}  // namespace migd
