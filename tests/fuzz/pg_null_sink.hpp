// A ChangeSink that looks at every byte it is given and keeps nothing: for fuzzing what calls it.
#pragma once

#include "bough/check.hpp"
#include "pg/change.hpp"
#include "pg/page_edit.hpp"
#include "pg/slru_layout.hpp"

namespace bough::pg {

class NullSink : public ChangeSink {
public:
    void record(Lsn, Lsn end) override { end_ = end; }
    void page_image(const PageTag&, ConstPage page) override { look_at(page); }
    void page_record(const PageTag&, PageBase, std::span<const std::byte> bytes) override { look_at(bytes); }
    void page_edit(const PageTag&, bool, std::string_view edit) override {
        BOUGH_CHECK(apply_page_edits(page_, edit, end_));  // what is extracted can be applied
    }
    void fork_create(const RelationFork&) override {}
    void fork_truncate(const RelationFork&, std::uint32_t) override {}
    void relation_drop(const Relation&) override {}
    void database_create(std::uint32_t, std::uint32_t) override {}
    void database_copy(std::uint32_t, std::uint32_t, std::uint32_t, std::uint32_t) override {}
    void database_drop(std::uint32_t, std::uint32_t) override {}
    void relation_map(std::uint32_t, std::uint32_t, std::string_view content) override {
        look_at(std::as_bytes(std::span(content)));
    }
    void tablespace_create(std::uint32_t, std::string_view path) override { look_at(std::as_bytes(std::span(path))); }
    void tablespace_drop(std::uint32_t) override {}
    void slru_zero_page(Slru slru, std::uint32_t page) override { BOUGH_CHECK(page <= slru_page_max(slru)); }
    void slru_edit(Slru slru, std::uint32_t page, std::string_view edit) override {
        BOUGH_CHECK(page <= slru_page_max(slru));
        BOUGH_CHECK(apply_slru_edits(page_, slru, edit));
    }
    void slru_drop_segments(Slru slru, const SegmentPredicate& drop) override {
        const std::uint32_t last = slru_page_max(slru) / kSlruSegmentPages;
        for (const std::uint32_t segment : {0u, 1u, last / 2, last}) dropped_ += drop(segment) ? 1 : 0;
    }
    void two_phase_prepare(std::uint32_t, std::string_view file) override { look_at(std::as_bytes(std::span(file))); }
    void two_phase_finish(std::uint32_t) override {}
    void replication_origin(std::uint16_t, std::optional<Lsn>) override {}
    void commit(std::int64_t) override {}
    void counters(const Counters&) override {}
    void parameters(const Parameters&) override {}

private:
    void look_at(std::span<const std::byte> bytes) {
        for (const std::byte b : bytes) seen_ = seen_ ^ b;
    }

    Lsn end_;
    std::array<std::byte, kPageBytes> page_{};
    volatile std::byte seen_{};
    unsigned dropped_ = 0;
};

}  // namespace bough::pg
