// A model folder whose UNet is to be rewritten, and its copy with the UNet that came of it.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "mvd/base/cancel.h"
#include "mvd/base/parallel.h"
#include "mvd/compress/unet_rewrite.h"
#include "mvd/io/model_folder.h"

namespace mvd {

struct UnetFolder {
  ModelFolder folder;
  std::filesystem::path unet;  // the UNet's own folder: inside the pipeline's, or the same
  std::string config_file;     // of the UNet, for messages
  nlohmann::json config_json;
  SvdUnetConfig config;

  // A pipeline's folder, every component of it there, or a UNet's own. Error(kNotFound) where the path does
  // not exist, Error(kBadInput) where it has no UNet that mobilevd runs.
  static UnetFolder Open(const std::filesystem::path& path);

  bool HasTinyDecoder() const;
};

// Writes `target`, which appears whole or not at all: the rewritten UNet with its config (keys that are not
// ours are kept), and in a pipeline all other components, linked hard where the file system can, else copied.
// Error(kUsage) where `target` exists and is no empty folder.
void WriteUnetFolder(const UnetFolder& source, const SvdUnetConfig& config, UnetRewrite& rewrite,
                     const std::filesystem::path& target, const Threads& threads,
                     const CancelToken* cancel = nullptr, const Progress& progress = {});
// What WriteUnetFolder throws where it would refuse `target`, before the work.
void CheckNewFolder(const std::filesystem::path& target);

}  // namespace mvd
