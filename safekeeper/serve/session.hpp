// One client of the WAL service, from its startup packet to its end.
#pragma once

#include <memory>
#include <string>

#include "bough/error.hpp"
#include "pgwire/startup.hpp"
#include "safekeeper/serve/connection.hpp"
#include "safekeeper/serve/replication_command.hpp"
#include "safekeeper/serve/wal_source.hpp"

namespace bough::safekeeper::serve {

// Runs on a thread of its own and blocks.
class Session {
public:
    // `token`: asked as a password; empty: not asked.
    Session(Connection connection, WalCatalog& catalog, std::string token);

    // Serves until the client leaves. An error says why the session was ended otherwise; the client was told, if it could be.
    Result<void> run();

    // "project p branch b", as far as the client has said.
    std::string described() const;

private:
    Result<bool> start();  // false: nothing more is wanted
    Result<pgwire::StartupPacket> read_startup();
    Result<void> authenticate();
    Result<void> open_branch(const pgwire::StartupPacket& packet);
    Result<void> greet();
    Result<bool> serve_message();
    Result<void> serve_command(std::string_view text);
    Result<void> identify_system();
    Result<void> show(const std::string& name);
    Result<void> start_replication(const ReplicationCommand& command);
    Result<void> refuse(std::string_view sqlstate, const std::string& message, const std::string& hint = {});
    Error fatal(const Error& error, std::string_view sqlstate);

    Connection connection_;
    WalCatalog& catalog_;
    const std::string token_;
    std::shared_ptr<WalSource> source_;
    ReadOptions options_;
    std::string description_;
};

}  // namespace bough::safekeeper::serve
