#include "pg/wal_stream.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "bough/check.hpp"
#include "pg/bytes.hpp"
#include "pg/record_bytes.hpp"
#include "pg/v15/version.hpp"
#include "pg/wal_format.hpp"
#include "pg/wal_page_header.hpp"

namespace bough::pg {
namespace {

Error corrupt_record(Lsn start, std::string what) {
    return Error{ErrorCode::corrupt, fmt::format("WAL record at {}: {}", start.to_string(), what), {}};
}

bool is_segment_switch(const WalRecordHeader& header) {
    return header.resource_manager == static_cast<std::uint8_t>(v15::ResourceManager::xlog) &&
           (header.info & 0xF0) == v15::kXlogSwitch;
}

}  // namespace

// Walks over pages: position_ is the next byte not yet looked at, and buffer_ holds the bytes from buffer_begin_ on.
class WalStream::Impl {
public:
    Impl(WalGeometry geometry, Lsn begin, bool at_any_page)
        : geometry_(geometry),
          buffer_begin_(begin),
          position_(begin),
          record_end_(begin),
          state_(at_any_page ? State::searching : State::between_records) {
        BOUGH_CHECK(valid_wal_segment_bytes(geometry.segment_bytes));
        BOUGH_CHECK(!at_any_page || begin.value % kWalPageBytes == 0);
        const auto in_page = begin.value % kWalPageBytes;
        if (begin.value % kMaxAlign != 0 || (in_page != 0 && in_page < page_header_bytes(page_of(begin))))
            error_ = Error{ErrorCode::invalid_argument, fmt::format("{} is not a WAL record boundary", begin.to_string()), {}};
    }

    void feed(std::span<const std::byte> bytes) {
        const auto consumed = std::min<std::uint64_t>(position_ - buffer_begin_, buffer_.size());
        buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(consumed));
        buffer_begin_ = buffer_begin_ + consumed;
        buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
    }

    Result<std::optional<WalRecord>> next() {
        if (error_) return *error_;
        auto result = advance();
        if (!result) error_ = result.error();
        return result;
    }

    Lsn fed_end() const { return buffer_begin_ + buffer_.size(); }
    Lsn record_end() const { return record_end_; }
    Lsn last_record_start() const { return last_start_; }

private:
    enum class State {
        searching,        // at a page whose records' places are unknown: passing over the rest of a record from before
        between_records,  // position_ is where a record begins, or a page boundary before it
        in_record,        // part of a record is in assembled_
        finishing,        // all of a record is in assembled_; its padding or segment's rest is awaited
    };

    static Lsn page_of(Lsn lsn) { return Lsn{lsn.value - lsn.value % kWalPageBytes}; }
    std::uint32_t page_header_bytes(Lsn page) const { return wal_page_header_bytes(page.value, geometry_.segment_bytes); }
    bool at_page_boundary() const { return position_.value % kWalPageBytes == 0; }

    // Bytes fed at and after position_, without and with regard to the page's end.
    std::span<const std::byte> fed() const {
        const std::uint64_t offset = position_ - buffer_begin_;
        return offset < buffer_.size() ? std::span(buffer_).subspan(offset) : std::span<const std::byte>();
    }
    std::span<const std::byte> fed_of_page() const {
        const auto bytes = fed();
        return bytes.first(std::min<std::size_t>(bytes.size(), kWalPageBytes - position_.value % kWalPageBytes));
    }

    Result<std::optional<WalRecord>> advance() {
        for (;;) {
            // Each step either moves on (true), or wants more bytes (false).
            Result<bool> moved = false;
            switch (state_) {
                case State::searching: moved = search(); break;
                case State::between_records: {
                    if (auto record = take_record_of_one_page(); record && !*record)
                        moved = begin_record();
                    else
                        return record;
                    break;
                }
                case State::in_record: moved = continue_record(); break;
                case State::finishing: return finish_record();
            }
            if (!moved) return moved.error();
            if (!*moved) return std::optional<WalRecord>();
        }
    }

