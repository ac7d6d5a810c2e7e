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

std::string_view view(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

}  // namespace

Cursor::Cursor(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Cursor::~Cursor() = default;
Cursor::Cursor(Cursor&&) noexcept = default;
Cursor& Cursor::operator=(Cursor&&) noexcept = default;

Result<bool> Cursor::Impl::enter_run(Lsn end) {
    BOUGH_ASSIGN(const bool valid, outcome(*iterator));
    if (!valid) return false;
    if (const auto parsed = run.parse(view(iterator->key()), view(iterator->value())); !parsed) return parsed.error();
    // A run's key is its oldest version, which is below `end`: the iterator went to it by that.
    const auto newest = end.value == 0 ? std::nullopt : run.newest_at(Lsn{end.value - 1});
    if (!newest) return Error{ErrorCode::corrupt, "stored run of page versions: not where its key says", {}};
    index = *newest;
    return true;
}

Result<bool> Cursor::seek(BranchNumber branch, const ObjectKey& object, Lsn lsn) {
    const VersionKeyBytes key = encode_version_key(branch, object, lsn);
    impl_->iterator->Seek(rocksdb::Slice(key.data(), key.size()));
    impl_->in_run = has_runs(object.kind);
    if (!impl_->in_run) return outcome(*impl_->iterator);
    return impl_->enter_run(lsn + 1);
}

Result<bool> Cursor::next_older() {
    if (!impl_->in_run) {
        impl_->iterator->Next();
        return outcome(*impl_->iterator);
    }
    if (impl_->index > 0) {
        --impl_->index;
        return true;
    }
    const Lsn end = impl_->run[0].lsn;
    impl_->iterator->Next();
    return impl_->enter_run(end);
}

Result<bool> Cursor::seek_at_or_after(BranchNumber branch, const ObjectKey& object, Lsn lsn) {
    const VersionKeyBytes key = encode_version_key(branch, object, lsn);
    impl_->in_run = false;
    impl_->iterator->Seek(rocksdb::Slice(key.data(), key.size()));
    return outcome(*impl_->iterator);
}

Result<bool> Cursor::next() {
    impl_->iterator->Next();
    return outcome(*impl_->iterator);
}

Result<VersionKey> Cursor::key() const {
    const rocksdb::Slice bytes = impl_->iterator->key();
    const auto key = decode_version_key({bytes.data(), bytes.size()});
    if (!key) return Error{ErrorCode::corrupt, "the page store holds a key of no known form", {}};
    return *key;
}

Lsn Cursor::lsn() const {
    if (impl_->in_run) return impl_->run[impl_->index].lsn;
    const rocksdb::Slice bytes = impl_->iterator->key();
    BOUGH_CHECK(bytes.size() == kVersionKeyBytes);
    std::uint64_t complement = 0;
    for (std::size_t i = kObjectKeyBytes; i < kVersionKeyBytes; ++i)
        complement = complement << 8 | static_cast<std::uint8_t>(bytes[i]);
    return Lsn{~complement};
}

std::string_view Cursor::value() const {
    if (impl_->in_run) return impl_->run[impl_->index].value;
    return view(impl_->iterator->value());
}

}  // namespace bough::pageserver
