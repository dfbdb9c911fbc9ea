# What reads bytes of others, besides the pure rooms that have their target beside their test.

imprint_fuzz_target(wire LIBRARIES imprintd_core imprint_static)
imprint_fuzz_target(config LIBRARIES imprintd_core imprint_static)
imprint_fuzz_target(code LIBRARIES imprint_tools imprintd_core imprint_static)

imprint_fuzz_target(client LIBRARIES imprintctl_core)
target_link_options(fuzz_client PRIVATE -Wl,--wrap=socket,--wrap=connect,--wrap=send,--wrap=recv
  -Wl,--wrap=poll,--wrap=close)

imprint_fuzz_target(row LIBRARIES imprintd_core imprint_static)

# The api over a list and workers that never fail.
foreach(target request batch)
  imprint_fuzz_target(${target} LIBRARIES imprintd_core imprint_static)
  target_sources(fuzz_${target} PRIVATE fuzz/fuzz_ask.c support/fake_rooms.c)
  target_include_directories(fuzz_${target} PRIVATE support)
endforeach()
