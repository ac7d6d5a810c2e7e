// Everything the admin interface speaks about; main builds it.
#pragma once

#include <chrono>
#include <string>

#include "pageserver/branching/projects.hpp"
#include "pageserver/import/cluster_template.hpp"
#include "pageserver/ingest/followers.hpp"
#include "pageserver/page_service/page_service.hpp"
#include "pageserver/read/page_reader.hpp"
#include "pageserver/redo/redo_pool.hpp"

namespace bough::pageserver {

// References outlive the admin interface.
struct AdminServices {
    StoreResources& resources;
    Projects& projects;
    Followers& followers;
    PageReader& reader;
    const ClusterTemplate& cluster_template;
    const PageReaderMetrics& reader_metrics;
    const PageServiceMetrics& page_service_metrics;
    const RedoMetrics* redo_metrics = nullptr;  // none where there is no redo
    std::string boot_id;  // random per process
};

}  // namespace bough::pageserver
