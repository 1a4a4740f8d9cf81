package manager

// work is the state of a credential about which something is going on.
type work struct {
	waiters  []waiter
	controls []control // Install and Forget, first come first served

	login *Token // what the first of them installs, while it is being saved

	// The outstanding load or save.
	purpose purpose
	limit   int64 // then it counts as failed
	saveErr error // why the last save failed

	// The renewal.
	leased       bool  // we hold the lease
	early        bool  // queued behind callers in need
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
	mark      Mark  // stored and unresolved, or that of the running attempt
	ownerless bool  // it was there when we held the lease: nobody will send under it
	quiet     int64 // no guarded try before that
	refusal   Refusal
	failure   *RefreshError // the last, until a refresh succeeds
	final     bool          // patience does not help against it
	failures  int           // in a row
	doubts    int           // refusals for an unknown reason, in a row
	retry     int64         // no attempt before that

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
		len(w.waiters)+len(w.controls) > 0 || !w.mark.IsZero() || !w.refusal.IsZero() || w.failure != nil ||
		w.retry > 0 || w.loadErr != nil || w.next != nil || w.born != 0 || w.fruitless+w.barren != 0 || w.heard > m.revision {
		return
	}
	m.work = nil
	*w = work{}
	m.set.spare = w
}
