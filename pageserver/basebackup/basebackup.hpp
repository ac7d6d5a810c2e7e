// Makes the archive from which a compute starts at an LSN: every small file, and the manifest of what it fetches later.
// docs/formats/basebackup.md is the specification.
#pragma once

#include <string>

#include "bough/error.hpp"
#include "bough/lsn.hpp"
#include "pageserver/branching/branch.hpp"
#include "pageserver/branching/project_row.hpp"
#include "pageserver/read/page_reader.hpp"

namespace bough::pageserver {

// A POSIX ustar archive of the branch as of `lsn`, where the compute's WAL will begin. The branch must be readable there.
// ErrorCode::corrupt when something a cluster cannot be without is missing.
Result<std::string> make_basebackup(const Branch& branch, const ProjectRow& project, PageReader& reader, Lsn lsn);

}  // namespace bough::pageserver