    // Consumes the header of the page at position_; nothing when it was not fed whole.
    Result<std::optional<WalPageHeader>> take_page_header() {
        const std::uint32_t length = page_header_bytes(position_);
        const auto bytes = fed_of_page();
        if (bytes.size() < length) return std::optional<WalPageHeader>();
        BOUGH_ASSIGN(const WalPageHeader header, read_wal_page_header(geometry_, position_, bytes.first(length)));
        if (header.timeline < timeline_)
            return Error{
                ErrorCode::corrupt,
                fmt::format("WAL page at {}: timeline {} after timeline {}", position_.to_string(), header.timeline, timeline_),
                {}};
        timeline_ = header.timeline;
        position_ = position_ + length;
        return std::optional(header);
    }

    Result<bool> search() {
        if (at_page_boundary()) {
            const Lsn page = position_;
            BOUGH_ASSIGN(const auto header, take_page_header());
            if (!header) return false;
            if ((header->info & kWalPageContinuesRecord) != 0) {
                const Lsn rest_end = position_ + max_align<std::uint64_t>(header->remaining_bytes);
                position_ = std::min(rest_end, page + kWalPageBytes);
            }
            return true;
        }
        if (position_ > fed_end()) return false;
        record_end_ = position_;
        state_ = State::between_records;
        return true;
    }

    // The common case: a record that lies whole on its page, given in place. Nothing when it does not, or is not all there.
    Result<std::optional<WalRecord>> take_record_of_one_page() {
        if (at_page_boundary()) {
            BOUGH_ASSIGN(const auto header, take_page_header());
            if (!header) return std::optional<WalRecord>();
            if ((header->info & kWalPageContinuesRecord) != 0)
                return corrupt_record(
                    position_, fmt::format("its page continues a record ({} bytes) where none began", header->remaining_bytes));
        }
        const auto bytes = fed_of_page();
        if (bytes.size() < sizeof(WalRecordHeader)) return std::optional<WalRecord>();
        const auto header = load<WalRecordHeader>(bytes.data());
        BOUGH_TRY(check_header(position_, header));
        if (bytes.size() < max_align<std::uint64_t>(header.total_bytes) || is_segment_switch(header))
            return std::optional<WalRecord>();
        const auto record = bytes.first(header.total_bytes);
        BOUGH_TRY(check_crc(position_, record));
        const Lsn start = position_;
        position_ = start + max_align<std::uint64_t>(header.total_bytes);
        return give(start, position_, record);
    }

    Result<bool> begin_record() {
        if (at_page_boundary()) return false;
        // The length lies on the record's first page whole, since records are aligned.
        if (fed_of_page().size() < sizeof(std::uint32_t)) return false;
        assembled_.clear();
        assembled_start_ = position_;
        assembled_total_ = load<std::uint32_t>(fed_of_page().data());
        BOUGH_TRY(check_length(position_, assembled_total_));
        state_ = State::in_record;
        return true;
    }

    Result<bool> continue_record() {
        if (assembled_.size() == assembled_total_) {
            BOUGH_TRY(check_crc(assembled_start_, assembled_));
            state_ = State::finishing;
            return true;
        }
        if (at_page_boundary()) {
            BOUGH_ASSIGN(const bool goes_on, enter_continuation_page());
            if (!goes_on) return state_ != State::in_record;
        }
        const auto bytes = fed_of_page();
        if (bytes.empty()) return false;
        const auto part = bytes.first(std::min<std::size_t>(bytes.size(), assembled_total_ - assembled_.size()));
        const bool had_header = assembled_.size() >= sizeof(WalRecordHeader);
        assembled_.insert(assembled_.end(), part.begin(), part.end());
        position_ = position_ + part.size();
        if (!had_header && assembled_.size() >= sizeof(WalRecordHeader))
            BOUGH_TRY(check_header(assembled_start_, load<WalRecordHeader>(assembled_.data())));
        return true;
    }

    // Takes the header of a page that should continue the record. False when it was not fed yet, or when the page says that
    // the rest of the record was lost (the state is then between_records).
    Result<bool> enter_continuation_page() {
        const Lsn page = position_;
        BOUGH_ASSIGN(const auto header, take_page_header());
        if (!header) return false;
        if ((header->info & kWalPageOverwritesRecord) != 0) {
            assembled_.clear();
            state_ = State::between_records;
            return false;
        }
        const auto missing = assembled_total_ - assembled_.size();
        if ((header->info & kWalPageContinuesRecord) == 0)
            return corrupt_record(assembled_start_, fmt::format("the page at {} does not continue it", page.to_string()));
        if (header->remaining_bytes != missing)
            return corrupt_record(assembled_start_, fmt::format("the page at {} continues it with {} bytes where {} are missing",
                                                                page.to_string(), header->remaining_bytes, missing));
        return true;
    }

