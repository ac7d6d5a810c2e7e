// The freshly initialised cluster from which every project begins.
#pragma once

#include <filesystem>
#include <string>

#include "bough/error.hpp"

namespace bough::pageserver {

// A data directory made by initdb, kept at <data>/template/15.
struct ClusterTemplate {
    std::filesystem::path directory;
    std::string control_file;  // global/pg_control
};

// Uses the template that is there, or makes it: under another name first, so that it is whole or not there. One caller per
// data directory at a time. ErrorCode::failed_precondition when initdb cannot be run, with what it said.
Result<ClusterTemplate> prepare_cluster_template(const std::filesystem::path& data_directory,
                                                 const std::filesystem::path& postgres_bindir);

}  // namespace bough::pageserver
