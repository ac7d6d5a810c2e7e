#include "pageserver/page_store/forgetful_files.hpp"

#include <fstream>
#include <utility>
#include <vector>

#include "bough/check.hpp"

namespace bough::pageserver {
namespace {

class ForgetfulFile final : public rocksdb::FSWritableFileOwnerWrapper {
public:
    ForgetfulFile(std::unique_ptr<rocksdb::FSWritableFile>&& file, ForgetfulFiles& files, std::shared_ptr<ForgetfulFiles::Content> content)
        : FSWritableFileOwnerWrapper(std::move(file)), files_(files), content_(std::move(content)) {}

    rocksdb::IOStatus Sync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* context) override {
        const auto flushed = target()->Flush(options, context);
        if (flushed.ok()) files_.sync_content(*content_);
        return flushed;
    }
    rocksdb::IOStatus Fsync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* context) override {
        return Sync(options, context);
    }
    // A hint, not a promise.
    rocksdb::IOStatus RangeSync(std::uint64_t, std::uint64_t, const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
        return rocksdb::IOStatus::OK();
    }

private:
    ForgetfulFiles& files_;
    std::shared_ptr<ForgetfulFiles::Content> content_;
};

class ForgetfulDirectory final : public rocksdb::FSDirectory {
public:
    ForgetfulDirectory(std::filesystem::path path, ForgetfulFiles& files) : path_(std::move(path)), files_(files) {}

    rocksdb::IOStatus Fsync(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
        files_.sync_directory(path_);
        return rocksdb::IOStatus::OK();
    }
    rocksdb::IOStatus FsyncWithDirOptions(const rocksdb::IOOptions& options, rocksdb::IODebugContext* context,
                                          const rocksdb::DirFsyncOptions&) override {
        return Fsync(options, context);
    }
    rocksdb::IOStatus Close(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override { return rocksdb::IOStatus::OK(); }

private:
    const std::filesystem::path path_;
    ForgetfulFiles& files_;
};

std::filesystem::path normal(const std::filesystem::path& path) {
    const auto plain = path.lexically_normal();
    return plain.has_filename() ? plain : plain.parent_path();
}

}  // namespace

ForgetfulFiles::ForgetfulFiles(std::filesystem::path lost_and_found)
    : FileSystemWrapper(rocksdb::FileSystem::Default()), lost_and_found_(std::move(lost_and_found)) {}

void ForgetfulFiles::when_synced(std::function<void()> callback) {
    const std::lock_guard lock(mutex_);
    callback_ = std::move(callback);
}

void ForgetfulFiles::leave(const std::filesystem::path& from, const std::filesystem::path& to) const {
    std::filesystem::create_directories(to);
    for (const auto& [name, content] : durable_names_) {
        if (name.parent_path() != normal(from)) continue;
        std::ifstream in(content->path, std::ios::binary);
        std::vector<char> bytes(content->synced);
        BOUGH_CHECK(in.read(bytes.data(), static_cast<std::streamsize>(bytes.size())).good() || bytes.empty());
        std::ofstream(to / name.filename(), std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    }
}

void ForgetfulFiles::sync_content(Content& content) {
    const std::lock_guard lock(mutex_);
    content.synced = std::filesystem::file_size(content.path);
    if (callback_) callback_();
}

void ForgetfulFiles::sync_directory(const std::filesystem::path& directory) {
    const std::lock_guard lock(mutex_);
    std::erase_if(durable_names_, [&](const auto& entry) { return entry.first.parent_path() == directory; });
    for (const auto& [name, content] : names_)
        if (name.parent_path() == directory) durable_names_.emplace(name, content);
    if (callback_) callback_();
}

void ForgetfulFiles::take_name(const std::filesystem::path& name) {
    const auto found = names_.find(name);
    if (found == names_.end()) return;
    const auto elsewhere = lost_and_found_ / std::to_string(++nameless_);
    std::filesystem::rename(name, elsewhere);
    if (found->second->path == name) found->second->path = elsewhere;
    names_.erase(found);
}

std::shared_ptr<ForgetfulFiles::Content> ForgetfulFiles::content_of(const std::filesystem::path& name) {
    auto& content = names_[name];
    if (content == nullptr) content = std::make_shared<Content>(Content{name});
    return content;
}

rocksdb::IOStatus ForgetfulFiles::NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                                  std::unique_ptr<rocksdb::FSWritableFile>* result,
                                                  rocksdb::IODebugContext* context) {
    const std::lock_guard lock(mutex_);
    take_name(normal(name));
    std::unique_ptr<rocksdb::FSWritableFile> file;
    const auto made = target()->NewWritableFile(name, options, &file, context);
    if (made.ok()) *result = std::make_unique<ForgetfulFile>(std::move(file), *this, content_of(normal(name)));
    return made;
}

rocksdb::IOStatus ForgetfulFiles::ReopenWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                                     std::unique_ptr<rocksdb::FSWritableFile>* result,
                                                     rocksdb::IODebugContext* context) {
    const std::lock_guard lock(mutex_);
    std::unique_ptr<rocksdb::FSWritableFile> file;
    const auto opened = target()->ReopenWritableFile(name, options, &file, context);
    if (opened.ok()) *result = std::make_unique<ForgetfulFile>(std::move(file), *this, content_of(normal(name)));
    return opened;
}

rocksdb::IOStatus ForgetfulFiles::NewDirectory(const std::string& name, const rocksdb::IOOptions&,
                                               std::unique_ptr<rocksdb::FSDirectory>* result, rocksdb::IODebugContext*) {
    *result = std::make_unique<ForgetfulDirectory>(normal(name), *this);
    return rocksdb::IOStatus::OK();
}

rocksdb::IOStatus ForgetfulFiles::DeleteFile(const std::string& name, const rocksdb::IOOptions& options,
                                             rocksdb::IODebugContext* context) {
    const std::lock_guard lock(mutex_);
    if (!names_.contains(normal(name))) return target()->DeleteFile(name, options, context);
    take_name(normal(name));
    return rocksdb::IOStatus::OK();
}

rocksdb::IOStatus ForgetfulFiles::RenameFile(const std::string& from, const std::string& to, const rocksdb::IOOptions& options,
                                             rocksdb::IODebugContext* context) {
    const std::lock_guard lock(mutex_);
    const auto old_name = normal(from);
    const auto new_name = normal(to);
    take_name(new_name);
    const auto renamed = target()->RenameFile(from, to, options, context);
    if (!renamed.ok() || !names_.contains(old_name)) return renamed;
    const auto content = content_of(old_name);
    names_.erase(old_name);
    names_[new_name] = content;
    if (content->path == old_name) content->path = new_name;
    return renamed;
}

rocksdb::IOStatus ForgetfulFiles::LinkFile(const std::string& from, const std::string& to, const rocksdb::IOOptions& options,
                                           rocksdb::IODebugContext* context) {
    const std::lock_guard lock(mutex_);
    const auto linked = target()->LinkFile(from, to, options, context);
    if (linked.ok()) names_[normal(to)] = content_of(normal(from));
    return linked;
}

}  // namespace bough::pageserver
