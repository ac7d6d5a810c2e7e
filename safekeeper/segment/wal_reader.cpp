#include "safekeeper/segment/wal_reader.hpp"

#include <fcntl.h>

#include <algorithm>

namespace bough::safekeeper::segment {

Result<std::size_t> WalReader::read(Lsn from, std::span<std::byte> into) {
    auto segment = place_.segment_at(from);
    auto path = place_.path_of(segment);
    if (open_ != segment) {
        open_.reset();
        auto opened = open_file(path, O_RDONLY);
        if (!opened && opened.error().code == ErrorCode::not_found)
            return Error{ErrorCode::not_found, "requested WAL segment " + place_.name_of(segment) + " has already been removed", {}};
        if (!opened) return opened.error();
        file_ = std::move(*opened);
        open_ = segment;
    }
    auto offset = place_.offset_of(from);
    auto wanted = into.first(std::min<std::size_t>(into.size(), place_.segment_bytes - offset));
    BOUGH_ASSIGN(auto got, read_at(file_.get(), wanted, offset, path));
    if (got == 0 && !wanted.empty())
        return Error{ErrorCode::corrupt, "WAL segment " + place_.name_of(segment) + " ends before " + from.to_string(), {}};
    return got;
}

Result<void> WalReader::read_all(Lsn from, std::span<std::byte> into) {
    while (!into.empty()) {
        BOUGH_ASSIGN(auto got, read(from, into));
        into = into.subspan(got);
        from = from + got;
    }
    return {};
}

}  // namespace bough::safekeeper::segment
