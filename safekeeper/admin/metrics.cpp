#include "safekeeper/admin/metrics.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "safekeeper/segment/disk_space.hpp"
#include "safekeeper/segment/durable_file.hpp"

namespace bough::safekeeper::admin {
namespace {

// Of streaming branches beyond that, only the sums are told.
constexpr std::size_t kBranchesMax = 500;

void append_head(std::string& out, std::string_view name, std::string_view help, std::string_view type) {
    out += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
}

void append(std::string& out, std::string_view name, std::string_view help, std::string_view type, std::uint64_t value) {
    append_head(out, name, help, type);
    out += fmt::format("{} {}\n", name, value);
}

void append_sync_histogram(std::string& out) {
    const auto& histogram = segment::wal_sync_histogram();
    append_head(out, "bough_safekeeper_wal_sync_seconds", "How long the fdatasync of received WAL took.", "histogram");
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

void append_disk(std::string& out, const BranchSet& branches) {
    append(out, "bough_safekeeper_disk_full", "1 while the disk has no room for WAL: commits that need this safekeeper wait.", "gauge",
           segment::disk_space().full() ? 1 : 0);
    if (auto free = segment::DiskSpace::free_bytes(branches.data_directory()))
        append(out, "bough_safekeeper_disk_free_bytes", "Free on the disk of the data directory.", "gauge", *free);
    const auto& counters = branches.counters();
    append(out, "bough_safekeeper_dropped_segments_total", "WAL segments dropped because the pageserver has them durably.", "counter",
           counters.dropped_segments);
    append(out, "bough_safekeeper_dropped_bytes_total", "Disk space freed by dropping WAL segments.", "counter", counters.dropped_bytes);
    append(out, "bough_safekeeper_logs_begun_anew_total",
           "Logs that were so far behind that they skipped WAL which only the pageserver has.", "counter", counters.logs_begun_anew);
}

// What is told of each branch that streams.
class BranchGauges {
public:
    void add(const Branch& branch, const BranchPosition& position) {
        auto labels = fmt::format("project=\"{}\",branch=\"{}\"", branch.name().project.str(), branch.name().branch.str());
        auto line = [&](std::string& lines, std::string_view name, std::uint64_t value) {
            lines += fmt::format("{}{{{}}} {}\n", name, labels, value);
        };
        line(term_, "bough_safekeeper_term", position.promised.value);
        line(flush_, "bough_safekeeper_flush_lsn_bytes", position.log.flush.value);
        line(commit_, "bough_safekeeper_commit_lsn_bytes", position.commit_lsn.value);
        line(durable_, "bough_safekeeper_durable_lsn_bytes", position.durable.value);
        line(retained_, "bough_safekeeper_branch_retained_wal_bytes", position.retained_bytes);
        for (const auto& [peer, end] : branch.peer_ends()) {
            // Peers report a moment later than they flush, so one may also be known to be ahead.
            auto has = std::min(end.value_or(position.begin), position.log.end);
            lag_ += fmt::format("bough_safekeeper_peer_lag_bytes{{{},peer=\"{}\"}} {}\n", labels, peer, position.log.end - has);
        }
    }

    void append_to(std::string& out) const {
        auto gauge = [&](std::string_view name, std::string_view help, const std::string& lines) {
            append_head(out, name, help, "gauge");
            out += lines;
        };
        gauge("bough_safekeeper_term", "Newest promised term of a streaming branch.", term_);
        gauge("bough_safekeeper_flush_lsn_bytes", "Durable WAL position of a streaming branch.", flush_);
        gauge("bough_safekeeper_commit_lsn_bytes", "Position up to which a streaming branch's WAL is known to be committed.", commit_);
        gauge("bough_safekeeper_durable_lsn_bytes", "Position up to which the pageserver is known to have a streaming branch durably.",
              durable_);
        gauge("bough_safekeeper_branch_retained_wal_bytes", "WAL kept of a streaming branch.", retained_);
        gauge("bough_safekeeper_peer_lag_bytes",
              "WAL of a streaming branch that another safekeeper is not known to have; all of it where that one has not reported in this term.",
              lag_);
    }

private:
    std::string term_, flush_, commit_, durable_, retained_, lag_;
};

}  // namespace

std::string metrics_text(const BranchSet& branches, std::size_t wal_sessions) {
    std::string out;
    append_sync_histogram(out);
    append_disk(out, branches);
    append(out, "bough_safekeeper_wal_sessions", "Clients of the WAL service.", "gauge", wal_sessions);

    BranchGauges gauges;
    std::size_t streams = 0;
    std::uint64_t retained = 0;
    auto all = branches.branches();
    for (const auto& branch : all) {
        auto position = branch->position();
        retained += position.retained_bytes;
        if (position.streaming && ++streams <= kBranchesMax) gauges.add(*branch, position);
    }
    append(out, "bough_safekeeper_branches", "Branches on this safekeeper.", "gauge", all.size());
    append(out, "bough_safekeeper_streams", "Branches that receive WAL now.", "gauge", streams);
    append(out, "bough_safekeeper_retained_wal_bytes", "WAL kept of all branches.", "gauge", retained);
    gauges.append_to(out);
    return out;
}

}  // namespace bough::safekeeper::admin
