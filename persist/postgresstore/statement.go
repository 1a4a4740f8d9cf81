package postgresstore

import "strings"

// begin overrules what the role or the database may have as its default: under
// REPEATABLE READ a row that another has changed would fail the whole batch.
const begin = `BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE`

// synchronous has the COMMIT wait for the disk where it would not. What asks for
// more, such as remote_apply, stays.
const synchronous = `SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'`

// statements are those on one table.
type statements struct {
	create, replace, replaceHeld string
	take, extend, free           string
	load, page                   string
	revisions, revisionsOf, find string
	look                         string
}

// on makes the statements on table, which is quoted.
//
// A row is found by the hash of its name, which may be longer than an index takes.
// The time is clock_timestamp(), the server's at that moment; now() would be that of
// the BEGIN, before any wait for a lock.
func on(table string) statements {
	r := strings.NewReplacer("TABLE", table)
	return statements{
		// The statements that save have: name, revision expected, record, channel, news,
		// and replaceHeld the owner of the lease. They give a row if they saved.
		//
		// create saves where there is nothing, or only a lease.
		create: r.Replace(`
INSERT INTO TABLE AS t (id, name, revision, record) VALUES (sha256($1::bytea), $1, $2::bigint + 1, $3)
ON CONFLICT (id) DO UPDATE SET revision = excluded.revision, record = excluded.record WHERE t.revision = $2
RETURNING 'saved', pg_notify($4, $5)`),

		replace: r.Replace(`
UPDATE TABLE SET revision = $2::bigint + 1, record = $3 WHERE id = sha256($1::bytea) AND revision = $2
RETURNING 'saved', pg_notify($4, $5)`),

		// replaceHeld locks the row first, so that what it says is the reason is that of
		// the row as it is, and not as it was before a wait.
		replaceHeld: r.Replace(`
WITH found AS (
	SELECT id, revision, owner = $6 AND until > clock_timestamp() AS held FROM TABLE WHERE id = sha256($1::bytea) FOR UPDATE
), saved AS (
	UPDATE TABLE AS t SET revision = $2::bigint + 1, record = $3 FROM found
	WHERE t.id = found.id AND found.held AND found.revision = $2
	RETURNING pg_notify($4, $5)
)
SELECT 'saved', NULL FROM saved UNION ALL SELECT 'lease', NULL WHERE NOT EXISTS (SELECT FROM found WHERE held)`),

		// take has: name, owner, life in µs. An owner may have asked before and not heard
		// the answer. It gives whether it took the lease; if not, who holds it and for how
		// many µs, which is nobody for one that was taken at this very moment.
		take: r.Replace(`
WITH taken AS (
	INSERT INTO TABLE AS t (id, name, owner, until)
	VALUES (sha256($1::bytea), $1, $2, clock_timestamp() + $3::bigint * interval '1 microsecond')
	ON CONFLICT (id) DO UPDATE SET owner = $2, until = clock_timestamp() + $3 * interval '1 microsecond'
	WHERE t.owner IS NULL OR t.owner = $2 OR t.until <= clock_timestamp()
	RETURNING 1
)
SELECT EXISTS (SELECT FROM taken), coalesce(t.owner, ''),
	coalesce(extract(epoch FROM t.until - clock_timestamp()) * 1000000, 0)::bigint
FROM (SELECT) AS one LEFT JOIN TABLE AS t ON t.id = sha256($1)`),

		// extend has: names, their owners, life in µs. It gives the places of those that
		// are held still. It locks in the order that Save does.
		extend: r.Replace(`
WITH held AS (
	SELECT t.id, c.place FROM unnest($1::bytea[], $2::text[]) WITH ORDINALITY AS c (name, owner, place)
	JOIN TABLE AS t ON t.id = sha256(c.name) AND t.owner = c.owner AND t.until > clock_timestamp()
	ORDER BY t.name FOR UPDATE OF t
)
UPDATE TABLE AS t SET until = clock_timestamp() + $3::bigint * interval '1 microsecond' FROM held WHERE t.id = held.id
RETURNING held.place`),

		// free has: name, owner, channel, news.
		free: r.Replace(`
UPDATE TABLE SET owner = NULL, until = NULL WHERE id = sha256($1::bytea) AND owner = $2
RETURNING pg_notify($3, $4)`),

		load: r.Replace(`
SELECT n.place, t.revision, t.record FROM unnest($1::bytea[]) WITH ORDINALITY AS n (name, place)
JOIN TABLE AS t ON t.id = sha256(n.name) WHERE t.revision > 0`),

		page: r.Replace(`SELECT id, name, revision, record FROM TABLE WHERE id > $1 AND revision > 0 ORDER BY id LIMIT $2`),

		revisions:   r.Replace(`SELECT name, revision FROM TABLE WHERE revision > 0`),
		revisionsOf: r.Replace(`SELECT name, revision FROM TABLE WHERE revision > 0 AND id = ANY ($1::bytea[])`),
		find:        r.Replace(`SELECT name, revision FROM TABLE WHERE id = $1`),

		// look reads nothing, and fails where the table is missing or another's.
		look: r.Replace(`SELECT id, name, revision, record, owner, until FROM TABLE LIMIT 0`),
	}
}
