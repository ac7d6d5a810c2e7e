"""Copies of a compute's files are refused, by whatever way they are asked for; streaming is not."""
import psycopg2
import pytest

from psycopg2.extras import LogicalReplicationConnection, PhysicalReplicationConnection

from cluster import BINDIR, run


def test_pg_basebackup_is_refused(compute, home):
    done = run([f'{BINDIR}/pg_basebackup', '-h', compute.sockets, '-p', compute.port, '-U', 'postgres', '-D',
                f'{home}/backup', '-X', 'none'], check=False)
    assert done.returncode != 0
    assert 'cannot take a base backup of a compute' in done.stderr


@pytest.mark.parametrize('factory', [PhysicalReplicationConnection, LogicalReplicationConnection])
@pytest.mark.parametrize('options', ["LABEL 'x', CHECKPOINT 'fast'",
                                     "LABEL 'x', CHECKPOINT 'fast', TARGET 'blackhole', WAL false"])
def test_base_backup_command_is_refused_for_those_who_may_stream(compute, factory, options):
    connection = compute.connect(connection_factory=factory, application_name='bough-safekeeper')
    with connection.cursor() as cursor:
        with pytest.raises(psycopg2.errors.FeatureNotSupported, match='cannot take a base backup of a compute') as raised:
            cursor.execute(f'BASE_BACKUP ({options})')
        assert 'Create a branch instead' in raised.value.diag.message_hint
        cursor.execute('IDENTIFY_SYSTEM')
        assert cursor.fetchone()[1] == 1


def test_logical_replication_connection_may_use_copy(compute):
    connection = compute.connect(connection_factory=LogicalReplicationConnection, application_name='a subscriber')
    with connection.cursor() as cursor:
        cursor.execute('IDENTIFY_SYSTEM')
        with open('/dev/null', 'w') as sink:
            cursor.copy_expert('COPY accounts TO STDOUT', sink)


def test_pg_backup_start_is_refused(compute):
    with pytest.raises(psycopg2.errors.FeatureNotSupported, match='cannot take a base backup of a compute'):
        compute.rows("SELECT pg_backup_start('x', true)")
