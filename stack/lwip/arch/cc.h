/* lwIP's view of the compiler and the platform. */
#ifndef MIGD_LWIP_ARCH_CC_H
#define MIGD_LWIP_ARCH_CC_H

#include <endian.h>
#include <stdint.h>

#include "hooks.h"

#define LWIP_DONT_PROVIDE_BYTEORDER_FUNCTIONS
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define lwip_htons(x) __builtin_bswap16(x)
#define lwip_htonl(x) __builtin_bswap32(x)
#endif

#define LWIP_PLATFORM_DIAG(message)
#define LWIP_PLATFORM_ASSERT(message) migd_lwip_assertion_failed((message), __FILE__, __LINE__)

#endif
