# How every addon is built: Node-API alone, so that it is the same for every version of Node, from headers of the npm
# packages. Flags of the linker and the compiler harden it; `KAOMON_STRICT` makes warnings errors, `KAOMON_SANITIZE`
# builds it with ASan and UBSan.
option(KAOMON_STRICT "Warnings are errors" OFF)
option(KAOMON_SANITIZE "With sanitizers, for npm run native:check" OFF)
set(KAOMON_MODULES ${CMAKE_CURRENT_LIST_DIR}/../node_modules)
set(KAOMON_COMMON ${CMAKE_CURRENT_LIST_DIR}/common)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

# Flags of all that is compiled of ours.
function(kaomon_flags name)
  set_target_properties(${name} PROPERTIES
    CXX_STANDARD 17 CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS OFF
    CXX_VISIBILITY_PRESET hidden POSITION_INDEPENDENT_CODE ON)
  target_compile_options(${name} PRIVATE -Wall -Wextra -fstack-protector-strong)
  if(KAOMON_STRICT)
    target_compile_options(${name} PRIVATE -Werror)
  endif()
  if(KAOMON_SANITIZE)
    target_compile_options(${name} PRIVATE
      -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all)
  else()
    target_compile_options(${name} PRIVATE -O3 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
  endif()
endfunction()

# kaomon_addon(NAME SOURCE...): the target NAME, which makes NAME.node.
function(kaomon_addon name)
  add_library(${name} MODULE ${ARGN})
  kaomon_flags(${name})
  set_target_properties(${name} PROPERTIES PREFIX "" SUFFIX ".node")
  target_include_directories(${name} PRIVATE ${KAOMON_COMMON})
  # What is not ours is not warned about.
  target_include_directories(${name} SYSTEM PRIVATE
    ${KAOMON_MODULES} ${KAOMON_MODULES}/node-addon-api ${KAOMON_MODULES}/node-api-headers/include)
  # Exceptions of C++ become JavaScript's instead of ending the process.
  target_compile_definitions(${name} PRIVATE
    NAPI_VERSION=8 NAPI_CPP_EXCEPTIONS NODE_ADDON_API_CPP_EXCEPTIONS_ALL)
  target_link_options(${name} PRIVATE -Wl,-z,relro,-z,now)
  if(KAOMON_SANITIZE)
    target_link_options(${name} PRIVATE -fsanitize=address,undefined)
  endif()
endfunction()

# kaomon_objects(NAME SOURCE...): objects for an addon that is compiled in parts.
function(kaomon_objects name)
  add_library(${name} OBJECT ${ARGN})
  kaomon_flags(${name})
endfunction()
