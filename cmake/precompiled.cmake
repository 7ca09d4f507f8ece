# What most of our files include of the standard library, fmt and GoogleTest is parsed once: that is
# more than half of the work of a build. Only foreign headers stand here, so that a change of ours
# compiles again what includes it and no more.
#
# A precompiled header also hides an include that is missing. Therefore scripts/test builds its
# clang tree with MIGD_PRECOMPILE=OFF. There a header is proven to include all that it needs by the
# .cc of the same name, which includes it first (tests/tidy sees to that); a header without a .cc is
# given one by MIGD_HEADERS_ALONE.
#
# ccache needs to be told to accept precompiled headers: with a launcher the default is without.
set(precompile ON)
if(CMAKE_CXX_COMPILER_LAUNCHER)
  set(precompile OFF)
endif()
option(MIGD_PRECOMPILE "Parse foreign headers once" ${precompile})
option(MIGD_HEADERS_ALONE "Compile each header that has no .cc by itself" OFF)

set(standard_headers <algorithm> <array> <charconv> <chrono> <cstdint> <cstring> <deque>
                     <functional> <map> <memory> <optional> <set> <string> <string_view>
                     <unordered_map> <utility> <variant> <vector> <fmt/format.h> <tl/expected.hpp>)
set(test_headers ${standard_headers} <gtest/gtest.h> <gmock/gmock.h> <fstream> <sstream>)

# migd_precompiled(NAME HEADERS LIBRARIES...) makes what migd_precompile() gives to a target. It is
# made without the private definitions of any module, for those have to be equal in all users.
function(migd_precompiled name headers)
  if(MIGD_PRECOMPILE)
    file(CONFIGURE OUTPUT ${name}.cc CONTENT "")
    add_library(${name} OBJECT ${CMAKE_CURRENT_BINARY_DIR}/${name}.cc)
    target_link_libraries(${name} PRIVATE ${ARGN})
    target_precompile_headers(${name} PRIVATE ${${headers}})
  endif()
endfunction()

function(migd_precompile target precompiled)
  if(MIGD_PRECOMPILE)
    target_precompile_headers(${target} REUSE_FROM ${precompiled})
  endif()
endfunction()

# migd_headers_alone(TARGET LIBRARIES...), after all other targets.
function(migd_headers_alone target)
  file(GLOB_RECURSE headers RELATIVE ${CMAKE_SOURCE_DIR} CONFIGURE_DEPENDS base/*.h stack/*.h
       forwarder/*.h migrator/*.h app/*.h cli/*.h tests/*.h)
  list(FILTER headers EXCLUDE REGEX ^stack/lwip/)
  foreach(header IN LISTS headers)
    string(REGEX REPLACE h$ cc source ${header})
    if(NOT EXISTS ${CMAKE_SOURCE_DIR}/${source})
      file(CONFIGURE OUTPUT ${target}/${source} CONTENT "#include \"${header}\"\n")
      list(APPEND sources ${CMAKE_BINARY_DIR}/${target}/${source})
    endif()
  endforeach()
  add_library(${target} OBJECT ${sources})
  target_link_libraries(${target} PRIVATE ${ARGN} migd_warnings)
endfunction()
