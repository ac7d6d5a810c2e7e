#include "safekeeper/admin/metrics.hpp"

#include <fmt/format.h>

#include "safekeeper/segment/durable_file.hpp"

namespace bough::safekeeper::admin {
namespace {

void append_sync_histogram(std::string& out) {
    const auto& histogram = segment::wal_sync_histogram();
    out += "# HELP bough_safekeeper_wal_sync_seconds How long the fdatasync of received WAL took.\n"
           "# TYPE bough_safekeeper_wal_sync_seconds histogram\n";
    std::uint64_t total = 0;
    for (std::size_t bucket = 0; bucket < segment::SyncHistogram::kBuckets; ++bucket) {
        total += histogram.count(bucket);
        bool last = bucket + 1 == segment::SyncHistogram::kBuckets;
        auto bound = last ? "+Inf" : fmt::format("{:g}", static_cast<double>(segment::SyncHistogram::kBounds[bucket]) / 1e6);
        out += fmt::format("bough_safekeeper_wal_sync_seconds_bucket{{le=\"{}\"}} {}\n", bound, total);
    }
    out += fmt::format("bough_safekeeper_wal_sync_seconds_sum {:.6f}\n", static_cast<double>(histogram.sum_microseconds()) / 1e6);
    out += fmt::format("bough_safekeeper_wal_sync_seconds_count {}\n", total);
}

}  // namespace

std::string metrics_text(const BranchSet& branches, std::size_t wal_sessions) {
    std::string out;
    append_sync_histogram(out);
    out += "# HELP bough_safekeeper_wal_sessions Clients of the WAL service.\n# TYPE bough_safekeeper_wal_sessions gauge\n";
    out += fmt::format("bough_safekeeper_wal_sessions {}\n", wal_sessions);

    std::size_t streams = 0;
    std::string flush;
    std::string commit;
    std::string term;
    auto all = branches.branches();
    for (const auto& branch : all) {
        auto position = branch->position();
        if (!position.streaming) continue;
        ++streams;
        auto labels = fmt::format("{{project=\"{}\",branch=\"{}\"}}", branch->name().project.str(), branch->name().branch.str());
        flush += fmt::format("bough_safekeeper_flush_lsn_bytes{} {}\n", labels, position.log.flush.value);
        commit += fmt::format("bough_safekeeper_commit_lsn_bytes{} {}\n", labels, position.commit_lsn.value);
        term += fmt::format("bough_safekeeper_term{} {}\n", labels, position.promised.value);
    }
    out += "# HELP bough_safekeeper_branches Branches on this safekeeper.\n# TYPE bough_safekeeper_branches gauge\n";
    out += fmt::format("bough_safekeeper_branches {}\n", all.size());
    out += "# HELP bough_safekeeper_streams Branches that receive WAL now.\n# TYPE bough_safekeeper_streams gauge\n";
    out += fmt::format("bough_safekeeper_streams {}\n", streams);
    out += "# HELP bough_safekeeper_flush_lsn_bytes Durable WAL position of a streaming branch.\n"
           "# TYPE bough_safekeeper_flush_lsn_bytes gauge\n" + flush;
    out += "# HELP bough_safekeeper_commit_lsn_bytes Position up to which a streaming branch's WAL is known to be committed.\n"
           "# TYPE bough_safekeeper_commit_lsn_bytes gauge\n" + commit;
    out += "# HELP bough_safekeeper_term Newest promised term of a streaming branch.\n# TYPE bough_safekeeper_term gauge\n" + term;
    return out;
}

}  // namespace bough::safekeeper::admin
