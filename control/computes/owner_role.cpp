#include "control/computes/owner_role.hpp"

#include <libpq-fe.h>

#include <memory>

namespace bough::control {
namespace {

using Connection = std::unique_ptr<PGconn, decltype(&PQfinish)>;
using Answer = std::unique_ptr<PGresult, decltype(&PQclear)>;

struct FreePq {
    void operator()(char* text) const { PQfreemem(text); }
};
using Text = std::unique_ptr<char, FreePq>;

Error sql_error(const std::string& what, PGconn* connection) {
    std::string message = PQerrorMessage(connection);
    while (!message.empty() && message.back() == '\n') message.pop_back();
    return {ErrorCode::internal, what + ": " + message, {}};
}

Result<void> execute(PGconn* connection, const std::string& statement, const std::string& what) {
    Answer answer(PQexec(connection, statement.c_str()), PQclear);
    if (PQresultStatus(answer.get()) != PGRES_COMMAND_OK) return sql_error(what, connection);
    return {};
}

Result<bool> exists(PGconn* connection, const char* query, const std::string& name) {
    const char* parameters[] = {name.c_str()};
    Answer answer(PQexecParams(connection, query, 1, nullptr, parameters, nullptr, nullptr, 0), PQclear);
    if (PQresultStatus(answer.get()) != PGRES_TUPLES_OK) return sql_error("cannot read the catalog", connection);
    return PQntuples(answer.get()) > 0;
}

}  // namespace

Result<void> make_owner(const std::string& superuser_conninfo, const Owner& owner) {
    Connection connection(PQconnectdb(superuser_conninfo.c_str()), PQfinish);
    if (PQstatus(connection.get()) != CONNECTION_OK) return sql_error("cannot connect as superuser", connection.get());
    Text role(PQescapeIdentifier(connection.get(), owner.role.data(), owner.role.size()));
    Text database(PQescapeIdentifier(connection.get(), owner.database.data(), owner.database.size()));
    Text verifier(PQencryptPasswordConn(connection.get(), owner.password.c_str(), owner.role.c_str(), "scram-sha-256"));
    if (!role || !database || !verifier) return sql_error("cannot prepare the owner role", connection.get());
    Text verifier_literal(PQescapeLiteral(connection.get(), verifier.get(), std::char_traits<char>::length(verifier.get())));

    BOUGH_ASSIGN(bool role_exists, exists(connection.get(), "SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = $1", owner.role));
    std::string verb = role_exists ? "ALTER ROLE " : "CREATE ROLE ";
    BOUGH_TRY(execute(connection.get(), verb + role.get() + " LOGIN CREATEDB PASSWORD " + verifier_literal.get(), "cannot create the owner role"));
    BOUGH_ASSIGN(bool database_exists, exists(connection.get(), "SELECT 1 FROM pg_catalog.pg_database WHERE datname = $1", owner.database));
    if (database_exists) return {};
    return execute(connection.get(), std::string("CREATE DATABASE ") + database.get() + " OWNER " + role.get(), "cannot create the owner's database");
}

}  // namespace bough::control
