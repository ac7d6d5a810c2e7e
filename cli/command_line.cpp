#include "cli/command_line.hpp"

#include <cstdlib>
#include <filesystem>

namespace bough::cli {

std::string resolve_data_dir(const std::string& given) {
    std::string chosen = given;
    if (chosen.empty()) {
        const char* from_environment = std::getenv("BOUGH_DATA_DIR");
        chosen = from_environment && *from_environment ? from_environment : "bough-data";
    }
    auto path = std::filesystem::absolute(chosen).lexically_normal().string();
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    return path;
}

void add_common(CLI::App& verb, CommonOptions& options, bool with_project) {
    verb.add_option("--data-dir", options.data_dir, "Directory of the system (default: $BOUGH_DATA_DIR, else ./bough-data)");
    if (with_project) verb.add_option("--project", options.project, "Project id or name (default: the only one)");
    verb.add_flag("--json", options.json, "Print one JSON document");
}

}  // namespace bough::cli
