# Writes a text file as a C string: cmake -DIN=... -DOUT=... -DTAG=en-GB -P embed.cmake
file(READ "${IN}" text)
string(REPLACE "\\" "\\\\" text "${text}")
string(REPLACE "\"" "\\\"" text "${text}")
string(REPLACE "\n" "\\n\"\n    \"" text "${text}")
file(WRITE "${OUT}" "/* Made from ${TAG}.txt; change that. */\n"
  "#define LOCALE_BUILTIN_TAG \"${TAG}\"\n"
  "static const char locale_builtin[] =\n    \"${text}\";\n")
