// The role and the database that a project's owner connects with.
#pragma once

#include <string>

#include "bough/error.hpp"

namespace bough::control {

struct Owner {
    std::string role;
    std::string password;
    std::string database;
};

// Creates what is missing of them, through a superuser's connection. The password is hashed (SCRAM-SHA-256) before it is sent.
// The role may create databases; it is no superuser and cannot create roles, since in Postgres 15 that would let it run programs.
Result<void> make_owner(const std::string& superuser_conninfo, const Owner& owner);

}  // namespace bough::control
