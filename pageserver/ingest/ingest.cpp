#include "pageserver/ingest/ingest.hpp"

#include <cstring>

#include "pageserver/branching/state.hpp"
#include "pg/v15/change_extractor.hpp"
#include "pg/wal_format.hpp"

namespace bough::pageserver {
namespace {

constexpr std::size_t kBatchBytesMax = 1 << 20;
constexpr std::size_t kBatchRecordsMax = 32'768;

Lsn previous_of(const pg::WalRecord& record) {
    pg::WalRecordHeader header;
    std::memcpy(&header, record.bytes.data(), sizeof(header));
    return Lsn{header.previous};
}

}  // namespace

struct Ingest::Impl {
    Impl(std::unique_ptr<ChangeWriter> w, pg::WalGeometry geometry, LogPosition begin, pg::v15::ChangeExtractor e)
        : writer(std::move(w)), stream(geometry, begin.lsn), extractor(std::move(e)), last(begin) {}

    std::unique_ptr<ChangeWriter> writer;
    pg::WalStream stream;
    pg::v15::ChangeExtractor extractor;
    LogPosition last;

    Result<void> take(const pg::WalRecord& record) {
        // The stream checks this between records of its own; the first one must continue what is stored.
        if (previous_of(record) != last.prev_lsn)
            return Error{ErrorCode::corrupt,
                         "the record at " + record.start.to_string() + " follows one at " + previous_of(record).to_string() +
                             ", not the one at " + last.prev_lsn.to_string(),
                         "the WAL is another branch's or another writer's"};
        if (const auto extracted = extractor.extract(record, *writer); !extracted) {
            writer->drop_record();
            return extracted;
        }
        writer->finish_record();
        if (writer->failure()) return *writer->failure();
        last = {record.end, record.start};
        if (writer->pending_bytes() >= kBatchBytesMax || writer->pending_records() >= kBatchRecordsMax) return writer->commit();
        return {};
    }
};

Ingest::Ingest(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Ingest::~Ingest() = default;

Result<std::unique_ptr<Ingest>> Ingest::begin(Branch& branch, PageReader& reader, pg::WalGeometry geometry) {
    const LogPosition position = branch.ingested();
    BOUGH_ASSIGN(auto writer, ChangeWriter::make(branch, reader));
    BOUGH_ASSIGN(const pg::Counters counters, read_counters(branch, position.lsn));
    BOUGH_ASSIGN(const pg::Parameters parameters, read_parameters(branch, position.lsn));
    auto impl = std::make_unique<Impl>(std::move(writer), geometry, position, pg::v15::ChangeExtractor(counters, parameters));
    return std::unique_ptr<Ingest>(new Ingest(std::move(impl)));
}

Lsn Ingest::next_lsn() const { return impl_->stream.fed_end(); }

Result<void> Ingest::feed(std::span<const std::byte> bytes) {
    impl_->stream.feed(bytes);
    while (true) {
        BOUGH_ASSIGN(const auto record, impl_->stream.next());
        if (!record) return {};
        if (const auto taken = impl_->take(*record); !taken)
            return taken.error().within("WAL record at " + record->start.to_string());
    }
}

Result<void> Ingest::commit() { return impl_->writer->commit(); }

std::vector<ObjectKey> Ingest::take_hot_pages() { return impl_->writer->take_hot_pages(); }

}  // namespace bough::pageserver
