// Writes the manifest of a compute's base. docs/formats/manifest.md is the specification.
#pragma once

#include <string>

#include "bough/lsn.hpp"
#include "pageserver/branching/state.hpp"

namespace bough::pageserver {

// The forks a compute fetches page by page. Relations with an init fork (unlogged ones) are not among them: a compute gets them
// as files, empty as after a crash.
ForkLengths fetched_forks(const ForkLengths& all);

std::string encode_manifest(const ForkLengths& forks, Lsn start_lsn);

}  // namespace bough::pageserver
