// For tests: files that forget what was not synced, so that a power cut can be had at any moment.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include <rocksdb/file_system.h>

namespace bough::pageserver {

// Real files below, and a record of what of them a power cut would leave: the bytes of a file that were there when it was synced last,
// and the names in a directory that were there when the directory was. Everything else is taken for lost, which is the worst that a file
// system without a journal does. Directories are made durably. Thread-safe.
class ForgetfulFiles final : public rocksdb::FileSystemWrapper {
public:
    // `lost_and_found`: an empty directory, on the same file system, for what has no name any more but may have one again.
    explicit ForgetfulFiles(std::filesystem::path lost_and_found);

    const char* Name() const override { return "ForgetfulFiles"; }

    // Called after anything became durable, by the thread that made it so, while nothing else can.
    void when_synced(std::function<void()> callback);
    // Makes `to` what a power cut now would leave of the directory `from`. In the callback only.
    void leave(const std::filesystem::path& from, const std::filesystem::path& to) const;

    rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSWritableFile>* result, rocksdb::IODebugContext* context) override;
    rocksdb::IOStatus ReopenWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                         std::unique_ptr<rocksdb::FSWritableFile>* result, rocksdb::IODebugContext* context) override;
    rocksdb::IOStatus NewDirectory(const std::string& name, const rocksdb::IOOptions& options,
                                   std::unique_ptr<rocksdb::FSDirectory>* result, rocksdb::IODebugContext* context) override;
    rocksdb::IOStatus DeleteFile(const std::string& name, const rocksdb::IOOptions& options, rocksdb::IODebugContext* context) override;
    rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to, const rocksdb::IOOptions& options,
                                 rocksdb::IODebugContext* context) override;
    rocksdb::IOStatus LinkFile(const std::string& from, const std::string& to, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* context) override;

    struct Content {
        std::filesystem::path path;  // one of its names, or where it lies in lost_and_found_
        std::size_t synced = 0;      // bytes
    };
    void sync_content(Content& content);
    void sync_directory(const std::filesystem::path& directory);

private:
    using Names = std::map<std::filesystem::path, std::shared_ptr<Content>>;

    // Under mutex_: the name goes, what it led to stays.
    void take_name(const std::filesystem::path& name);
    std::shared_ptr<Content> content_of(const std::filesystem::path& name);

    const std::filesystem::path lost_and_found_;
    mutable std::mutex mutex_;
    std::function<void()> callback_;  // under mutex_, as the rest
    Names names_;                     // as they are
    Names durable_names_;             // as a power cut leaves them
    std::size_t nameless_ = 0;
};

}  // namespace bough::pageserver
