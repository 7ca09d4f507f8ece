# The library `lwip`: lwIP's TCP, copied from MIGD_LWIP_SOURCE_DIR, patched (stack/lwip/patches),
# and built with our options on our IP layer (stack/lwip). The source itself is never changed.
if(NOT EXISTS ${MIGD_LWIP_SOURCE_DIR}/src/core/tcp.c)
  message(FATAL_ERROR
    "MIGD_LWIP_SOURCE_DIR is '${MIGD_LWIP_SOURCE_DIR}', which holds no lwIP source. "
    "Run scripts/bootstrap, or pass -DMIGD_LWIP_SOURCE_DIR=$(scripts/bootstrap --print-lwip).")
endif()
find_program(PATCH_PROGRAM patch REQUIRED)

set(lwip_sources core/tcp.c core/tcp_in.c core/tcp_out.c core/pbuf.c core/mem.c core/memp.c
                 core/def.c core/ipv4/ip4_addr.c core/ipv6/ip6_addr.c)
set(lwip_copy ${CMAKE_BINARY_DIR}/lwip)

# What the copy depends on. A changed patch configures again, and only then is the copy renewed.
file(GLOB lwip_patches CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/stack/lwip/patches/*.patch)
list(SORT lwip_patches)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
             ${lwip_patches} ${CMAKE_CURRENT_LIST_FILE})
file(SHA256 ${CMAKE_CURRENT_LIST_FILE} lwip_key)
set(lwip_key "${MIGD_LWIP_SOURCE_DIR} ${lwip_key}")
foreach(patch IN LISTS lwip_patches)
  file(SHA256 ${patch} sha256)
  string(APPEND lwip_key " ${sha256}")
endforeach()
set(lwip_done "")
if(EXISTS ${lwip_copy}/done)
  file(READ ${lwip_copy}/done lwip_done)
endif()

if(NOT lwip_done STREQUAL lwip_key)
  file(REMOVE_RECURSE ${lwip_copy})
  file(GLOB_RECURSE headers RELATIVE ${MIGD_LWIP_SOURCE_DIR}/src
       ${MIGD_LWIP_SOURCE_DIR}/src/include/lwip/*.h ${MIGD_LWIP_SOURCE_DIR}/src/include/netif/*.h)
  foreach(name IN LISTS lwip_sources headers)
    # lwIP's lines end in CR LF; the patches, like all of our files, do not.
    file(READ ${MIGD_LWIP_SOURCE_DIR}/src/${name} text)
    string(REPLACE "\r\n" "\n" text "${text}")
    file(WRITE ${lwip_copy}/${name} "${text}")
  endforeach()
  foreach(patch IN LISTS lwip_patches)
    execute_process(
      COMMAND ${PATCH_PROGRAM} --batch --forward --fuzz=0 --no-backup-if-mismatch -p1 -i ${patch}
      WORKING_DIRECTORY ${lwip_copy} OUTPUT_VARIABLE output ERROR_VARIABLE output
      RESULT_VARIABLE failed)
    if(failed)
      message(FATAL_ERROR "${patch} does not apply to ${MIGD_LWIP_SOURCE_DIR}:\n${output}")
    endif()
  endforeach()
  file(WRITE ${lwip_copy}/done "${lwip_key}")
endif()

list(TRANSFORM lwip_sources PREPEND ${lwip_copy}/)
add_library(lwip STATIC ${lwip_sources} ${CMAKE_SOURCE_DIR}/stack/lwip/hooks.c)
target_include_directories(lwip SYSTEM PUBLIC ${lwip_copy}/include ${CMAKE_SOURCE_DIR}/stack/lwip)
target_compile_options(lwip PRIVATE -w)
