# bough_unprivileged_test(NAME SOURCES... LIBS...)  as bough_test(), for tests that start Postgres themselves: run as user
# postgres when the build is root's.
function(bough_unprivileged_test name)
  cmake_parse_arguments(A "" "" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${A_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${A_LIBS} GTest::gtest GTest::gmock GTest::gtest_main ${BOUGH_SANITIZE_LINK})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND ${CMAKE_SOURCE_DIR}/tests/support/as_unprivileged.sh $<TARGET_FILE:${name}>
           WORKING_DIRECTORY /)
  set_tests_properties(${name} PROPERTIES LABELS unit TIMEOUT 600)
endfunction()
