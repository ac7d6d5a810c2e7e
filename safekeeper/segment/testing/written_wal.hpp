// For tests: WAL as a compute would write it.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include <unistd.h>

#include <gtest/gtest.h>

#include "bough/ids.hpp"
#include "pg/bytes.hpp"
#include "pg/record_bytes.hpp"
#include "pg/wal_format.hpp"
#include "pg/wal_page_writer.hpp"
#include "safekeeper/segment/record_search.hpp"
#include "safekeeper/segment/wal_place.hpp"

namespace bough::safekeeper::segment::testing {

inline constexpr std::uint32_t kSegment = 1u << 20;
inline constexpr SystemId kSystem{77};
inline constexpr Lsn kStart{3 * kSegment + 5000 * 8};
inline constexpr Lsn kStartRecord{kStart.value - 64};

inline std::vector<std::byte> record(std::size_t total, Lsn previous, unsigned char filler) {
    std::vector<std::byte> bytes(total, std::byte{filler});
    pg::WalRecordHeader header{};
    header.total_bytes = static_cast<std::uint32_t>(total);
    header.previous = previous.value;
    header.resource_manager = 10;
    pg::store(bytes.data(), header);
    header.crc = pg::record_crc(bytes);
    pg::store(bytes.data(), header);
    return bytes;
}

// A directory of the running test's own, which it makes and removes.
inline WalPlace place_of_test(std::uint32_t segment_bytes = kSegment) {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    return {std::filesystem::temp_directory_path() /
                ("sk-" + std::to_string(::getpid()) + "-" + test->test_suite_name() + "-" + test->name()),
            kSystem, segment_bytes};
}

class WrittenWal {
public:
    explicit WrittenWal(Lsn begin, Lsn last = kStartRecord, unsigned char filler = 0x5A, std::uint32_t segment_bytes = kSegment)
        : writer_(*pg::WalPageWriter::open(kSystem, segment_bytes, 1, begin, {})), last_(last), filler_(filler) {}

    RecordBoundary add(std::size_t total) {
        auto placed = writer_.append(record(total, last_, filler_));
        last_ = placed.start;
        return boundaries.emplace_back(RecordBoundary{placed.end, placed.start});
    }
    std::span<const std::byte> bytes(Lsn from, Lsn to) const {
        return std::span(writer_.bytes()).subspan(from - writer_.begin(), to - from);
    }
    Lsn end() const { return writer_.end(); }

    std::vector<RecordBoundary> boundaries;

private:
    pg::WalPageWriter writer_;
    Lsn last_;
    unsigned char filler_;
};

}  // namespace bough::safekeeper::segment::testing
