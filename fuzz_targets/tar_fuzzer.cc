// Any bytes as a tar file: members whose names stay inside a folder and whose data lie whole inside the file.
#include <vector>

#include "fuzz_targets/fuzzing.h"
#include "mvd/data/tar_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const mvd::InputFile file(data, size);
  mvd::BadInputAtMost([&] {
    const mvd::TarListing listing = mvd::ListTar(file.path());
    for (const mvd::TarMember& member : listing.members) {
      mvd::Require(member.offset <= size && member.size <= size - member.offset);
      const std::filesystem::path name(member.name);
      mvd::Require(!member.name.empty() && name.is_relative());
      for (const auto& part : name) mvd::Require(part != ".." && part != ".");
      std::vector<uint8_t> bytes(member.size);
      mvd::ReadRange(file.path(), member.offset, member.size, bytes.data());
    }
    for (const std::string& problem : listing.problems) mvd::Require(problem.find('\n') == problem.npos);
  });
  return 0;
}
