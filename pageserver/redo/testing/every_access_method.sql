-- Writes WAL of every resource manager that changes pages, in many of its ways.
create extension if not exists bloom;

-- heap: inserts, hot and cold updates, deletes, locks, toast, multi-insert, prune, freeze, truncation
create table plain (id int primary key, k int, filler text) with (fillfactor = 70);
insert into plain select i, i % 100, repeat('x', 50 + i % 60) from generate_series(1, 6000) i;
update plain set k = k + 1 where id % 3 = 0;
update plain set k = k + 1 where id % 3 = 0;
update plain set filler = filler || repeat('y', 200) where id % 5 = 0;
delete from plain where id % 7 = 0;
begin; select count(*) from (select * from plain where id < 500 for update) s; commit;
begin; select count(*) from (select * from plain where id < 500 for key share) s; savepoint a;
update plain set k = k + 1 where id < 300; rollback to a; commit;
vacuum plain;
update plain set k = k + 1 where id % 2 = 0;
select count(*) from plain where k = 1;
vacuum freeze plain;
delete from plain where id > 5000;
vacuum plain;
insert into plain select i, i % 100, 'again' from generate_series(10001, 12500) i;

insert into plain values (5, 0, 'there'), (20001, 0, 'not there') on conflict do nothing;
insert into plain values (20001, 1, 'there'), (20002, 0, 'not there') on conflict (id) do update set k = excluded.k;

-- a newer version locked by somebody who sees the older one
create extension dblink;
begin;
update plain set k = -1 where id = 100;
select * from dblink(format('host=%s user=postgres dbname=postgres', current_setting('unix_socket_directories')),
                     'select id from plain where id = 100 for key share') as locked(id int);
commit;

create table wide (id int, body text);
alter table wide alter body set storage external;
insert into wide select i, string_agg(md5((i * 1000 + j)::text), '') from generate_series(1, 60) i, generate_series(1, 200) j group by i;
update wide set body = body || 'tail' where id % 2 = 0;
delete from wide where id % 3 = 0;
vacuum wide;

create table copied (a int, b text);
copy copied from program 'seq 1 9000 | sed "s/$/\tsome text of a line/"';
begin; insert into copied values (1, 'aborted'); rollback;
create table moved as select * from copied;
cluster plain using plain_pkey;
vacuum full copied;

-- sequences
create sequence counted;
select count(nextval('counted')) from generate_series(1, 300);

-- btree: splits on all sides, duplicates, page deletion, bottom-up deletion
create table tree (a int, b text);
create index tree_a on tree (a);
create index tree_b on tree (b);
insert into tree select i, md5(i::text) from generate_series(1, 8000) i;
insert into tree select -i, md5(i::text) from generate_series(1, 3000) i;
insert into tree select 5, 'same' from generate_series(1, 3000) i;
delete from tree where a between 1000 and 6000;
vacuum tree;
insert into tree select i, md5(i::text) from generate_series(1000, 3000) i;
update tree set a = a where a < 300;
update tree set b = b || 'z' where a < 900;
vacuum tree;
reindex table tree;
-- a tree of few items a page loses all but its right edge, whose leaf is then split below the true root
create table tall (k text primary key);
alter table tall alter k set storage plain;
insert into tall select lpad(i::text, 1000, 'k') from generate_series(10000, 10600) i;
delete from tall;
vacuum tall;
vacuum tall;
insert into tall select lpad(i::text, 1000, 'k') from generate_series(20000, 20060) i;

-- hash: bucket splits, overflow pages, squeeze
create table hashed (a int);
create index hashed_a on hashed using hash (a);
insert into hashed select i % 4000 from generate_series(1, 20000) i;
delete from hashed where a % 3 <> 0;
vacuum hashed;
insert into hashed select i from generate_series(1, 4000) i;
vacuum hashed;

-- gin: pending list, entry and posting trees, splits, deletion
create table words (id int, v int[], t tsvector);
create index words_v on words using gin (v);
create index words_t on words using gin (t) with (fastupdate = off);
insert into words select i, array[i % 10, i % 1000, i], to_tsvector('simple', 'w' || i % 50 || ' x' || i) from generate_series(1, 9000) i;
vacuum words;
insert into words select i, array[1, 2, i], to_tsvector('simple', 'common v' || i) from generate_series(1, 6000) i;
delete from words where id % 2 = 0;
vacuum words;
insert into words select i, array[1, 2, 3], to_tsvector('simple', 'common') from generate_series(1, 3000) i;
select gin_clean_pending_list('words_v');

-- gist and sp-gist: splits, page deletion, inner tuples
create table places (p point, r int4range, t text);
create index places_p on places using gist (p);
create index places_r on places using gist (r);
create index places_q on places using spgist (p);
create index places_k on places using spgist (p kd_point_ops);
create index places_t on places using spgist (t);
insert into places select point((i * 7919) % 1000, (i * 104729) % 1000), int4range(i % 500, i % 500 + 10), 'path/' || i % 100 || '/' || md5(i::text) from generate_series(1, 7000) i;
delete from places where p[0] < 400;
vacuum places;
insert into places select point(i % 100, i % 77), int4range(i, i + 5), repeat('p', i % 200) || i from generate_series(1, 3000) i;
vacuum places;

-- brin: summaries, desummarize, revmap growth
create table measured (at int, v text);
create index measured_at on measured using brin (at) with (pages_per_range = 2);
create index measured_m on measured using brin (at int4_minmax_multi_ops) with (pages_per_range = 4);
insert into measured select i, repeat('m', 100) from generate_series(1, 10000) i;
select brin_summarize_new_values('measured_at');
select brin_summarize_new_values('measured_m');
update measured set at = -at where at % 50 = 0;
select brin_desummarize_range('measured_at', 0);
select brin_summarize_range('measured_at', 0);
insert into measured select -i, repeat('n', 100) from generate_series(1, 5000) i;
vacuum measured;

-- generic WAL
create table bloomed (a int, b int);
create index bloomed_ab on bloomed using bloom (a, b);
insert into bloomed select i, i * 3 from generate_series(1, 8000) i;
delete from bloomed where a % 2 = 0;
vacuum bloomed;

-- page images, plain and compressed in each way
set wal_compression = off;
create index plain_image on plain (k, filler);
set wal_compression = pglz;
create index plain_pglz on plain (filler, k);
set wal_compression = lz4;
create index tree_lz4 on tree using gin (string_to_array(b, 'a'));
set wal_compression = zstd;
create index places_zstd on places using gist (p, r);
reset wal_compression;

-- a relation copied block by block, a two-phase commit, a subtransaction's abort
create database another template postgres strategy wal_log;
begin; update plain set k = 0 where id < 50; prepare transaction 'p'; commit prepared 'p';
begin; insert into tree values (1, 'kept'); savepoint s; insert into tree values (2, 'not'); rollback to s; commit;

-- what was touched last stays with hint bits and prunable tuples
select count(*) from plain; select count(*) from tree; select count(*) from words;
