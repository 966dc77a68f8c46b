# Installs the shells' completion scripts, as the program prints them. mvd/cli/CMakeLists.txt sets `mvd_program` and
# `mvd_scratch`, a folder of the build.
foreach(script IN ITEMS bash=bash-completion/completions/mobilevd zsh=zsh/site-functions/_mobilevd
                        fish=fish/vendor_completions.d/mobilevd.fish)
  string(REGEX MATCH "^([a-z]+)=(.*)/([^/]+)$" _ "${script}")
  set(shell "${CMAKE_MATCH_1}")
  set(folder "${CMAKE_MATCH_2}")
  set(name "${CMAKE_MATCH_3}")
  file(MAKE_DIRECTORY "${mvd_scratch}")
  execute_process(COMMAND "${mvd_program}" completion ${shell} OUTPUT_FILE "${mvd_scratch}/${name}" RESULT_VARIABLE failed)
  if(failed)
    message(FATAL_ERROR "${mvd_program} completion ${shell}: ${failed}")
  endif()
  file(INSTALL DESTINATION "${CMAKE_INSTALL_PREFIX}/share/${folder}" TYPE FILE FILES "${mvd_scratch}/${name}")
endforeach()
