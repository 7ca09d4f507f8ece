// Small checks that several tables of the configuration share.
#pragma once

#include <string>
#include <string_view>

#include "base/address.h"

namespace migd {

inline constexpr std::string_view kNameExpected =
    "a name of at most 63 letters, digits, '.', '_' and '-', begun by a letter or digit";
bool is_name(std::string_view text);

// The name of a network device: at most 15 bytes, no space, no '/'.
inline constexpr std::string_view kDeviceExpected = "the name of a device, at most 15 characters";
bool is_device_name(std::string_view text);

bool is_unicast(
    const IpAddress& address);  // neither unspecified, loopback, multicast nor broadcast

std::string expected_got(std::string_view expected, std::string_view got);

}  // namespace migd
