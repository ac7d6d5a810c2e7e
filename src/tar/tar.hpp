// POSIX ustar archives in memory: what a basebackup travels in.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "bough/error.hpp"

namespace bough::tar {

struct Entry {
    std::string path;  // relative, no "..", no leading '/', at most 255 bytes
    bool directory = false;
    std::string content;
};

// Appends entries to an archive; files get mode 0600, directories 0700.
class Writer {
public:
    void add_directory(std::string_view path);
    void add_file(std::string_view path, std::string_view content);
    // Ends the archive and hands it over.
    std::string finish();

private:
    std::string archive_;
};

// Every entry of an archive, in order. Untrusted input: checks header sums, sizes and paths (ErrorCode::corrupt).
Result<std::vector<Entry>> read(std::string_view archive);

}  // namespace bough::tar
