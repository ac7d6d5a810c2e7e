// How fast WAL becomes page versions, and those durable: the segments of a cluster's log into a fresh store.
//
// ingest_bench WORK_DIRECTORY CLUSTER SEGMENT_DIRECTORY [END]: CLUSTER is a data directory that was shut down and whose next segment
// is where the log in SEGMENT_DIRECTORY begins (pg_resetwal makes such a log); END is where to stop, an LSN. Prints one line of JSON.
#include <chrono>
#include <cstdio>
#include <iostream>

#include <sys/resource.h>

#include "files/files.hpp"
#include "pageserver/branching/projects.hpp"
#include "pageserver/import/import_cluster.hpp"
#include "pageserver/ingest/ingest.hpp"
#include "pageserver/testing/fake_redo.hpp"
#include "pg/wal_segment.hpp"
#include "pg/wal_stream.hpp"

namespace bough::pageserver {
namespace {

constexpr std::uint32_t kSegmentBytes = 16u << 20;
constexpr std::size_t kMessageBytes = 128 << 10;  // as the WAL service sends

// RUSAGE_SELF: with sealing and compaction; RUSAGE_THREAD: of the calling thread.
double cpu_seconds(int whose) {
    rusage usage{};
    ::getrusage(whose, &usage);
    const auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// The log in memory, so that nothing but ingest is measured.
Result<std::string> read_log(const std::filesystem::path& segments, Lsn begin, Lsn end) {
    std::string log;
    for (auto segment = pg::segment_of(begin, kSegmentBytes); segment.value * kSegmentBytes < end.value; ++segment.value) {
        const auto bytes = files::read(segments / pg::wal_segment_name(segment, kSegmentBytes));
        if (!bytes) break;
        log += *bytes;
    }
    if (log.empty()) return Error{ErrorCode::not_found, "no segment at " + begin.to_string() + " in " + segments.string(), {}};
    log.erase(0, begin.value % kSegmentBytes);
    log.resize(std::min<std::size_t>(log.size(), end - begin));
    return log;
}

// Where the last whole record ends, and how many there are.
std::pair<std::uint64_t, std::size_t> count_records(std::string_view log, Lsn begin) {
    pg::WalStream stream({}, begin);
    std::uint64_t records = 0;
    for (std::size_t at = 0; at < log.size(); at += kMessageBytes) {
        stream.feed(std::as_bytes(std::span(log.substr(at, kMessageBytes))));
        while (true) {
            const auto record = stream.next();
            if (!record) return {records, stream.record_end() - begin};  // the unwritten rest of the last segment
            if (!*record) break;
            ++records;
        }
    }
    return {records, stream.record_end() - begin};
}

Result<void> run(const std::filesystem::path& work, const std::filesystem::path& cluster, const std::filesystem::path& segments,
                 Lsn end) {
    ClusterTemplate source{cluster, {}};
    BOUGH_ASSIGN(source.control_file, files::read(cluster / "global" / "pg_control"));
    StoreResources resources(StoreResources::Options{});
    BOUGH_ASSIGN(const auto projects, Projects::open(work, resources));
    const ProjectId id = *ProjectId::parse("bench");
    const BranchId root = *BranchId::parse("main");
    (void)projects->remove(id);
    BOUGH_ASSIGN(const auto project, projects->create(id, [&](const std::filesystem::path& directory) {
        return import_cluster(source, SystemId{1}, root, directory, resources);
    }));
    BOUGH_ASSIGN(const auto branch, project->branch(root));
    FakeRedo redo;
    PageReaderMetrics metrics;
    PageReader reader(redo, metrics);
    BOUGH_ASSIGN(const auto ingest, Ingest::begin(*branch, reader, {}));

    const Lsn begin = ingest->next_lsn();
    BOUGH_ASSIGN(std::string log, read_log(segments, begin, end));
    const auto [records, bytes] = count_records(log, begin);
    log.resize(bytes);

    const std::uint64_t sealed_before = resources.counts().seal_microseconds;
    const double cpu = cpu_seconds(RUSAGE_SELF);
    const double feeding_cpu = cpu_seconds(RUSAGE_THREAD);
    const auto start = std::chrono::steady_clock::now();
    for (std::size_t at = 0; at < log.size(); at += kMessageBytes) {
        BOUGH_TRY(ingest->feed(std::as_bytes(std::span(std::string_view(log).substr(at, kMessageBytes)))));
        project->store().wait_for_room(std::chrono::steady_clock::now() + std::chrono::seconds(60));
    }
    BOUGH_TRY(ingest->commit());
    const std::chrono::duration<double> readable = std::chrono::steady_clock::now() - start;
    const double readable_cpu = cpu_seconds(RUSAGE_THREAD) - feeding_cpu;
    BOUGH_TRY(project->store().flush());
    const std::chrono::duration<double> durable = std::chrono::steady_clock::now() - start;
    std::printf(
        "{\"records\": %llu, \"wal_bytes\": %zu, \"readable_s\": %.4f, \"readable_cpu_s\": %.4f, \"durable_s\": %.4f, \"cpu_s\": %.4f, "
        "\"sealing_s\": %.4f, \"waits\": %llu, \"store_bytes\": %llu}\n",
        static_cast<unsigned long long>(records), log.size(), readable.count(), readable_cpu, durable.count(), cpu_seconds(RUSAGE_SELF) - cpu,
        static_cast<double>(resources.counts().seal_microseconds - sealed_before) / 1e6,
        static_cast<unsigned long long>(resources.counts().waits_for_room),
        static_cast<unsigned long long>(project->store().bytes_on_disk()));
    return {};
}

}  // namespace
}  // namespace bough::pageserver

int main(int argc, char** argv) {
    using namespace bough;
    const auto end = argc > 4 ? Lsn::parse(argv[4]) : std::optional(Lsn{~0ull});
    if (argc < 4 || !end) {
        std::cerr << "usage: ingest_bench WORK_DIRECTORY CLUSTER SEGMENT_DIRECTORY [END]\n";
        return 2;
    }
    const auto ran = pageserver::run(argv[1], argv[2], argv[3], *end);
    if (!ran) std::cerr << "ingest_bench: " << ran.error().to_string() << "\n";
    return ran ? 0 : 1;
}
