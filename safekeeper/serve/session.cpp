#include "safekeeper/serve/session.hpp"

#include <charconv>
#include <map>

#include "pgwire/message.hpp"
#include "pgwire/reply.hpp"
#include "safekeeper/serve/wal_sender.hpp"

namespace bough::safekeeper::serve {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kStartupTimeout = 10s;
constexpr auto kIdleTimeout = 600s;  // between commands
constexpr std::size_t kCommandBytesMax = 1 << 14;
constexpr const char* kNameTheBranch = "connect with options='-c bough.project=P -c bough.branch=B'";

// What clients of Postgres 15 look at.
const std::map<std::string, std::string>& reported_settings() {
    static const std::map<std::string, std::string> settings = {
        {"server_version", "15.0 (bough)"}, {"server_encoding", "UTF8"},     {"client_encoding", "UTF8"},
        {"DateStyle", "ISO, MDY"},          {"integer_datetimes", "on"},     {"standard_conforming_strings", "on"},
        {"TimeZone", "UTC"},                {"IntervalStyle", "postgres"},
    };
    return settings;
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
    unsigned char difference = a.size() == b.size() ? 0 : 1;
    for (std::size_t i = 0; i < a.size(); ++i)
        difference = static_cast<unsigned char>(difference | (a[i] ^ (b.empty() ? 0 : b[i % b.size()])));
    return difference == 0;
}

bool means_true(std::string_view value) { return pgwire::means_physical_replication(value); }

std::string with_unit(std::uint32_t bytes) {
    return bytes % (1u << 30) == 0 ? std::to_string(bytes >> 30) + "GB" : std::to_string(bytes >> 20) + "MB";
}

}  // namespace

Session::Session(Connection connection, WalCatalog& catalog, std::string token)
    : connection_(std::move(connection)), catalog_(catalog), token_(std::move(token)) {}

std::string Session::described() const { return description_.empty() ? "a client that named no branch" : description_; }

Result<void> Session::run() {
    BOUGH_ASSIGN(bool wanted, start());
    while (wanted) {
        BOUGH_ASSIGN(wanted, serve_message());
    }
    return {};
}

// Tells the client, and gives the error for the log.
Error Session::fatal(const Error& error, std::string_view sqlstate) {
    std::string out;
    pgwire::append_error(out, {.severity = "FATAL", .sqlstate = sqlstate, .message = error.message, .hint = error.hint});
    (void)connection_.send(out);
    return error;
}

// An error after which the session goes on.
Result<void> Session::refuse(std::string_view sqlstate, const std::string& message, const std::string& hint) {
    std::string out;
    pgwire::append_error(out, {.severity = "ERROR", .sqlstate = sqlstate, .message = message, .hint = hint});
    pgwire::append_ready_for_query(out);
    return connection_.send(out);
}

// --- startup ----------------------------------------------------------------------------------------------------------------

Result<bool> Session::start() {
    BOUGH_ASSIGN(auto packet, read_startup());
    if (packet.kind == pgwire::StartupKind::cancel_request) return false;
    if (packet.minor_version > 0 || !packet.protocol_options().empty()) {
        std::string out;
        pgwire::append_negotiate_protocol_version(out, 0, packet.protocol_options());
        BOUGH_TRY(connection_.send(out));
    }
    // Before anything is said of what there is.
    if (!token_.empty()) BOUGH_TRY(authenticate());
    BOUGH_TRY(open_branch(packet));
    BOUGH_TRY(greet());
    return true;
}

Result<pgwire::StartupPacket> Session::read_startup() {
    auto deadline = Clock::now() + kStartupTimeout;
    // A client may ask for TLS and for GSS encryption before it starts in plain.
    for (int requests = 0; requests < 3;) {
        auto packet = pgwire::parse_startup(connection_.input());
        if (!packet) return fatal(packet.error(), packet.error().code == ErrorCode::unsupported ? "0A000" : "08P01");
        if (!*packet) {
            BOUGH_TRY(connection_.receive(deadline));
            continue;
        }
        connection_.drop_input((*packet)->size);
        auto kind = (*packet)->kind;
        if (kind == pgwire::StartupKind::startup || kind == pgwire::StartupKind::cancel_request) return std::move(**packet);
        ++requests;
        BOUGH_TRY(connection_.send("N"));
    }
    return fatal({ErrorCode::invalid_argument, "too many requests for encryption", {}}, "08P01");
}

