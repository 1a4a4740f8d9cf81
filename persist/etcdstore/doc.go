// Package etcdstore keeps snapshots in etcd 3.4 or later, for a fleet that shares its
// credentials: a manager.Store, Locker and Watcher.
//
//	store, err := etcdstore.New(client, etcdstore.Options{})
//	if err != nil {
//		return err
//	}
//	defer store.Close()
//	m, err := manager.New(manager.Config{Store: store})
//
// Each credential is a key. Its version, which etcd counts, is the revision of the
// snapshot, so that one transaction compares it, and the holder of the lease, and
// puts the record. A refresh costs five round trips (lease, load, mark, answer,
// unlock), a read of a valid token none. One more renews, or makes, the etcd lease where
// that was done longer ago than an eighth of Options.Lease.
//
// # Concurrency
//
//  1. All methods may be called by any number of goroutines of any number of
//     processes.
//  2. A write is compared, judged by its lease, and stored in one transaction. One
//     that fails takes no other of its batch with it.
//  3. All leases of a Store are keys on one etcd lease, which one goroutine renews
//     while there are any.
//
// # Durability
//
// What etcd acknowledges is on the disks of a majority of its nodes, marks and leases
// alike, and survives the loss of a minority. Reads are linearizable. A node that is
// cut off from the majority answers nothing: a token in memory is served meanwhile,
// a due renewal that spends a refresh token waits, and one that spends none goes ahead.
// Set DialKeepAliveTime and DialKeepAliveTimeout in the client's Config, or it waits for
// a node that was stopped without a word. A cluster restored from a backup loses what
// came after it, with the logins that were renewed since.
//
// etcd keeps the history of its keys until it is compacted: run it with
// auto-compaction, or a million renewals an hour fill its quota.
//
// # Errors
//
// Those of the client, for the whole batch or in their write's place. A record that
// cannot be read is a manager.NameError.
//
// While the client has no connection to any endpoint calls wait for two seconds, and
// then, until it has one, fail at once with an error that says that etcd is away: the
// client would hold them back, and let all go on in the moment it is connected. So each
// credential backs off for itself, and a return is spread. Scan and Watch wait. The
// client tries again by itself, after a long absence every two minutes unless its
// DialOptions say otherwise (grpc.WithConnectParams).
//
// # Limits
//
// Records are small; a request of more than 1.5 MB is refused by etcd's default, so
// batches are split. Names and leases have their own keys below Options.Prefix, which
// nobody else should write to: etcd counts such a write as a revision.
package etcdstore
