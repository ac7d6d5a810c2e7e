#include "pageserver/page_store/rocksdb_edge.hpp"

namespace bough::pageserver {

WriteSet::WriteSet() : impl_(std::make_unique<Impl>()) {}
WriteSet::~WriteSet() = default;
WriteSet::WriteSet(WriteSet&&) noexcept = default;
WriteSet& WriteSet::operator=(WriteSet&&) noexcept = default;

void WriteSet::put(BranchNumber branch, const ObjectKey& object, Lsn lsn, std::string_view value) {
    impl_->entries.push_back({branch, object, lsn, impl_->bytes.size(), value.size()});
    impl_->bytes.append(value);
}

void WriteSet::set_position(BranchNumber branch, LogPosition position) { impl_->positions[branch] = position; }

std::size_t WriteSet::bytes() const { return impl_->bytes.size() + impl_->entries.size() * sizeof(Impl::Entry); }

bool WriteSet::empty() const { return impl_->entries.empty() && impl_->positions.empty(); }

}  // namespace bough::pageserver