Result<void> Session::authenticate() {
    std::string out;
    pgwire::append_authentication_cleartext_password(out);
    BOUGH_TRY(connection_.send(out));
    auto deadline = Clock::now() + kStartupTimeout;
    for (;;) {
        BOUGH_ASSIGN(auto message, pgwire::parse_message(connection_.input(), kCommandBytesMax));
        if (!message) {
            BOUGH_TRY(connection_.receive(deadline));
            continue;
        }
        auto password = message->type == 'p' ? pgwire::text_of_body(*message)
                                             : Result<std::string_view>(Error{ErrorCode::invalid_argument, "a password was expected", {}});
        if (!password) return fatal(password.error(), "08P01");
        bool right = equal_in_constant_time(*password, token_);
        connection_.drop_input(message->size);
        if (right) return {};
        return fatal({ErrorCode::unauthenticated, "wrong token", "the token is the password of this service"}, "28P01");
    }
}

Result<void> Session::open_branch(const pgwire::StartupPacket& packet) {
    if (!pgwire::means_physical_replication(packet.parameter("replication")))
        return fatal({ErrorCode::unsupported, "this is a WAL service: it speaks the replication protocol only",
                      "connect with replication=true"}, "0A000");
    auto settings = pgwire::parse_options(packet.parameter("options"));
    if (!settings) return fatal(settings.error(), "22023");
    auto setting = [&](const char* name) { return (*settings)[name]; };

    auto project = ProjectId::parse(setting("bough.project"));
    auto branch = BranchId::parse(setting("bough.branch"));
    if (!project || !branch) {
        auto error = project ? branch.error() : project.error();
        if (setting("bough.project").empty() || setting("bough.branch").empty()) error.message = "no branch was named";
        error.hint = kNameTheBranch;
        return fatal(error, "22023");
    }
    options_.uncommitted = means_true(setting("bough.uncommitted"));
    options_.begun = means_true(setting("bough.begun"));
    if (auto term = setting("bough.term"); !term.empty()) {
        Term asked;
        auto [end, failed] = std::from_chars(term.data(), term.data() + term.size(), asked.value);
        if (failed != std::errc{} || end != term.data() + term.size())
            return fatal({ErrorCode::invalid_argument, "invalid value for bough.term: \"" + term + "\"", {}}, "22023");
        options_.term = asked;
    }
    auto found = catalog_.find(*project, *branch);
    if (!found) return fatal(found.error(), found.error().code == ErrorCode::not_found ? "3D000" : pgwire::sqlstate_of(found.error().code));
    source_ = std::move(*found);
    description_ = "project " + project->str() + " branch " + branch->str();
    if (auto allowed = source_->check_term(options_); !allowed) return fatal(allowed.error(), "55000");
    return {};
}

Result<void> Session::greet() {
    std::string out;
    pgwire::append_authentication_ok(out);
    for (const auto& [name, value] : reported_settings()) pgwire::append_parameter_status(out, name, value);
    pgwire::append_backend_key_data(out, 0, 0);
    pgwire::append_ready_for_query(out);
    return connection_.send(out);
}

// --- commands ---------------------------------------------------------------------------------------------------------------

// False when the client has ended the session.
Result<bool> Session::serve_message() {
    auto deadline = Clock::now() + kIdleTimeout;
    for (;;) {
        auto message = pgwire::parse_message(connection_.input(), kCommandBytesMax);
        if (!message) return fatal(message.error(), "08P01");
        if (!*message) {
            auto received = connection_.receive(deadline);
            // Leaving without a word is common.
            if (!received && received.error().code == ErrorCode::unavailable) return false;
            if (!received) return fatal(received.error(), "57P05");
            continue;
        }
        char type = (*message)->type;
        if (type == 'X') return false;
        if (type == 'Q') {
            auto text = pgwire::text_of_body(**message);
            if (!text) return fatal(text.error(), "08P01");
            std::string command(*text);
            connection_.drop_input((*message)->size);
            BOUGH_TRY(serve_command(command));
            return true;
        }
        // Left over from a copy that an error ended.
        bool of_copy = type == 'd' || type == 'c' || type == 'f';
        connection_.drop_input((*message)->size);
        if (!of_copy)
            return fatal({ErrorCode::unsupported, "the extended query protocol is not offered by a WAL service", {}}, "0A000");
    }
}

