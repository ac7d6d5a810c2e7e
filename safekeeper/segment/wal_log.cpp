#include "safekeeper/segment/wal_log.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cstdlib>

#include <spdlog/spdlog.h>

#include "bough/check.hpp"

namespace bough::safekeeper::segment {

WalLog::WalLog(WalPlace place, RecordBoundary begin, Preallocator& preallocator)
    : place_(std::move(place)), begin_(begin), writer_(place_, preallocator), position_{begin.end, begin.end, begin.start},
      next_(begin.end), appended_(begin) {}

void WalLog::set_begin(RecordBoundary begin) {
    BOUGH_CHECK(begin.end >= begin_.end);
    begin_ = begin;
}

void WalLog::restart_at(RecordBoundary begin) {
    BOUGH_CHECK(!incoming_.has_value());
    writer_.close();
    begin_ = appended_ = begin;
    position_ = {begin.end, begin.end, begin.start};
    next_ = begin.end;
    clean_from_.reset();
}

Result<void> WalLog::recover(RecordBoundary known) {
    BOUGH_ASSIGN(auto found, find_log_end(place_, known));
    if (known.end > begin_.end) {
        // What the control file says was durable must be there still: else the disk has lost it.
        auto last = find_boundary_from(place_, known.start, known.end);
        if (!last || *last != known)
            return Error{ErrorCode::corrupt, "WAL ends before " + known.end.to_string() + ", up to where it was durable",
                         "this safekeeper's disk has lost data; replace the safekeeper"};
    }
    // Records behind `known` may lie in the page cache alone, if only the process died.
    if (found.end > known.end) {
        for (auto segment = place_.segment_at(known.end); place_.begin_of(segment) < found.end; ++segment.value) {
            auto path = place_.path_of(segment);
            BOUGH_ASSIGN(auto file, open_file(path, O_RDWR));
            sync_file(file.get(), path);
        }
        sync_directory(place_.directory);
    }
    position_ = {found.end, found.end, found.start};
    next_ = found.end;
    appended_ = found;
    return {};
}

Result<void> WalLog::begin_receiving() {
    writer_.sync();
    BOUGH_TRY(writer_.prepare(position_.flush));
    incoming_.emplace(place_.geometry(), position_.end);
    next_ = position_.end;
    appended_ = {position_.end, position_.last_record};
    return {};
}

Result<void> WalLog::append(Lsn at, std::span<const std::byte> bytes) {
    BOUGH_CHECK(incoming_.has_value());
    if (at != next_)
        return Error{ErrorCode::corrupt, "received WAL at " + at.to_string() + " where " + next_.to_string() + " was expected", {}};
    incoming_->feed(bytes);
    for (;;) {
        BOUGH_ASSIGN(auto record, incoming_->next());
        if (!record) break;
    }
    clean_from_ = clean_from_ ? std::optional(std::max(*clean_from_, at + bytes.size())) : std::nullopt;
    BOUGH_TRY(writer_.write(at, bytes));
    next_ = at + bytes.size();
    if (incoming_->last_record_start().valid()) appended_ = {incoming_->record_end(), incoming_->last_record_start()};
    return {};
}

const consensus::LogPosition& WalLog::sync() {
    writer_.sync();
    position_.flush = std::max(position_.flush, next_);
    if (appended_.end > position_.end) {
        position_.end = appended_.end;
        position_.last_record = appended_.start;
    }
    return position_;
}

Result<void> WalLog::cut(Lsn at) {
    BOUGH_CHECK(at >= begin_.end);
    sync();
    RecordBoundary boundary{position_.end, position_.last_record};
    if (at < position_.end) {
        BOUGH_ASSIGN(boundary, find_boundary(place_, begin_, at));
    }
    if (boundary.end != at) {
        return Error{ErrorCode::corrupt, "cannot cut the log at " + at.to_string() + ": the last record before it ends at " +
                                             boundary.end.to_string(), {}};
    }
    incoming_.reset();
    if (auto cut = writer_.cut(at, clean_from_); !cut) {
        spdlog::critical("could not cut the log in \"{}\" at {}: {}; stopping, since where it ends now is unknown", place_.directory.string(),
                         at.to_string(), cut.error().to_string());
        std::abort();
    }
    clean_from_ = at;
    position_ = {at, at, boundary.start};
    next_ = at;
    appended_ = boundary;
    return {};
}

void WalLog::close() {
    sync();
    incoming_.reset();
    writer_.close();
}

}  // namespace bough::safekeeper::segment
