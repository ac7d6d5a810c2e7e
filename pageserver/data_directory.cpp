#include "pageserver/data_directory.hpp"

#include <string>

namespace bough::pageserver {
namespace {

constexpr const char* kFormatFile = "format";
constexpr const char* kFormat = "bough-pageserver 1\n";

}  // namespace

Result<files::Lock> take_data_directory(const std::filesystem::path& directory) {
    BOUGH_TRY(files::make_directories(directory));
    BOUGH_ASSIGN(files::Lock lock, files::Lock::take(directory / "lock"));
    const auto format = files::read(directory / kFormatFile);
    if (!format) {
        if (format.error().code != ErrorCode::not_found) return format.error();
        // A directory with projects but without a format is no fresh one.
        std::error_code ignored;
        if (std::filesystem::exists(directory / "projects", ignored))
            return Error{ErrorCode::unsupported, "the data directory \"" + directory.string() + "\" does not say its format", {}};
        BOUGH_TRY(files::write_atomically(directory / kFormatFile, kFormat));
    } else if (*format != kFormat) {
        return Error{ErrorCode::unsupported, "the data directory \"" + directory.string() + "\" has another format than this program's",
                     "run the version of bough that wrote it"};
    }
    return lock;
}

}  // namespace bough::pageserver
