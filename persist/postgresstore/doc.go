// Package postgresstore keeps snapshots in PostgreSQL 12 or later, for a fleet that
// shares its credentials: a manager.Store, Locker and Watcher.
//
//	store, err := postgresstore.New(pool, postgresstore.Options{})
//	if err != nil {
//		return err
//	}
//	defer store.Close()
//	if err := store.CreateTable(ctx); err != nil { // or by hand: see Schema
//		return err
//	}
//	m, err := manager.New(manager.Config{Store: store})
//
// Each credential is a row, with its lease in it. Times are the server's. A refresh
// costs five round trips (lease, load, mark, answer, unlock), four of them a
// transaction, and a read of a valid token none. To those pgx adds one where a
// connection was not used for a second, and one for each statement that a connection
// does not know yet.
//
// # Concurrency
//
//  1. All methods may be called by any number of goroutines of any number of
//     processes.
//  2. A write is compared, judged by its lease, and stored in one statement. Those of
//     a batch are one transaction, sent whole and in the order of their names, so that
//     no two wait for each other. One that conflicts takes no other with it.
//  3. Nothing holds a connection between two calls, be it during a refresh, while a
//     lease is waited for, or while the function of a Scan runs. Watch takes one
//     from the pool for good: each process has one more than the pool's MaxConns.
//  4. One goroutine renews all leases, while there are any.
//
// # Durability
//
// What PostgreSQL has committed is on its disk (unless fsync is off), and where
// synchronous_standby_names is set on the standby's too. A synchronous_commit of off
// is turned on for these transactions; what asks for another degree is left alone.
//
// A failover to an asynchronous standby loses what that had not received, marks and
// leases too, and then two processes may send one refresh token: the login may be
// lost. Promote synchronous standbys only. After any failover leases are judged by the
// clock of the new primary. A restored backup is older state in any case.
//
// # When PostgreSQL is away
//
// A token in memory is served, a due renewal that spends a refresh token waits, one that
// spends none goes ahead. Give the pool a connect_timeout of a few seconds, or after a
// cut line it may wait for two minutes.
//
// # News
//
// They go by NOTIFY, at each commit that saves or frees a lease, and are heard within
// milliseconds. PostgreSQL lets one such commit of the whole server at a time go to
// its disk, which bounds a fleet: with a disk that takes 1 ms, to about a thousand a
// second, or three hundred refreshes, whatever their credentials. A process that was
// cut off reads the revisions of the names it was asked for when it is back, or all
// where those were more than ten thousand; each at a moment of its own.
//
// # Poolers
//
// PgBouncer may be between in session mode. In transaction mode it needs
// default_query_exec_mode=exec in the pool's configuration, and there is no news, for
// LISTEN hears nothing: Watch says so, a lease is waited for by asking ten times a
// second, and tokens of others are found when one's own are due.
//
// # Errors
//
// Those of pgx, in the place of each write that was to be stored, with what to do
// about a missing table, right or password. A record that cannot be read is a
// manager.NameError.
//
// # Limits
//
// The pool has to go to the primary (target_session_attrs=read-write where there are
// several hosts), for a standby gives what was true before. A process that is stopped
// while it sends a batch keeps those rows locked until its connection ends:
// tcp_user_timeout on the server bounds that where its machine is gone. Names are stored
// as they are; only records are sealed.
package postgresstore
