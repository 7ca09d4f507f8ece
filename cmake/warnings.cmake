# migd_warnings: for our own code only, never for lwIP, llhttp or system headers.
add_library(migd_warnings INTERFACE)
target_compile_options(migd_warnings INTERFACE
  -Wall -Wextra -Werror -Wswitch-enum -Wshadow -Wnon-virtual-dtor -Wold-style-cast)

# RelWithDebInfo without NDEBUG: assertions of lwIP stay on, they cost one connection when they
# fail.
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1")
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g1")

if(MIGD_SANITIZE)
  # -O1: half of the time to compile, and fewer mistakes are optimised away.
  set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O1 -g1")
  set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O1 -g1")
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all
                      -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
endif()
if(MIGD_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)  # coverage; tests/fuzz links the driver
endif()
