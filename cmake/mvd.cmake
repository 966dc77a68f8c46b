# mvd_library(NAME DEPS ...): every *.cc of the folder but those of EXCLUDE, tests apart. A folder's tests become one
# program, mvd_NAME_test (label fast), its *_slow_test.cc another (label slow). LIGHT: the folder computes little, so that
# -O1 does, and it shares one precompiled header; both halve the time that it takes to compile.
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
# Results must not depend on the compiler's choice of fused multiply-adds.
add_compile_options(-Wall -Wextra -ffp-contract=off)
if(MVD_WERROR)
  add_compile_options(-Werror)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  add_compile_options(-Wno-restrict)  # GCC bug 105651: false alarms on std::string's operator+
endif()
if(CMAKE_UNITY_BUILD AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Wno-subobject-linkage>)  # takes the files that are compiled together for headers
endif()
if(MVD_SANITIZE)
  add_compile_options(-fsanitize=${MVD_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${MVD_SANITIZE})
endif()

find_program(MVD_CCACHE ccache)
if(MVD_CCACHE)  # what ccache asks for where headers are precompiled
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${MVD_CCACHE})
endif()

# mvd_precompile(TARGET NAME [HEADER header] [LIBRARY library]): TARGET is compiled at -O1; its header, which the library
# brings, and the usual ones are precompiled, once per NAME. LibTorch's targets bring definitions that no shared precompiled header has: with them each
# file reads its headers itself.
function(mvd_precompile target name)
  cmake_parse_arguments(ARG "" "HEADER;LIBRARY" "" ${ARGN})
  target_compile_options(${target} PRIVATE -O1)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    target_compile_options(${target} PRIVATE -Wno-stringop-overflow -Wno-array-bounds)  # false alarms on std::string at -O1
  endif()
  if(MVD_TORCH)
    return()
  endif()
  set(openmp)
  if(TARGET OpenMP::OpenMP_CXX)  # its flag has to be the same for the header and for what reads it
    set(openmp OpenMP::OpenMP_CXX)
  endif()
  target_link_libraries(${target} PRIVATE ${openmp})
  if(NOT TARGET mvd_headers_${name})
    file(WRITE ${PROJECT_BINARY_DIR}/headers_${name}.cc "// Compiled for its precompiled header.\n")
    add_library(mvd_headers_${name} OBJECT EXCLUDE_FROM_ALL ${PROJECT_BINARY_DIR}/headers_${name}.cc)
    target_compile_options(mvd_headers_${name} PRIVATE -O1)
    target_link_libraries(mvd_headers_${name} PRIVATE mvd_json_headers ${openmp} ${ARG_LIBRARY})
    target_precompile_headers(mvd_headers_${name} PRIVATE ${ARG_HEADER} <algorithm> <filesystem> <fstream> <functional> <iostream>
      <map> <optional> <sstream> <string> <variant> <vector> <nlohmann/json.hpp>)
  endif()
  target_precompile_headers(${target} REUSE_FROM mvd_headers_${name})
endfunction()

function(mvd_library name)
  cmake_parse_arguments(ARG "LIGHT" "" "DEPS;PRIVATE_DEPS;EXCLUDE" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} *.cc)
  foreach(excluded ${ARG_EXCLUDE})
    list(REMOVE_ITEM sources ${excluded})
  endforeach()
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  if(sources)
    add_library(mvd_${name} STATIC ${sources})
    set(link PUBLIC)
    set(link_private PRIVATE)
  else()
    add_library(mvd_${name} INTERFACE)
    set(link INTERFACE)
    set(link_private INTERFACE)
  endif()
  target_include_directories(mvd_${name} ${link} ${PROJECT_SOURCE_DIR})
  target_link_libraries(mvd_${name} ${link} ${ARG_DEPS} ${link_private} ${ARG_PRIVATE_DEPS})
  if(ARG_LIGHT)
    mvd_precompile(mvd_${name} json)
  endif()
  if(MVD_TESTS AND tests)
    set(slow ${tests})
    list(FILTER slow INCLUDE REGEX "_slow_test\\.cc$")
    list(FILTER tests EXCLUDE REGEX "_slow_test\\.cc$")
    if(tests)
      mvd_test(${name}_test LABEL fast SOURCES ${tests} DEPS mvd_${name})
    endif()
    if(slow)
      mvd_test(${name}_slow_test LABEL slow SOURCES ${slow} DEPS mvd_${name})
    endif()
  endif()
endfunction()

# mvd_stub(NAME DEPS...): no_NAME.cc alone, for a folder whose part this build leaves out.
function(mvd_stub name)
  add_library(mvd_${name} STATIC no_${name}.cc)
  target_include_directories(mvd_${name} PUBLIC ${PROJECT_SOURCE_DIR})
  target_link_libraries(mvd_${name} PUBLIC ${ARGN})
endfunction()

# The source tree's path stands in one file of its own, so that the other objects are the same wherever the tree lies.
if(MVD_TESTS)
  file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/source_dir.cc CONTENT "#include \"mvd/base/source_dir_testing.h\"

std::filesystem::path mvd::SourceDir() { return R\"(@PROJECT_SOURCE_DIR@)\"; }
" @ONLY)
  add_library(mvd_source_dir STATIC EXCLUDE_FROM_ALL ${PROJECT_BINARY_DIR}/source_dir.cc)
  target_include_directories(mvd_source_dir PUBLIC ${PROJECT_SOURCE_DIR})
endif()

function(mvd_test name)
  cmake_parse_arguments(ARG "" "LABEL" "SOURCES;DEPS" ${ARGN})
  find_package(GTest REQUIRED)
  add_executable(mvd_${name} ${ARG_SOURCES})
  set_target_properties(mvd_${name} PROPERTIES UNITY_BUILD OFF)  # each test has helpers of its own, with the plainest names
  target_link_libraries(mvd_${name} PRIVATE ${ARG_DEPS} mvd_source_dir GTest::gtest_main)
  mvd_precompile(mvd_${name} gtest HEADER <gtest/gtest.h> LIBRARY GTest::gtest)
  add_test(NAME ${name} COMMAND mvd_${name} WORKING_DIRECTORY ${PROJECT_BINARY_DIR})
  set_tests_properties(${name} PROPERTIES LABELS ${ARG_LABEL})
endfunction()
