#include "pageserver/admin/metrics_text.hpp"

#include <cstdio>
#include <string_view>

namespace bough::pageserver {
namespace {

class Writer {
public:
    void describe(std::string_view name, std::string_view type, std::string_view help) {
        text_.append("# HELP ").append(name).append(" ").append(help).append("\n# TYPE ").append(name).append(" ").append(type);
        text_.append("\n");
    }
    // `labels` without braces, may be empty.
    void sample(std::string_view name, std::string_view labels, const std::string& value) {
        text_.append(name);
        if (!labels.empty()) text_.append("{").append(labels).append("}");
        text_.append(" ").append(value).append("\n");
    }
    void counter(std::string_view name, std::string_view help, std::uint64_t value) {
        describe(name, "counter", help);
        sample(name, {}, std::to_string(value));
    }
    void gauge(std::string_view name, std::string_view help, std::uint64_t value) {
        describe(name, "gauge", help);
        sample(name, {}, std::to_string(value));
    }
    // Its values are so many of the metric's unit `per_unit`.
    void histogram(const std::string& name, const std::string& label, const auto& histogram, double per_unit) {
        const std::string before = label.empty() ? label : label + ",";
        std::uint64_t total = 0;
        for (std::size_t i = 0; i < histogram.kBounds.size(); ++i) {
            total += histogram.count(i);
            sample(name + "_bucket", before + "le=\"" + decimal(static_cast<double>(histogram.kBounds[i]) / per_unit) + "\"",
                   std::to_string(total));
        }
        total += histogram.count(histogram.kBounds.size());
        sample(name + "_bucket", before + "le=\"+Inf\"", std::to_string(total));
        sample(name + "_sum", label, decimal(static_cast<double>(histogram.sum()) / per_unit));
        sample(name + "_count", label, std::to_string(total));
    }
    static std::string decimal(double value) {
        char text[64];
        std::snprintf(text, sizeof(text), "%.9g", value);
        return text;
    }
    std::string take() { return std::move(text_); }

private:
    std::string text_;
};

void write_reads(Writer& out, const PageReaderMetrics& m) {
    out.describe("bough_pageserver_pages_total", "counter", "Pages read, by what they were made from");
    out.sample("bough_pageserver_pages_total", "source=\"cache\"", std::to_string(m.pages_from_cache));
    out.sample("bough_pageserver_pages_total", "source=\"image\"", std::to_string(m.pages_from_image));
    out.sample("bough_pageserver_pages_total", "source=\"edits\"", std::to_string(m.pages_from_edits));
    out.sample("bough_pageserver_pages_total", "source=\"redo\"", std::to_string(m.pages_from_redo));
    out.sample("bough_pageserver_pages_total", "source=\"beyond_end\"", std::to_string(m.pages_beyond_end));
    out.describe("bough_pageserver_getpage_seconds", "histogram",
                 "Duration of page requests, by the dearest source of their pages");
    out.histogram("bough_pageserver_getpage_seconds", "source=\"cache\"", m.latency_cache, 1e9);
    out.histogram("bough_pageserver_getpage_seconds", "source=\"image\"", m.latency_image, 1e9);
    out.histogram("bough_pageserver_getpage_seconds", "source=\"edits\"", m.latency_edits, 1e9);
    out.histogram("bough_pageserver_getpage_seconds", "source=\"redo\"", m.latency_redo, 1e9);
    out.describe("bough_pageserver_chain_steps", "histogram", "How many versions a page was made from, where it was no image");
    out.histogram("bough_pageserver_chain_steps", {}, m.chain_steps, 1);
    out.counter("bough_pageserver_records_applied_total", "WAL records applied to pages that were read", m.records_applied);
    out.counter("bough_pageserver_images_written_back_total", "Long chains of versions cut by an image", m.images_written_back);
    out.counter("bough_pageserver_read_failures_total", "Page requests that ended in an error", m.failures);
}

void write_page_service(Writer& out, const PageServiceMetrics& m) {
    out.gauge("bough_pageserver_page_connections", "Open connections of the page service", m.connections);
    out.gauge("bough_pageserver_page_requests_waiting", "Requests that wait for their LSN", m.waiting);
    out.gauge("bough_pageserver_page_opening", "Connections that wait for their project to be opened", m.opening);
    out.gauge("bough_pageserver_page_turns_waiting", "Connections with requests whose branch has as many threads as it may have",
              m.turns_waiting);
    out.counter("bough_pageserver_page_requests_total", "Requests to the page service", m.requests);
    out.counter("bough_pageserver_page_errors_total", "Error answers of the page service", m.errors);
    out.counter("bough_pageserver_page_garbage_total", "Connections dropped for breaking the protocol", m.garbage);
}

void write_redo(Writer& out, const RedoMetrics& m) {
    // Read before the sums that they are part of.
    const std::uint64_t native_requests = m.native_requests, native_records = m.native_records;
    out.describe("bough_pageserver_redo_requests_total", "counter", "Pages brought forward by redo, by engine");
    out.sample("bough_pageserver_redo_requests_total", "engine=\"native\"", std::to_string(native_requests));
    out.sample("bough_pageserver_redo_requests_total", "engine=\"stock\"", std::to_string(m.requests - native_requests));
    out.describe("bough_pageserver_redo_records_total", "counter", "WAL records given to redo, by engine");
    out.sample("bough_pageserver_redo_records_total", "engine=\"native\"", std::to_string(native_records));
    out.sample("bough_pageserver_redo_records_total", "engine=\"stock\"", std::to_string(m.records - native_records));
    out.counter("bough_pageserver_redo_declined_total", "Pages that the native engine left to redo workers", m.native_declined);
    out.counter("bough_pageserver_redo_errors_total", "Redo requests that ended in an error", m.errors);
    out.counter("bough_pageserver_redo_retries_total", "Redo requests sent again", m.retries);
    out.counter("bough_pageserver_redo_worker_starts_total", "Redo workers started", m.worker_starts);
    out.counter("bough_pageserver_redo_worker_deaths_total", "Redo workers that died or were killed for hanging",
                m.worker_deaths);
    out.describe("bough_pageserver_redo_busy_seconds_total", "counter", "Time redo workers were busy, summed over workers");
    out.sample("bough_pageserver_redo_busy_seconds_total", {}, Writer::decimal(static_cast<double>(m.busy_microseconds) / 1e6));
}

void write_followed(Writer& out, const AdminServices& services) {
    const auto entries = services.followers.all();
    const auto each = [&](std::string_view name, std::string_view help, const auto& value) {
        out.describe(name, "gauge", help);
        for (const auto& entry : entries) {
            const std::string labels =
                "project=\"" + entry.branch->project().str() + "\",branch=\"" + entry.branch->row().id.str() + "\"";
            out.sample(name, labels, std::to_string(value(entry)));
        }
    };
    each("bough_pageserver_ingest_lsn", "How far the WAL of a followed branch has been ingested",
         [](const Followers::Entry& e) { return e.branch->ingest_lsn().value; });
    each("bough_pageserver_durable_lsn", "How far the WAL of a followed branch is durable as page versions",
         [](const Followers::Entry& e) { return e.branch->store().durable_lsn(e.branch->number()).value; });
    each("bough_pageserver_ingest_lag_bytes", "WAL that a followed branch's safekeeper has and the branch has not ingested",
         [](const Followers::Entry& e) {
             const Lsn ingested = e.branch->ingest_lsn();
             return e.status.server_end > ingested ? e.status.server_end - ingested : std::uint64_t{0};
         });
    each("bough_pageserver_ingest_running", "1 while a followed branch is being ingested, 0 after a failure",
         [](const Followers::Entry& e) { return e.status.running ? 1 : 0; });
}

std::string label_of(const Project& project) { return "project=\"" + project.id().str() + "\""; }

void write_stores(Writer& out, const AdminServices& services) {
    const auto projects = services.projects.opened();
    out.gauge("bough_pageserver_projects", "Projects in the data directory", services.projects.ids().size());
    const auto each = [&](std::string_view name, std::string_view help, const auto& value) {
        out.describe(name, "gauge", help);
        for (const auto& project : projects) out.sample(name, label_of(*project), std::to_string(value(*project)));
    };
    each("bough_pageserver_store_bytes", "Bytes of an open project's store on disk",
         [](Project& p) { return p.store().bytes_on_disk(); });
    each("bough_pageserver_store_unflushed_bytes", "Bytes of an open project's layers",
         [](Project& p) { return p.store().dirty_bytes(); });
    each("bough_pageserver_compaction_debt_bytes",
         "Bytes that compactions of an open project have yet to rewrite, as RocksDB estimates",
         [](Project& p) { return p.store().compaction_debt_bytes(); });
    // What cannot be told, since files cannot be read just now, is left out.
    out.describe("bough_pageserver_store_deleted_bytes", "gauge",
                 "Bytes that deleted branches still take in an open project's files");
    for (const auto& project : projects)
        if (const auto bytes = project->deleted_bytes())
            out.sample("bough_pageserver_store_deleted_bytes", label_of(*project), std::to_string(*bytes));
    out.describe("bough_pageserver_store_kind_bytes", "gauge", "Bytes of an open project's files, by the kind of what they hold");
    for (const auto& project : projects)
        if (const auto kinds = project->store().file_bytes_by_kind())
            for (const auto& [kind, bytes] : *kinds)
                out.sample("bough_pageserver_store_kind_bytes",
                           label_of(*project) + ",kind=\"" + std::string(kind_name(kind)) + "\"", std::to_string(bytes));
    const StoreResources::Counts counts = services.resources.counts();
    out.gauge("bough_pageserver_block_cache_bytes", "Blocks of the store's files that are kept in memory",
              counts.block_cache_bytes);
    out.gauge("bough_pageserver_block_cache_pinned_bytes", "Blocks of them that are in use", counts.block_cache_pinned_bytes);
    out.gauge("bough_pageserver_layer_bytes", "Bytes of all layers that are not sealed yet", counts.open_bytes);
    out.gauge("bough_pageserver_layer_bytes_max", "Where ingest begins to wait", services.resources.options().open_bytes_max);
    out.counter("bough_pageserver_layer_waits_total", "How often ingest found no room in layers and waited",
                counts.waits_for_room);
    out.counter("bough_pageserver_layers_sealed_total", "Layers sealed into files", counts.layers_sealed);
    out.counter("bough_pageserver_sealed_bytes_total", "Bytes of the files that layers were sealed into",
                counts.sealed_file_bytes);
    out.counter("bough_pageserver_seal_failures_total", "Attempts to seal layers that failed and are repeated",
                counts.seal_failures);
    out.describe("bough_pageserver_seal_seconds_total", "counter", "Time that sealing took");
    out.sample("bough_pageserver_seal_seconds_total", {}, Writer::decimal(static_cast<double>(counts.seal_microseconds) / 1e6));
}

void write_garbage(Writer& out, const GarbageMetrics& m) {
    out.counter("bough_pageserver_gc_cutoffs_raised_total", "Times that the oldest place kept of a branch moved on",
                m.cutoffs_raised);
    out.counter("bough_pageserver_gc_branches_compacted_total", "Branches whose files were rewritten to let old history go",
                m.branches_compacted);
    out.counter("bough_pageserver_gc_images_total", "Pages that got an image so that their old changes can go",
                m.images_at_cutoffs);
    out.counter("bough_pageserver_gc_failures_total", "Rounds of garbage collection that ended in an error", m.failures);
}

}  // namespace

std::string metrics_text(const AdminServices& services) {
    Writer out;
    write_reads(out, services.reader_metrics);
    write_page_service(out, services.page_service_metrics);
    if (services.redo_metrics != nullptr) write_redo(out, *services.redo_metrics);
    out.gauge("bough_pageserver_page_cache_bytes", "Pages kept as they were made from their versions",
              services.reader.cached_bytes());
    write_followed(out, services);
    write_stores(out, services);
    write_garbage(out, services.garbage_metrics);
    return out.take();
}

}  // namespace bough::pageserver
