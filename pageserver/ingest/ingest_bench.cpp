// How fast WAL becomes page versions: the segments of a branch's log, from its project's beginning, into a fresh store.
// ingest_bench DATA_DIRECTORY SEGMENT_DIRECTORY [BINDIR]: the first as a pageserver's (its template is used or made), the second as a
// safekeeper keeps it for a root branch.
#include <chrono>
#include <cstdio>
#include <ctime>
#include <iostream>

#include "files/files.hpp"
#include "pageserver/branching/projects.hpp"
#include "pageserver/import/import_cluster.hpp"
#include "pageserver/ingest/ingest.hpp"
#include "pageserver/testing/fake_redo.hpp"
#include "pg/wal_segment.hpp"

namespace bough::pageserver {
namespace {

constexpr std::uint32_t kSegmentBytes = 16u << 20;
constexpr std::size_t kMessageBytes = 128 << 10;  // as the WAL service sends

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

Result<void> run(const std::filesystem::path& data, const std::filesystem::path& segments, const std::filesystem::path& bindir) {
    BOUGH_ASSIGN(const ClusterTemplate cluster, prepare_cluster_template(data, bindir));
    StoreResources resources(StoreResources::Options{});
    BOUGH_ASSIGN(const auto projects, Projects::open(data, resources));
    const ProjectId id = *ProjectId::parse("bench");
    const BranchId root = *BranchId::parse("main");
    (void)projects->remove(id);
    BOUGH_ASSIGN(const auto project, projects->create(id, [&](const std::filesystem::path& directory) {
        return import_cluster(cluster, SystemId{1}, root, directory, resources);
    }));
    BOUGH_ASSIGN(const auto branch, project->branch(root));
    FakeRedo redo;
    PageReaderMetrics metrics;
    PageReader reader(redo, metrics);
    BOUGH_ASSIGN(const auto ingest, Ingest::begin(*branch, reader, {}));

    const Lsn begin = ingest->next_lsn();
    const double cpu = cpu_seconds();
    const auto start = std::chrono::steady_clock::now();
    auto segment = pg::segment_of(begin, kSegmentBytes);
    for (;; ++segment.value) {
        const auto bytes = files::read(segments / pg::wal_segment_name(segment, kSegmentBytes));
        if (!bytes) break;
        auto rest = std::as_bytes(std::span(*bytes));
        rest = rest.subspan(ingest->next_lsn().value % kSegmentBytes);
        while (!rest.empty()) {
            const auto some = rest.first(std::min(kMessageBytes, rest.size()));
            // The unwritten rest of the last segment ends it.
            if (const auto fed = ingest->feed(some); !fed) {
                std::printf("ends: %s\n", fed.error().message.c_str());
                rest = {};
                break;
            }
            rest = rest.subspan(some.size());
        }
    }
    BOUGH_TRY(ingest->commit());
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    BOUGH_TRY(project->store().flush());
    const std::uint64_t bytes = branch->ingest_lsn() - begin;
    std::printf("%.1f MB of WAL in %.2f s (%.1f MB/s), %.2f s of CPU with the flush; store %.1f MB\n", static_cast<double>(bytes) / 1e6,
                took.count(), static_cast<double>(bytes) / 1e6 / took.count(), cpu_seconds() - cpu,
                static_cast<double>(project->store().bytes_on_disk()) / 1e6);
    return {};
}

}  // namespace
}  // namespace bough::pageserver

int main(int argc, char** argv) {
    if (argc < 3) {
        std::cerr << "usage: ingest_bench DATA_DIRECTORY SEGMENT_DIRECTORY [BINDIR]\n";
        return 2;
    }
    const auto ran = bough::pageserver::run(argv[1], argv[2], argc > 3 ? argv[3] : "/usr/lib/postgresql/15/bin");
    if (!ran) std::cerr << "ingest_bench: " << ran.error().to_string() << "\n";
    return ran ? 0 : 1;
}
