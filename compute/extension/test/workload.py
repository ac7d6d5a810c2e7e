"""The source cluster: a bit of everything that a base may have."""

SCHEMA = '''
CREATE TABLE accounts (id int PRIMARY KEY, branch int, balance int, filler text);
INSERT INTO accounts SELECT i, i % 10, 0, repeat('x', 60) FROM generate_series(1, 40000) i;
CREATE INDEX ON accounts (branch);
CREATE TABLE wide (id int PRIMARY KEY, body text);
ALTER TABLE wide ALTER body SET STORAGE EXTERNAL;
INSERT INTO wide SELECT i, repeat(md5(i::text), 200) FROM generate_series(1, 400) i;
CREATE TABLE shapes (id serial, box box, words text[], tag text, n int);
INSERT INTO shapes (box, words, tag, n) SELECT box(point(i, i), point(i + 1, i + 2)), ARRAY['a' || i % 50, 'b' || i % 7],
    md5(i::text), i FROM generate_series(1, 8000) i;
CREATE INDEX shapes_gist ON shapes USING gist (box);
CREATE INDEX shapes_gin ON shapes USING gin (words);
CREATE INDEX shapes_hash ON shapes USING hash (tag);
CREATE INDEX shapes_spgist ON shapes USING spgist (tag);
CREATE INDEX shapes_brin ON shapes USING brin (n) WITH (pages_per_range = 4);
CREATE TABLE parted (id int, part int) PARTITION BY LIST (part);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES IN (2);
INSERT INTO parted SELECT i, 1 + i % 2 FROM generate_series(1, 3000) i;
CREATE UNLOGGED TABLE scratch (id int PRIMARY KEY);
INSERT INTO scratch SELECT generate_series(1, 500);
CREATE MATERIALIZED VIEW summary AS SELECT branch, count(*) FROM accounts GROUP BY branch;
CREATE SEQUENCE numbers;
SELECT nextval('numbers') FROM generate_series(1, 100);
CREATE TABLE empty_one (id int PRIMARY KEY);
CREATE TABLE shrunk (id int, filler text);
INSERT INTO shrunk SELECT i, repeat('y', 400) FROM generate_series(1, 4000) i;
DELETE FROM shrunk WHERE id > 2000;
SELECT lo_from_bytea(0, decode(repeat('abcd', 20000), 'hex'));
'''


def make_source(cluster):
    cluster.initdb('-k')
    cluster.start(allow_in_place_tablespaces='on', max_prepared_transactions=4)
    for database in ('template1', 'postgres'):
        cluster.rows('CREATE EXTENSION amcheck', database)
    cluster.program('psql', '-qX', '-v', 'ON_ERROR_STOP=1', '-c', SCHEMA)
    cluster.rows("CREATE TABLESPACE elsewhere LOCATION ''")
    cluster.rows('CREATE TABLE far (id int PRIMARY KEY, filler text) TABLESPACE elsewhere')
    cluster.rows("INSERT INTO far SELECT i, repeat('z', 100) FROM generate_series(1, 3000) i")
    cluster.rows('CREATE DATABASE second')
    cluster.rows("CREATE TABLE items AS SELECT i AS id, repeat('q', 200) AS filler FROM generate_series(1, 9000) i", 'second')
    cluster.rows('CREATE TABLE items_far TABLESPACE elsewhere AS SELECT * FROM items', 'second')
    cluster.rows('CREATE DATABASE settled TABLESPACE elsewhere')
    cluster.rows('CREATE TABLE t AS SELECT generate_series(1, 1000) AS id', 'settled')
    cluster.rows('VACUUM ANALYZE accounts')
    cluster.rows('CHECKPOINT')
    cluster.dump_text = cluster.dump()
    cluster.stop()
    cluster.start(allow_in_place_tablespaces='on')      # a start removes the caches that databases keep in files
    cluster.sizes = sizes(cluster)
    cluster.stop()


SIZES = '''SELECT c.oid::regclass::text, f, pg_relation_size(c.oid, f), pg_table_size(c.oid), pg_indexes_size(c.oid),
    pg_total_relation_size(c.oid) FROM pg_class c, unnest(ARRAY['main', 'fsm', 'vm', 'init']) f ORDER BY 1, 2'''


def sizes(cluster):
    """Of every relation, database and tablespace, as the SQL functions have them."""
    result = {database: cluster.rows(SIZES, database) for database in ('postgres', 'second', 'settled')}
    result['databases'] = cluster.rows('''SELECT datname, pg_database_size(oid), pg_database_size(datname) FROM pg_database
        ORDER BY 1''')
    result['tablespaces'] = cluster.rows('''SELECT spcname, pg_tablespace_size(oid), pg_tablespace_size(spcname)
        FROM pg_tablespace ORDER BY 1''')
    result['tablespace databases'] = cluster.rows('''SELECT spcname, (SELECT array_agg(d ORDER BY d) FROM
        pg_tablespace_databases(pg_tablespace.oid) d) FROM pg_tablespace WHERE spcname <> 'pg_global' ORDER BY 1''')
    return result
