package manager

import (
	"context"
	"time"
)

// A Snapshot is the immutable stored state of a credential.
type Snapshot struct {
	// Token is the token last installed. Zero: there was none yet, or, with
	// Login > 0, the credential was logged out (a tombstone).
	Token Token

	// Login grows by one at every Install and Forget, Generation at these and
	// at every new token. Newer means greater (Login, Generation).
	Login, Generation uint64

	// Revision grows by one at every write and never starts again. It is what
	// compare-and-swap compares; 0 says that nothing is stored.
	Revision uint64

	// Mark says that a refresh token is being spent; zero: no.
	Mark Mark

	// Asked is a hash of what the token was asked for, and by whom (see Asker); 0:
	// it does not say.
	Asked uint64

	// Refusals say whom the authorization server refused the refresh token, one for each
	// asker, at most MaxRefusals, the oldest first.
	Refusals []Refusal

	// Suspicion says that the server refuses the refresh token in words that
	// are not known; zero: no.
	Suspicion Suspicion

	// RetryAt is before when the server wants no attempt (Retry-After), by the
	// wall clock of the process that was told; zero: it did not say.
	RetryAt time.Time
}

// MaxRefusals is how many askers' refusals a Snapshot keeps.
const MaxRefusals = 4

// Tombstone reports whether the snapshot is that of a logged-out credential.
func (s *Snapshot) Tombstone() bool {
	return s.Login > 0 && s.Token.AccessToken.IsZero() && s.Token.RefreshToken.IsZero()
}

// A Mark is the journal mark: durable before a refresh token is sent.
type Mark struct {
	// Owner is the process that sends, a random number drawn when its Manager
	// was made; Attempt is its serial number of the refresh. Attempt 0: no mark.
	Owner   [16]byte
	Attempt uint64

	// Login and Generation name the snapshot whose refresh token is spent.
	Login, Generation uint64

	// At is the owner's wall clock at the sending, Limit the time that the
	// refresh may take, at most an hour. Others count Limit from when they first saw the mark.
	At    time.Time
	Limit time.Duration

	// Answered says that the server answered, and that the answer decides
	// nothing. Limit then is how long the answer took: the request is taken to
	// be over when as long again has passed.
	Answered bool

	// Guarded says that this attempt sent the refresh token of an attempt
	// whose outcome is unknown once more.
	Guarded bool
}

// IsZero reports whether there is no mark.
func (m Mark) IsZero() bool { return m.Attempt == 0 }

// same reports whether both are the mark of one attempt. The time tells apart
// the attempts of a credential that was released and managed again.
func (m Mark) same(other Mark) bool {
	return m.Owner == other.Owner && m.Attempt == other.Attempt && m.At.Equal(other.At)
}

// A Refusal says that the authorization server refused the refresh token to one
// asker. Install, a success and Retry end it.
type Refusal struct {
	// Asker is a hash of the client id and token endpoint that asked (see Asker);
	// 0: a Refresher that does not say.
	Asker uint64

	// At is when, by the wall clock of the process that was told. Zero: no refusal.
	At time.Time

	// Reason is the text of the error. It holds no secret.
	Reason string

	// Lost says that the refusal met a guarded try: the answer to an earlier
	// refresh of our own was lost, and with it the refresh token.
	Lost bool
}

// IsZero reports whether there is no refusal.
func (r Refusal) IsZero() bool { return r.At.IsZero() }

// A Suspicion says since when the authorization server refuses a refresh token in
// words that are not known. It never becomes a Refusal by itself; a success or an
// Install ends it.
type Suspicion struct {
	// Since is when the first such answer came, Last when the last one did, by
	// the wall clock of the process that was told. Zero: no suspicion.
	Since, Last time.Time

	// Answers is how many came.
	Answers uint32

	// Reason is the text of the last error. It holds no secret.
	Reason string
}

// IsZero reports whether there is no suspicion.
func (s Suspicion) IsZero() bool { return s.Since.IsZero() }

// A Write asks a Store to replace a snapshot.
type Write struct {
	Name string

	// Expect is the revision that the write replaces, 0 for none. Where the
	// store holds another, the write fails with ErrConflict.
	Expect uint64

	// Snapshot is the new state; its Revision is Expect + 1.
	Snapshot Snapshot

	// Lease, where not nil, must be held at the moment of the write, judged by
	// the engine in the same atomic operation; otherwise ErrLeaseLost.
	Lease Lease
}

// A Store keeps snapshots. All methods are called from several goroutines at
// once; none may keep or change a slice it is given after it has returned.
type Store interface {
	// Load returns the snapshots of names, in their order. One that was never
	// stored has Revision 0. An error of one name is reported in a NameError
	// joined into the error, and the other names' snapshots are still valid.
	Load(ctx context.Context, names []string) ([]Snapshot, error)

	// Scan calls f with every stored snapshot, in no order, until f or ctx
	// says otherwise, and returns f's error. A damaged record is skipped and
	// reported by a NameError joined into the error of Scan. f does not call the store.
	Scan(ctx context.Context, f func(name string, s Snapshot) error) error

	// Save carries out each write whose Expect matches, all or none of that
	// write, and returns one error each, in order: nil (the snapshot is
	// durable), ErrConflict, ErrLeaseLost, or another, after which it may or
	// may not be stored. One failed write does not touch the others.
	Save(ctx context.Context, writes []Write) []error
}

// A Locker makes leases. A Config without one says that this process is alone.
type Locker interface {
	// Lock waits until it holds the lease for name or ctx ends. Then its error
	// should say who holds it: callers are shown it. The manager asks for so
	// many leases at once as 4 Config.Refreshes, and 4 Config.PerGroup of a
	// group, those included that wait for their refresh. It asks for 5 s each
	// time, and again, for as long as an honest holder may take:
	// Policy.Limit + 4 Config.SaveLimit + 1 s.
	Lock(ctx context.Context, name string) (Lease, error)
}

// A Lease is the exclusive right of one process to refresh one credential.
// Its maker renews it until Unlock.
type Lease interface {
	// Remaining is the time for which the lease is surely held, if nothing
	// renews it any more. Negative: for as long as the process lives.
	Remaining() time.Duration

	// Lost is closed when the lease is no longer held.
	Lost() <-chan struct{}

	// Unlock gives the lease up. It never frees the lease of another holder.
	Unlock(ctx context.Context) error
}

// A Watcher tells of writes by others.
type Watcher interface {
	// Watch calls f for each write it hears of until ctx ends. It may tell of
	// the caller's own writes, too late, twice, and after a gap of all.
	Watch(ctx context.Context, f func(name string, revision uint64)) error
}
