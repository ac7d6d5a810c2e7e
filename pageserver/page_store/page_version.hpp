// The stored value of one version of a page: an image, zeros, a WAL record to apply, edits, or several of these in order.
// docs/formats/page_store.md is the specification.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bough/error.hpp"
#include "bough/lsn.hpp"
#include "pg/change.hpp"
#include "pg/page_tag.hpp"

namespace bough::pageserver {

// What is kept of a WAL record's header: its length and its predecessor's place say nothing to redo, and what is stored has a
// checksum of its own.
struct RecordHeader {
    std::uint32_t xid = 0;
    std::uint8_t info = 0;
    std::uint8_t resource_manager = 0;
};

// One step on the way from zeros to a page. Views point into the value it was decoded from.
struct PageStep {
    enum class Type : std::uint8_t { zero = 1, image = 2, record = 3, edits = 4 };

    Type type = Type::zero;
    pg::PageBase base = pg::PageBase::zero;  // of record and edits; zero and image need nothing below them
    Lsn record_start;                        // of record
    Lsn lsn;                                 // the version's: the end of the record that made it
    std::optional<RecordHeader> header;      // of record; none: `bytes` have it
    std::string_view bytes;                  // record: what follows its header; edits: the edits; image: without its hole, or its columns
    std::uint16_t hole_begin = 0;            // of image
    std::uint16_t hole_bytes = 0;
    bool has_columns = false;  // of image: image_columns.hpp, no hole

    // Nothing older matters for the page's content.
    bool is_base() const { return base == pg::PageBase::zero; }
    // Of an image or zero step.
    void write_page(pg::Page out) const;
    // The same step with its bytes in memory of `size()` bytes of the caller's; a record as redo takes it, its header before it.
    std::size_t size() const;
    PageStep copied_to(char* memory) const;
};

// Encoders of one step each: they append to `out`, or give a string.
void append_zero_page(std::string& out);
void append_image(std::string& out, pg::ConstPage page);
// As ChangeSink::page_image_without_hole() has it.
void append_image_without_hole(std::string& out, std::span<const std::byte> bytes, std::uint16_t hole_begin, Lsn lsn);
// Of a record whose header says nothing wrong it is all but previous record and checksum that come back.
void append_record(std::string& out, pg::PageBase base, Lsn record_start, Lsn record_end,
                   std::span<const std::byte> record_bytes);
void append_edits(std::string& out, pg::PageBase base, std::string_view edits);
std::string encode_zero_page();
std::string encode_image(pg::ConstPage page);
// An image that compresses better and takes somewhat longer to read: of pages that are kept rather than asked for.
std::string encode_kept_image(pg::ConstPage page);
std::string encode_record(pg::PageBase base, Lsn record_start, Lsn record_end, std::span<const std::byte> record_bytes);
std::string encode_edits(pg::PageBase base, std::string_view edits);
// What one record did to a page in two steps, `later` after `earlier`.
std::string combine_steps(std::string_view earlier, std::string_view later);

// Whether nothing older matters for the page's content: one of its steps is an image, zeros or a change of zeros. Any bytes may be
// given; what is not a page version is none.
bool is_base_version(std::string_view value);
// Whether it is an image and nothing else.
bool is_image_version(std::string_view value);

// Appends the value's steps, newest first. Any bytes may be given: what is not a page version is ErrorCode::corrupt.
Result<void> decode_page_version(std::string_view value, Lsn lsn, std::vector<PageStep>& steps);

}  // namespace bough::pageserver
