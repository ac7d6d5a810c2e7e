// Turns a cleanly shut down data directory into a project's store.
#pragma once

#include <filesystem>

#include "bough/error.hpp"
#include "bough/ids.hpp"
#include "pageserver/import/cluster_template.hpp"
#include "pageserver/page_store/rows.hpp"
#include "pageserver/page_store/store.hpp"

namespace bough::pageserver {

// Fills `directory` (a project's, empty) with a store that holds the template's files as of the root branch's beginning: the
// first segment boundary after the template's own WAL. On return everything is durable. The project gets its own system
// identifier. On an error the directory holds anything.
Result<void> import_cluster(const ClusterTemplate& source, SystemId system_id, const BranchId& root_branch,
                            const std::filesystem::path& directory, StoreResources& resources);

}  // namespace bough::pageserver
