# The lwIP library: written with stack/lwip.
add_library(lwip INTERFACE)
