#include "pageserver/page_store/rocksdb_edge.hpp"

#include "bough/check.hpp"

namespace bough::pageserver {

// The batch names no column family: versions are in the default one.
WriteSet::WriteSet() : impl_(std::make_unique<Impl>()) {}
WriteSet::~WriteSet() = default;
WriteSet::WriteSet(WriteSet&&) noexcept = default;
WriteSet& WriteSet::operator=(WriteSet&&) noexcept = default;

void WriteSet::put(BranchNumber branch, const ObjectKey& object, Lsn lsn, std::string_view value) {
    const VersionKeyBytes key = encode_version_key(branch, object, lsn);
    std::string run;
    if (has_runs(object.kind)) {
        PageRunWriter writer;
        writer.add(lsn, value);
        writer.encode(std::string_view(key.data(), key.size()), run);
        value = run;
    }
    const auto status = impl_->batch.Put(rocksdb::Slice(key.data(), key.size()), rocksdb::Slice(value.data(), value.size()));
    BOUGH_CHECK(status.ok());
}

void WriteSet::set_position(BranchNumber branch, LogPosition position) {
    put(branch, ObjectKey::single(Kind::position), Lsn{}, encode_position(position));
    impl_->positions[branch] = position;
}

std::size_t WriteSet::bytes() const { return impl_->batch.GetDataSize(); }

bool WriteSet::empty() const { return impl_->batch.Count() == 0; }

}  // namespace bough::pageserver
