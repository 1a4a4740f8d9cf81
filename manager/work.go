package manager

import (
	"slices"
	"time"
)

// work is the state of a credential about which something is going on.
type work struct {
	waiters  []waiter
	controls []control // Install and Forget, first come first served

	login *Token // what the first of them installs, while it is being saved

	// Retry: an attempt that somebody asked for on purpose.
	forced      bool  // it is still to be sent
	forces      int   // sent in a row, without a success
	forcedUntil int64 // no other is sent before that
	resolved    bool  // its outcome is known: outcome, or the current token
	outcome     error

	// The outstanding load or save.
	purpose purpose
	limit   int64 // then it counts as failed
	saveErr error // why the last save failed

	// The renewal.
	leased       bool  // we hold the lease
	early        bool  // it waits behind callers in need
	forRejection bool  // begun because the token was rejected
	overdue      bool  // sending, past its time limit
	hung         bool  // and it has been said
	brokenOff    bool  // once since the last sending
	sentAt       int64 // machine time
	sentWall     int64
	parent       *Token     // the token it is to replace
	late         *refreshed // the answer, while a login is being saved
	next         *Token     // the answer, while it is being saved
	nextMark     Mark       // while it is being saved

	// What stands in the way of the next one.
	mark          Mark  // stored and unresolved, or that of the running attempt
	hidden        Mark  // ours, sent without being stored, where the store holds a sibling's
	ownerless     bool  // it was there when we held the lease: nobody will send under it
	quiet         int64 // no guarded try before that
	quietUsable   int64 // nor before that while a token is usable; of an answered mark only
	refusals      []Refusal
	barred        *RefreshError // refused where no refresh token was sent: nothing is stored
	suspicion     Suspicion
	suspectDue    int64         // when we would ask again for our own part
	failure       *RefreshError // the last, until a refresh succeeds
	final         bool          // patience does not help against it
	failures      int           // in a row
	failedAt      int64         // machine time of the last of them that was sent
	misconfigured int           // of class configuration, in a row
	retry         int64         // no attempt before that, by our own back-off
	after         int64         // nor before that, by the server's Retry-After
	heeded        time.Time     // the stored Retry-After that after comes from
	waitOut       bool          // callers wait for retry: it is a second away
	spoiled       error         // what is wrong with the access token of next

	// Rejections that renewing does not mend.
	born        int64 // when a renewal for a rejection brought the token; 0: otherwise, or a replay was accepted
	quick       int   // tokens in a row that were rejected soon after birth
	fruitless   int   // tokens in a row whose first replay was rejected
	barren      int   // times in a row that renewing did not help
	barrenUntil int64

	// The store.
	unsaved   bool   // token is in memory only
	unstored  *Token // the login that it comes from, if that was never stored
	dirty     bool   // mark or refusal differ from what is stored
	saves     int    // failed in a row
	saveRetry int64  // no save before that
	loads     int
	loadRetry int64
	loadErr   error
	heard     uint64 // the newest revision that news told of

	leaving error // the credential is let go: what everybody is told
	lastTry bool  // and an unsaved state had its last try
}

// A waiter is a caller, or many who share a ticket.
type waiter struct {
	ticket   ticket
	rejected *Token
	patient  bool // it waits through back-off
	retry    bool // it wants the outcome of an attempt, not a token
}

// asked reports whether a caller waits for a token. One of Retry waits for an attempt.
func (w *work) asked() bool {
	return slices.ContainsFunc(w.waiters, func(c waiter) bool { return !c.retry })
}

// doing gives the work, made where there is none.
func (m *machine) doing() *work {
	if m.work == nil {
		if m.work = m.set.spare; m.work == nil {
			m.work = &work{}
		}
		m.set.spare = nil
	}
	return m.work
}

// settle drops work that has nothing left in it.
func (m *machine) settle() {
	w := m.work
	if w == nil || m.phase != resting || w.purpose != forNothing || w.leased || w.unsaved || w.dirty || w.leaving != nil ||
		len(w.waiters)+len(w.controls) > 0 || !w.mark.IsZero() || len(w.refusals) > 0 || w.barred != nil || !w.suspicion.IsZero() ||
		w.failure != nil || w.retry > 0 || w.after > 0 || w.forced || w.forcedUntil > 0 || w.loadErr != nil || w.next != nil || w.born != 0 || w.fruitless+w.barren != 0 || w.heard > m.revision {
		return
	}
	m.work = nil
	*w = work{}
	m.set.spare = w
}
