// Everything the admin interface speaks about; main builds it.
#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <string>

#include "pageserver/branching/projects.hpp"
#include "pageserver/gc/garbage_collector.hpp"
#include "pageserver/import/cluster_template.hpp"
#include "pageserver/ingest/followers.hpp"
#include "pageserver/page_service/page_service.hpp"
#include "pageserver/read/page_reader.hpp"
#include "pageserver/redo/redo_pool.hpp"

namespace bough::pageserver {

// References outlive the admin interface.
struct AdminServices {
    StoreResources& resources;
    std::filesystem::path projects_directory;  // of Projects: one directory per id
    Projects& projects;
    Followers& followers;
    GarbageCollector& garbage;
    PageReader& reader;
    const ClusterTemplate& cluster_template;
    const PageReaderMetrics& reader_metrics;
    const PageServiceMetrics& page_service_metrics;
    const GarbageMetrics& garbage_metrics;
    const RedoMetrics* redo_metrics;  // nullptr where there is no redo
    const std::atomic<bool>& stopping;  // waits end early
    std::string boot_id;                // random per process
};

// Branch::wait_readable(), given up when the process stops (unavailable).
Result<void> wait_readable(const AdminServices& services, const Branch& branch, Lsn lsn, std::chrono::milliseconds timeout);

}  // namespace bough::pageserver
