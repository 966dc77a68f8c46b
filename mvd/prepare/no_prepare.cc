// Stands for data prepare in a build without its libraries: says which they are.
#include "mvd/base/error.h"
#include "mvd/prepare/prepare.h"

namespace mvd {

PrepareReport Prepare(const PrepareOptions&, const Progress&) {
  ThrowUsage(
      "data prepare: this build lacks FFmpeg, libarchive or OpenCV: configure with -DMVD_PREPARE=ON, which "
      "says what "
      "to install");
}

}  // namespace mvd
