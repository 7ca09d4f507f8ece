# Third-party packages, by the names of Debian 12. Each is wrapped as a SYSTEM target.
find_package(PkgConfig REQUIRED)
pkg_check_modules(uv REQUIRED IMPORTED_TARGET libuv)
pkg_check_modules(sodium REQUIRED IMPORTED_TARGET libsodium)
pkg_check_modules(nettle REQUIRED IMPORTED_TARGET nettle)
find_package(fmt REQUIRED)
find_package(Threads REQUIRED)

# Header-only libraries found as headers: their CMake packages add flags that we do not want.
function(migd_header_library target header)
  find_path(${target}_include_dir ${header} REQUIRED)
  add_library(${target} INTERFACE)
  target_include_directories(${target} SYSTEM INTERFACE ${${target}_include_dir})
endfunction()
migd_header_library(tl_expected tl/expected.hpp)
migd_header_library(robin_map tsl/robin_map.h)
migd_header_library(cli11 CLI/CLI.hpp)
migd_header_library(tomlplusplus toml++/toml.h)
migd_header_library(nlohmann_json nlohmann/json.hpp)

pkg_check_modules(spdlog REQUIRED IMPORTED_TARGET spdlog)
add_library(spdlog_lite INTERFACE)
target_link_libraries(spdlog_lite INTERFACE PkgConfig::spdlog)

# llhttp: Debian's node-llhttp ships the C sources; later distributions have a library.
find_path(llhttp_include_dir llhttp.h PATHS /usr/share/include /usr/share
          PATH_SUFFIXES llhttp include/llhttp REQUIRED)
find_path(llhttp_source_dir llhttp.c PATHS /usr/share/llhttp REQUIRED)
add_library(llhttp STATIC ${llhttp_source_dir}/api.c ${llhttp_source_dir}/http.c
                          ${llhttp_source_dir}/llhttp.c)
target_include_directories(llhttp SYSTEM PUBLIC ${llhttp_include_dir})
target_compile_options(llhttp PRIVATE -w)
