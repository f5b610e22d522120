# Makes a C file that holds texts: cmake -DOUT=file.c -DHEADER=x.h -P embed.cmake -- NAME file... [-- NAME file...]
#
# Each NAME becomes `const unsigned char NAME[]` with its files one after the other, and `const size_t NAME_size`.

set(code "#include \"${HEADER}\"\n")
set(name "")
set(hex "")

macro(finish)
  if(name)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
    string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "\\1\n"
      bytes "${bytes}")
    string(APPEND code "const unsigned char ${name}[] = {\n${bytes}0};\n"
      "const size_t ${name}_size = sizeof ${name} - 1;\n")
  endif()
endmacro()

set(begun FALSE)
set(wants_name FALSE)
math(EXPR last "${CMAKE_ARGC} - 1")
foreach(i RANGE ${last})
  set(argument "${CMAKE_ARGV${i}}")
  if(argument STREQUAL "--")
    finish()
    set(name "")
    set(hex "")
    set(begun TRUE)
    set(wants_name TRUE)
  elseif(wants_name)
    set(name "${argument}")
    set(wants_name FALSE)
  elseif(begun)
    file(READ "${argument}" bytes HEX)
    string(APPEND hex "${bytes}")
  endif()
endforeach()
finish()
file(WRITE "${OUT}" "${code}")