Result<void> Session::serve_command(std::string_view text) {
    auto command = parse_replication_command(text);
    if (!command) {
        bool syntax = command.error().code == ErrorCode::invalid_argument;
        return refuse(syntax ? "42601" : "0A000", command.error().message, command.error().hint);
    }
    switch (command->kind) {
        case ReplicationCommand::Kind::empty: {
            std::string out;
            pgwire::append_empty_query_response(out);
            pgwire::append_ready_for_query(out);
            return connection_.send(out);
        }
        case ReplicationCommand::Kind::identify_system: return identify_system();
        case ReplicationCommand::Kind::show: return show(command->name);
        case ReplicationCommand::Kind::start_replication: return start_replication(*command);
        case ReplicationCommand::Kind::not_offered: break;
    }
    return refuse("0A000", command->name + " is not offered by a WAL service",
                  command->name == "base_backup" ? "take base backups from the compute"
                                                 : "WAL is kept without replication slots; only timeline 1 exists");
}

Result<void> Session::identify_system() {
    std::string out;
    pgwire::append_row_description(out, {{"systemid", pgwire::ColumnType::text}, {"timeline", pgwire::ColumnType::int4},
                                         {"xlogpos", pgwire::ColumnType::text}, {"dbname", pgwire::ColumnType::text}});
    pgwire::append_data_row(out, {std::to_string(source_->place().system_id.value), "1",
                                  source_->readable_end(options_.uncommitted).to_string(), std::nullopt});
    pgwire::append_command_complete(out, "IDENTIFY_SYSTEM");
    pgwire::append_ready_for_query(out);
    return connection_.send(out);
}

Result<void> Session::show(const std::string& name) {
    std::map<std::string, std::string> settings;
    for (const auto& [setting, value] : reported_settings()) {
        std::string key = setting;
        for (char& c : key)
            if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
        settings[key] = value;
    }
    settings["wal_segment_size"] = with_unit(source_->place().segment_bytes);
    settings["data_directory_mode"] = "0700";
    settings["server_version_num"] = "150000";
    settings["wal_level"] = "replica";
    settings["wal_block_size"] = "8192";
    // Where a peer begins whose log ends before ours begins.
    auto begin = source_->log_begin();
    settings["bough.log_begin"] = begin.end.to_string() + " " + begin.start.to_string();
    auto found = settings.find(name);
    if (found == settings.end()) return refuse("42704", "unrecognized configuration parameter \"" + name + "\"");
    std::string out;
    pgwire::append_row_description(out, {{name, pgwire::ColumnType::text}});
    pgwire::append_data_row(out, {found->second});
    pgwire::append_command_complete(out, "SHOW");
    pgwire::append_ready_for_query(out);
    return connection_.send(out);
}

Result<void> Session::start_replication(const ReplicationCommand& command) {
    if (command.timeline > 1)
        return refuse("22023", "requested timeline " + std::to_string(command.timeline) + " does not exist", "there is only timeline 1");
    auto end = source_->readable_end(options_.uncommitted);
    if (command.start > end)
        return refuse("22023", "requested starting point " + command.start.to_string() + " is ahead of the WAL of this safekeeper, " +
                                   end.to_string());
    auto first = source_->first_lsn();
    if (!first) return refuse(pgwire::sqlstate_of(first.error().code), first.error().message, first.error().hint);
    const auto& place = source_->place();
    if (command.start < *first)
        return refuse("58P01", "requested WAL segment " + place.name_of(place.segment_at(command.start)) + " has already been removed");

    auto sent = send_wal(connection_, *source_, options_, command.start);
    if (sent) return {};
    auto code = sent.error().code;
    return fatal(sent.error(), code == ErrorCode::not_found ? "58P01" : code == ErrorCode::unavailable ? "57P01" : pgwire::sqlstate_of(code));
}

}  // namespace bough::safekeeper::serve
