#include "control/computes/launch_record.hpp"

#include <boost/json/serialize.hpp>

#include "control/storage/history_json.hpp"
#include "files/files.hpp"
#include "json/fields.hpp"

namespace bough::control {
namespace {
std::filesystem::path file_in(const std::filesystem::path& compute_directory) { return compute_directory / "bough" / "launch.json"; }
}  // namespace

Result<void> write_launch_record(const std::filesystem::path& compute_directory, const LaunchRecord& record) {
    json::object fields{{"term", record.term.value},
                        {"start_lsn", record.start_lsn.to_string()},
                        {"prev_lsn", record.prev_lsn.to_string()},
                        {"history", history_json(record.history)}};
    return files::write(file_in(compute_directory), boost::json::serialize(fields));
}

Result<LaunchRecord> read_launch_record(const std::filesystem::path& compute_directory) {
    BOUGH_ASSIGN(auto text, files::read(file_in(compute_directory)));
    BOUGH_ASSIGN(auto fields, json::parse_object(text));
    LaunchRecord record;
    BOUGH_ASSIGN(auto term, json::unsigned_field(fields, "term"));
    record.term = Term{term};
    BOUGH_ASSIGN(record.start_lsn, json::lsn_field(fields, "start_lsn"));
    BOUGH_ASSIGN(record.prev_lsn, json::lsn_field(fields, "prev_lsn"));
    BOUGH_ASSIGN(record.history, history_in(fields));
    return record;
}

}  // namespace bough::control
