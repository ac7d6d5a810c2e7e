"""A stock server set up like a compute: same superuser, locale and settings, so that only the storage differs."""
import psycopg

from support.stock import StockPostgres

# What belongs to a compute's place in the system, not to how its SQL behaves.
NOT_COPIED = {"data_directory", "config_file", "hba_file", "ident_file", "external_pid_file", "port", "listen_addresses",
              "unix_socket_directories", "unix_socket_permissions", "shared_preload_libraries", "synchronous_standby_names", "cluster_name",
              "primary_conninfo", "primary_slot_name", "restore_command", "logging_collector", "log_destination", "log_directory",
              "log_filename", "log_line_prefix", "lc_messages", "archive_mode", "archive_command", "wal_buffers"}


def settings_of_compute(system, branch):
    rows = system.sql("select name, setting from pg_settings where source in ('configuration file', 'command line', 'global', "
                      "'environment variable') and context <> 'internal' and name not like '%.%'", branch, superuser=True)
    raw = {name: setting for name, setting in rows if name not in NOT_COPIED and not name.startswith("ssl")}
    # With units, as postgresql.conf wants them.
    with system.connect(branch, superuser=True) as connection:
        return {name: connection.execute(f'show "{name}"').fetchone()[0] for name in raw}


def stock_like(system, branch, directory):
    superuser = psycopg.conninfo.conninfo_to_dict(system.url(branch, superuser=True)).get("user", "postgres")
    server = StockPostgres(directory, superuser=superuser, settings=settings_of_compute(system, branch))
    server.start()
    for setting in ("server_encoding", "lc_collate", "lc_ctype", "data_checksums", "block_size", "TimeZone", "DateStyle"):
        ours = system.value(f"show {setting}", branch, superuser=True)
        theirs = server.sql(f"show {setting}")[0][0]
        assert ours == theirs, f"{setting}: {theirs} on stock, {ours} on the compute"
    return server
