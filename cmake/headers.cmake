# Header-only libraries, which every build needs: from the folder MVD_HEADERS, else from the system.
set(MVD_HEADERS "" CACHE PATH "Folder with nlohmann/, CLI/, toml++/, Eigen/ and xxhash.h, where the system has none")

# mvd_headers(NAME FILE PACKAGE): target mvd_NAME_headers, with the folder that holds FILE.
function(mvd_headers name file package)
  find_path(MVD_${name}_INCLUDE ${file} PATHS ${MVD_HEADERS} PATH_SUFFIXES eigen3 NO_DEFAULT_PATH)
  find_path(MVD_${name}_INCLUDE ${file} PATH_SUFFIXES eigen3)
  if(NOT MVD_${name}_INCLUDE)
    message(SEND_ERROR "${file} is missing: install ${package}, or give a folder that holds it: -DMVD_HEADERS=DIR")
  endif()
  add_library(mvd_${name}_headers INTERFACE)
  target_include_directories(mvd_${name}_headers SYSTEM INTERFACE ${MVD_${name}_INCLUDE})
endfunction()

mvd_headers(json nlohmann/json.hpp nlohmann-json3-dev)
mvd_headers(cli11 CLI/CLI.hpp libcli11-dev)
mvd_headers(toml toml++/toml.h libtomlplusplus-dev)
mvd_headers(eigen Eigen/Dense libeigen3-dev)
mvd_headers(xxhash xxhash.h libxxhash-dev)
