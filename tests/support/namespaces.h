// Runs a test's body in a network namespace of its own, in a child process: as root just there, as
// an ordinary user inside a user namespace, where he is root.
#pragma once

#include <functional>
#include <string>

namespace migd::test {

// Fails the calling test when the body fails, crashes, or does not end within a minute. The body
// uses EXPECT_ and ASSERT_ as usual; its messages are printed by the child.
void in_network_namespace(const std::function<void()>& body);

// Runs `command` with a shell, /usr/sbin in its PATH; fails the test when it fails.
void run(const std::string& command);

// True when this process may make a TUN device (in a namespace of its own).
bool may_use_tun();

}  // namespace migd::test
