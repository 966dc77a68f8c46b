# embed_folder(TARGET FOLDER SYMBOL): the files of FOLDER become part of TARGET, in a table `mvd::SYMBOL()`.
function(embed_folder target folder symbol)
  file(GLOB_RECURSE files CONFIGURE_DEPENDS LIST_DIRECTORIES false RELATIVE ${folder} ${folder}/*)
  set(data "")
  set(table "")
  set(depends "")
  set(hashes "")
  set(index 0)
  foreach(file IN LISTS files)
    set(name ${symbol}_${index})
    math(EXPR index "${index} + 1")
    file(SHA256 ${folder}/${file} hash)
    string(APPEND hashes "${file} ${hash}\n")
    # The end's label, for the size: a file may change between this configuration and the build.
    string(APPEND data "asm(\".pushsection .rodata\\n.balign 64\\n${name}:\\n.incbin \\\"${folder}/${file}\\\"\\n${name}_end:\\n.popsection\");\n"
                       "extern \"C\" const uint8_t ${name}[], ${name}_end[];\n")
    string(APPEND table "      {\"${file}\", {${name}, ${name}_end}},\n")
    list(APPEND depends ${folder}/${file})
  endforeach()
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${depends})  # for the hash
  string(SHA256 hash "${hashes}")
  string(SUBSTRING ${hash} 0 16 hash)
  set(source ${CMAKE_CURRENT_BINARY_DIR}/${symbol}.cc)
  file(CONFIGURE OUTPUT ${source} @ONLY CONTENT "// Made by cmake/embed.cmake from ${folder}.
#include \"mvd/engine/embedded_files.h\"

@data@
namespace mvd {

EmbeddedFiles @symbol@() {
  static const EmbeddedFile kFiles[] = {
@table@  };
  return {kFiles, \"@hash@\"};
}

}  // namespace mvd
")
  set_source_files_properties(${source} PROPERTIES OBJECT_DEPENDS "${depends}")
  target_sources(${target} PRIVATE ${source})
endfunction()
