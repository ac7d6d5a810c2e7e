#include "bough/check.hpp"
#include "pageserver/page_store/rocksdb_edge.hpp"

namespace bough::pageserver {
namespace {

// Valid, or at the end, or an error: RocksDB says "not valid" for both of the last.
Result<bool> outcome(const rocksdb::Iterator& iterator) {
    if (iterator.Valid()) return true;
    const rocksdb::Status status = iterator.status();
    if (!status.ok()) return error_of_status(status, "could not read the page store");
    return false;
}

}  // namespace

Cursor::Cursor(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Cursor::~Cursor() = default;
Cursor::Cursor(Cursor&&) noexcept = default;
Cursor& Cursor::operator=(Cursor&&) noexcept = default;

Result<bool> Cursor::seek(BranchNumber branch, const ObjectKey& object, Lsn lsn) {
    const VersionKeyBytes key = encode_version_key(branch, object, lsn);
    impl_->iterator->Seek(rocksdb::Slice(key.data(), key.size()));
    return outcome(*impl_->iterator);
}

Result<bool> Cursor::next_older() {
    impl_->iterator->Next();
    return outcome(*impl_->iterator);
}

Result<bool> Cursor::seek_at_or_after(BranchNumber branch, const ObjectKey& object, Lsn lsn) {
    return seek(branch, object, lsn);
}

Result<bool> Cursor::next() { return next_older(); }

Result<VersionKey> Cursor::key() const {
    const rocksdb::Slice bytes = impl_->iterator->key();
    const auto key = decode_version_key({bytes.data(), bytes.size()});
    if (!key) return Error{ErrorCode::corrupt, "the page store holds a key of no known form", {}};
    return *key;
}

Lsn Cursor::lsn() const {
    const rocksdb::Slice bytes = impl_->iterator->key();
    BOUGH_CHECK(bytes.size() == kVersionKeyBytes);
    std::uint64_t complement = 0;
    for (std::size_t i = kObjectKeyBytes; i < kVersionKeyBytes; ++i)
        complement = complement << 8 | static_cast<std::uint8_t>(bytes[i]);
    return Lsn{~complement};
}

std::string_view Cursor::value() const {
    const rocksdb::Slice bytes = impl_->iterator->value();
    return {bytes.data(), bytes.size()};
}

}  // namespace bough::pageserver