    Result<std::optional<WalRecord>> finish_record() {
        std::uint64_t end = max_align(assembled_start_.value + page_span(assembled_start_, assembled_total_));
        if (is_segment_switch(load<WalRecordHeader>(assembled_.data()))) {
            end += geometry_.segment_bytes - 1;
            end -= end % geometry_.segment_bytes;
        }
        position_ = Lsn{std::min(end, std::max(fed_end().value, position_.value))};
        if (position_.value < end) return std::optional<WalRecord>();
        state_ = State::between_records;
        return give(assembled_start_, Lsn{end}, assembled_);
    }

    // How many bytes of log `length` bytes of a record take that begin at `start`: with the page headers among them.
    std::uint64_t page_span(Lsn start, std::uint64_t length) const {
        std::uint64_t at = start.value;
        for (;;) {
            const std::uint64_t room = kWalPageBytes - at % kWalPageBytes;
            if (length <= room) return at + length - start.value;
            at += room;
            length -= room;
            at += page_header_bytes(Lsn{at});
        }
    }

    std::optional<WalRecord> give(Lsn start, Lsn end, std::span<const std::byte> bytes) {
        last_start_ = start;
        record_end_ = end;
        return WalRecord{start, end, bytes};
    }

    Result<void> check_length(Lsn start, std::uint32_t total) const {
        if (total < sizeof(WalRecordHeader))
            return corrupt_record(
                start, fmt::format("invalid record length {}: at least {} is expected", total, sizeof(WalRecordHeader)));
        if (total > kWalRecordBytesMax) return corrupt_record(start, fmt::format("record length {} is too long", total));
        return {};
    }

    Result<void> check_header(Lsn start, const WalRecordHeader& header) const {
        BOUGH_TRY(check_length(start, header.total_bytes));
        if (!v15::valid_resource_manager(header.resource_manager))
            return corrupt_record(start, fmt::format("invalid resource manager {}", header.resource_manager));
        // Of the first record's predecessor only this is known.
        const bool linked = last_start_.valid() ? header.previous == last_start_.value : header.previous < start.value;
        if (!linked)
            return corrupt_record(start, fmt::format("its link to the record before is {}, which is at {}",
                                                     Lsn{header.previous}.to_string(), last_start_.to_string()));
        return {};
    }

    static Result<void> check_crc(Lsn start, std::span<const std::byte> record) {
        if (record_crc(record) != load<WalRecordHeader>(record.data()).crc) return corrupt_record(start, "incorrect checksum");
        return {};
    }

    WalGeometry geometry_;
    std::vector<std::byte> buffer_;
    Lsn buffer_begin_;
    Lsn position_;
    Lsn record_end_;
    Lsn last_start_;
    State state_;
    std::uint32_t timeline_ = 0;
    std::optional<Error> error_;

    std::vector<std::byte> assembled_;
    Lsn assembled_start_;
    std::uint32_t assembled_total_ = 0;
};

WalStream::WalStream(WalGeometry geometry, Lsn begin) : impl_(std::make_unique<Impl>(geometry, begin, false)) {}
WalStream::WalStream(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
WalStream::WalStream(WalStream&&) noexcept = default;
WalStream& WalStream::operator=(WalStream&&) noexcept = default;
WalStream::~WalStream() = default;

WalStream WalStream::from_page(WalGeometry geometry, Lsn page_begin) {
    return WalStream(std::make_unique<Impl>(geometry, page_begin, true));
}

void WalStream::feed(std::span<const std::byte> bytes) { impl_->feed(bytes); }
Result<std::optional<WalRecord>> WalStream::next() { return impl_->next(); }
Lsn WalStream::fed_end() const { return impl_->fed_end(); }
Lsn WalStream::record_end() const { return impl_->record_end(); }
Lsn WalStream::last_record_start() const { return impl_->last_record_start(); }

}  // namespace bough::pg
