// Package redisstore keeps snapshots in Redis 7 or later, for a fleet that shares
// its credentials: a manager.Store, Locker and Watcher.
//
//	store, err := redisstore.New(client, redisstore.Options{})
//	if err != nil {
//		return err
//	}
//	defer store.Close()
//	m, err := manager.New(manager.Config{Store: store})
//
// Each credential is a hash, its lease a key beside it with the same hash tag, so
// that on a cluster one script sees both. Scripts do all that must be atomic;
// times are the server's. A refresh costs five round trips (lease, load, mark, answer,
// unlock), a read of a valid token none.
//
// # Concurrency
//
//  1. All methods may be called by any number of goroutines of any number of
//     processes.
//  2. A write is compared, judged by its lease, and stored in one script. One that
//     fails takes no other of its batch with it.
//  3. One goroutine renews all leases, while there are any. Watch takes a
//     connection of its own; nothing else holds one between two calls. After an
//     interruption it asks for the revisions of the names that the Store was asked
//     for, of all where those are more than 10,000.
//
// # Durability
//
// What Redis acknowledges is as durable as its configuration says. Set
// appendonly yes and appendfsync always, or a crash of the server loses the last
// second: a new refresh token, or the mark that says that one was spent.
//
// A failover loses what the replica had not received, marks and leases too, and then
// two processes may send one refresh token: the login may be lost. min-replicas-to-write
// narrows that window and does not close it. Where that is too much of a risk use etcd
// or PostgreSQL. Never let Redis evict (maxmemory-policy noeviction): credentials have
// no copy. A client that reads from replicas is refused, for they give what was true
// before.
//
// # When Redis is away
//
// A token in memory is served, a due renewal that spends a refresh token waits, one that
// spends none goes ahead. The client has limits of its own for each command and sends
// some again, which does no harm; set ContextTimeoutEnabled in its options, or a call
// may outlast its context by ReadTimeout.
//
// # Errors
//
// Those of the client, for the whole batch or in their write's place. A record that
// cannot be read is a manager.NameError.
package redisstore
