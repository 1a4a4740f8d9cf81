// Package persist keeps snapshots of credentials: in a bbolt file (DB), in
// memory (Memory), or wherever two functions of yours put them (Func). Each is a
// manager.Store. For most uses, use DB:
//
//	db, err := persist.Open("tokens.db", persist.Options{})
//	if err != nil {
//		return err
//	}
//	defer db.Close()
//	m, err := manager.New(manager.Config{Store: db})
//
// The tokens are in the file as they are: it is made with mode 0600, and Open
// warns about one that others may read. Copy it only while it is closed.
//
// # Concurrency
//
//  1. All methods of all stores may be called by any number of goroutines.
//  2. A write is compared and stored in one step: of several that expect one
//     revision at most one is stored, the others get manager.ErrConflict.
//  3. A failed write takes no other write of its batch with it, unless the engine
//     failed; then each write that was to be stored has the engine's error.
//  4. A write whose lease is lost gets manager.ErrLeaseLost. Other leases are not
//     looked at: each of these stores serves one process.
//  5. No store keeps or changes what it is given, and none starts a goroutine.
//
// # Durability
//
// DB answers nil when the batch is on the disk, in one transaction with fsync.
// Memory lasts as long as the process, Func as long as its SaveFunc says.
//
// # Errors
//
// Open: ErrLocked, ErrDamaged, ErrNewer, or one of package io/fs. Each names the
// file, comes within about a second, and leaves the file as it was.
//
// A record that cannot be read is a manager.NameError around record.ErrDamaged or
// record.ErrNewer. The other records are not concerned; a write of that name is
// refused, since nobody knows what it would replace. Damage to bbolt's own pages
// shows as ErrDamaged for the names on them.
//
// # Limits
//
// A name is 1 to 32,768 bytes, any bytes. One process at a time has the file
// open, on a local file system that knows hard links (a new file appears under
// its name whole, by a link, or not at all). bbolt has no checksum for its
// pages: a bit that flips within a stored name hides that record.
package persist
