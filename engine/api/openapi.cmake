# SPDX-License-Identifier: Apache-2.0
# docs/openapi.yaml goes into the program as JSON. Included behind the rooms by the top-level CMakeLists.txt.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
set(openapi_yaml ${CMAKE_SOURCE_DIR}/docs/openapi.yaml)
set(openapi_script ${CMAKE_SOURCE_DIR}/scripts/dev/openapi_to_cc.py)
set(openapi_cc ${CMAKE_BINARY_DIR}/generated/openapi_json.cc)
add_custom_command(
  OUTPUT ${openapi_cc}
  COMMAND ${Python3_EXECUTABLE} ${openapi_script} ${openapi_yaml} ${openapi_cc}
  DEPENDS ${openapi_yaml} ${openapi_script}
  COMMENT "docs/openapi.yaml -> openapi_json.cc"
  VERBATIM)
target_sources(stemedb_api PRIVATE ${openapi_cc})
