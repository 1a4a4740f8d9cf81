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
// Without Options.Key the tokens are in the file as they are: it is made with mode
// 0600, and Open warns about one that others may read. Copy it only while it is closed.
//
// # Concurrency
//
//  1. All methods of all stores may be called by any number of goroutines.
//  2. A write is compared and stored in one step: of several that expect one
//     revision at most one is stored, the others get manager.ErrConflict.
//  3. A failed write takes no other write of its batch with it, unless the engine
//     failed; then each write that was to be stored has the engine's error.
//  4. A write whose lease is lost gets manager.ErrLeaseLost, and in a DB so does
//     one under the lease of another DB's file or of another name. Leases of other
//     Lockers are asked whether they are lost, and no more.
//  5. No store keeps or changes what it is given, and none leaves a
//     goroutine behind.
//
// # Durability
//
// DB answers nil when the batch is on the disk, in one transaction with fsync. A
// file that was removed or replaced while it is open in one process alone is an
// error of Save, fs.ErrNotExist, and nothing is written: put it back, or close the DB
// and open the new one.
//
// Memory lasts as long as the process, Func as long as its SaveFunc says.
//
// # Sealing
//
// With Options.Key every record is sealed with AES-256-GCM under its name; Func
// has a Sealer for the same. Who reads the file sees names, the lengths of records
// and the ID of the key, and no token. Who can write to it can destroy records, or
// put an older one of the same name back; all else is noticed. Keep the key where a
// backup of the file does not take it along:
//
//	(umask 077 && head -c 32 /dev/urandom | base64 > tokens.key)
//
//	key, err := record.KeyFromFile("tokens.key") // or record.KeyFromEnv("TOKENS_KEY")
//	db, err := persist.Open("tokens.db", persist.Options{Key: key})
//
// To change the key, put the new one into Key and the one before into OldKeys, and
// call DB.Reseal once; then the old one can go. A file from before it had a key is
// taken over with AcceptUnsealed and Reseal. A lost key is a lost file: all its
// credentials need a new login.
//
// # Several processes
//
// With Options.Shared in all of them, any number of processes on one machine may
// have one file open, and a refresh token is spent by one of them only:
//
//	db, err := persist.Open("tokens.db", persist.Options{Shared: true})
//
// What it promises:
//
//  1. The file is open while it is read or written, one process at a time, each in
//     its turn. A call waits as long as its context lets it, but no more than about
//     5 s (Open: 1 s) behind a process that does not move: ErrLocked, which names it.
//  2. DB.Locker makes leases: one lock of the kernel for each credential. A lease is
//     free at the moment when its process ends, by kill -9 too. Remaining is
//     negative: it is never lost while its process lives.
//  3. DB.Watch tells of the writes of others within about 300 ms. A Manager finds
//     Locker and Watch by itself.
//  4. Scan copies a few thousand records at a time, each as of the moment when it
//     was copied, so that nobody waits for its function.
//
// The locks are files in a folder beside the store's, tokens.db.locks, mode 0700:
// empty ones of about 40 bytes of name for each credential that was ever refreshed.
// They hold no secret. Leave them where they are, also while no process runs;
// without them two processes may ask for the same lease and both get it, and then
// only the journal marks in the file keep them apart.
//
// What it does not promise:
//
//   - It is for local file systems. On NFS or SMB a lock may be lost, or be
//     another's at the same time; use one of the stores for several machines there.
//   - A process that was stopped (SIGSTOP, a debugger, a frozen container) keeps what
//     it holds. Its siblings wait for the lease as long as a refresh may take, and
//     serve the tokens that they have; then their errors name it.
//   - In containers, mount the folder of the store and not the file alone: the locks
//     must be the same. A pid in an error is that of its own container, whose host
//     name is beside it.
//   - A child process inherits no lock if it is executed, as os/exec does. One that
//     is forked without that, by code that is not Go, shares them with its parent.
//   - Each call opens the file: a Load takes 0.1 ms in place of a few microseconds, a
//     Save about a third more. If one process is enough, leave Shared off.
//
// # Errors
//
// Open: ErrLocked, ErrDamaged, ErrNewer, record.ErrKey, record.ErrUnsealed, or one
// of package io/fs. Each names the file, comes within about a second, and leaves
// the file as it was.
//
// A record that cannot be read is a manager.NameError around record.ErrDamaged,
// ErrNewer, ErrKey or ErrUnsealed. The other records are not concerned; a write of
// that name is refused, since nobody knows what it would replace. Damage to bbolt's
// own pages shows as ErrDamaged for the names on them.
//
// A Manager tells all callers of such a credential, and refuses to Install over it.
// What helps is a backup; or Options.Quarantine, which keeps the damaged file, or
// the bytes of the damaged record, aside and goes on without: the logins in it are
// gone, and Install works again. It does not mend bbolt's pages: while such a file
// still opens, its other records are worth more than those that are lost.
//
// # Limits
//
// A name is 1 to 32,768 bytes, any bytes. Without Options.Shared one process at a
// time has the file open. It lies on a local file system that knows hard links (a
// new file appears under its name whole, by a link, or not at all). bbolt has no
// checksum for its pages: a bit that flips within a stored name hides that record.
//
// Processes of an earlier release that share the store, or a return to one, find
// record.ErrNewer for the credentials whose snapshots have fields that it does not know
// (see Versions in package record). Stop or upgrade all of them first.
package persist
