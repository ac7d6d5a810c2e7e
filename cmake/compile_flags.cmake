# Warnings are errors in our own code; third-party headers are system headers.
add_compile_options(-Wall -Wextra -Wshadow -fno-omit-frame-pointer)
add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor>)
option(BOUGH_WERROR "Treat warnings as errors" ON)
if(BOUGH_WERROR)
  add_compile_options(-Werror)
endif()

# Hardening for release builds (the sanitizers bring their own).
if(CMAKE_BUILD_TYPE STREQUAL "Release" OR CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
  add_compile_options(-fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
  add_link_options(-Wl,-z,relro -Wl,-z,now)
endif()

set(BOUGH_SANITIZE "" CACHE STRING "Sanitizers for everything but the Postgres extension, e.g. address,undefined")
if(BOUGH_SANITIZE)
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fsanitize=${BOUGH_SANITIZE}>
                      $<$<COMPILE_LANGUAGE:CXX>:-fno-sanitize-recover=all>
                      # What sanitizers add hides from GCC that a value was set; a plain build warns.
                      $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-maybe-uninitialized>)
  # Asio's fences: GCC says that it does not follow them, which would be an error here.
  if(BOUGH_SANITIZE STREQUAL "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Wno-tsan>)
  endif()
  set(BOUGH_SANITIZE_LINK -fsanitize=${BOUGH_SANITIZE})
endif()

option(BOUGH_FUZZ "Build the fuzz targets (needs clang)" OFF)
if(BOUGH_FUZZ)
  # Coverage of the libraries under test guides the fuzzer.
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fsanitize=fuzzer-no-link>)
endif()
