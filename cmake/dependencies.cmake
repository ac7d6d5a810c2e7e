find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(spdlog REQUIRED)
find_package(GTest REQUIRED)
find_package(RocksDB REQUIRED)
find_package(CLI11 REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED)
find_package(OpenSSL REQUIRED)
# Prefixes other than "zstd" and "lz4": RocksDB's package file looks those up under these names itself.
pkg_check_modules(BOUGH_ZSTD REQUIRED IMPORTED_TARGET GLOBAL libzstd)
pkg_check_modules(BOUGH_LZ4 REQUIRED IMPORTED_TARGET GLOBAL liblz4)
add_library(PkgConfig::zstd ALIAS PkgConfig::BOUGH_ZSTD)
add_library(PkgConfig::lz4 ALIAS PkgConfig::BOUGH_LZ4)
pkg_check_modules(libpq REQUIRED IMPORTED_TARGET libpq)
pkg_check_modules(seccomp REQUIRED IMPORTED_TARGET libseccomp)

# Boost 1.81 beside Debian's default 1.74: only the versioned packages are wanted.
find_package(Boost 1.81 EXACT REQUIRED COMPONENTS json url)

set(BOUGH_PG_CONFIG /usr/lib/postgresql/15/bin/pg_config CACHE FILEPATH "pg_config of the Postgres 15 that computes run")
execute_process(COMMAND ${BOUGH_PG_CONFIG} --includedir-server OUTPUT_VARIABLE BOUGH_PG_INCLUDE_SERVER
                OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${BOUGH_PG_CONFIG} --bindir OUTPUT_VARIABLE BOUGH_PG_BINDIR
                OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
