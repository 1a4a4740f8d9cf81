package manager

import "time"

// A ticket stands for a caller that waits. The machine knows callers by number
// only, so that its traces are text and it cannot block on one.
type ticket uint64

// A moment is what the machine may know of the world at a step. The loop fills
// it in; the machine has no clock and no dice of its own.
type moment struct {
	now   int64  // machine time, ns
	wall  int64  // wall clock, Unix ns; used for what is stored only
	dice  uint64 // a random number
	lease int64  // how long the lease is still held, ns; 0: none, negative: for ever
	group outlook
}

// An outlook is what the credentials of a group know of their token endpoint, in
// machine time.
type outlook struct {
	until    int64         // none of them begins before that; past: open
	spread   time.Duration // over which those held back come after it
	err      error         // what the endpoint said to another of them
	class    Class         // of err
	suspects int64         // no suspected one begins before that
	healed   int64         // when a suspicion among them last ended by a success; 0: never
}

// A message is what happened. The set is closed.
type message interface{ message() }

type (
	// ask: a caller has no usable token, or the server rejected the one it has.
	ask struct {
		ticket   ticket
		rejected *Token // nil: none
		patient  bool   // waits through back-off
	}

	// retry: somebody wants the Refresher asked now, whatever was refused.
	retry struct{ ticket ticket }

	// install: a login put this token in; forget: a logout.
	install struct {
		ticket ticket
		token  *Token
	}
	forget struct{ ticket ticket }

	// replayed: a request was sent again with token, and this came of it.
	replayed struct {
		token    *Token
		accepted bool
	}

	// blamed: a rejection of token is the token's fault, whatever renewals for others did.
	blamed struct{ token *Token }

	// tick: a deadline has passed.
	tick struct{}

	// news: somebody wrote this revision.
	news struct{ revision uint64 }

	// loaded and saved answer the effects load and save of the same op.
	loaded struct {
		op       uint16
		snapshot *Snapshot
		err      error
	}
	saved struct {
		op  uint16
		err error
	}

	// locked answers lock. The lease, and what waited for it, are the loop's.
	locked struct {
		wait  *wait
		lease Lease
		err   error
		ended bool // because its time was over
	}

	// granted answers queue: the credential holds a slot.
	granted struct{}

	// refreshed answers refresh of the same attempt: the Refresher returned.
	refreshed struct {
		attempt uint64
		token   *Token
		err     error
	}

	// revoked answers revoke: the Revoker returned.
	revoked struct{ err error }

	// leave: the manager closes, or the credential is released. What is under
	// way is finished, nothing else is begun.
	leave struct{ err error }

	// found is a first load that nobody asked for; scanned brings many of them
	// to the loop.
	found   struct{ snapshot *Snapshot }
	scanned struct{ findings []finding }

	// inspect asks the loop, not the machine, how things are.
	inspect struct{ to chan<- Status }
)

func (ask) message()       {}
func (retry) message()     {}
func (install) message()   {}
func (forget) message()    {}
func (replayed) message()  {}
func (blamed) message()    {}
func (tick) message()      {}
func (news) message()      {}
func (loaded) message()    {}
func (saved) message()     {}
func (locked) message()    {}
func (granted) message()   {}
func (refreshed) message() {}
func (revoked) message()   {}
func (leave) message()     {}
func (found) message()     {}
func (scanned) message()   {}
func (inspect) message()   {}

// An effect is what the loop has to do. The set is closed. Effects are carried
// out in their order, which is the durability contract.
type effect interface{ effect() }

type (
	// load and save ask the store; op ties the answer to the question.
	load struct{ op uint16 }
	save struct {
		op       uint16
		expect   uint64
		snapshot *Snapshot
		fenced   bool // only while the lease is held
	}

	// lock asks for the lease, for so long at most; early ones come last where
	// many ask. Said again when an early one becomes urgent. unlock gives it
	// up, or stops asking for it.
	lock struct {
		limit            time.Duration
		early, suspected bool
	}
	unlock struct{}

	// queue asks for a slot among the refreshes; early ones come after those in
	// need, suspected ones last. Said again when an early one becomes urgent.
	queue struct{ early, suspected bool }

	// begun says that a refresh is about to be sent, for its group to know.
	begun struct{ suspected bool }

	// told says how a refresh ended: class "" brought a token. after is what
	// Retry-After asked for, failed when the refresh before was told of, in machine time, if that failed
	// too; 0: it did not. healed says that the success ended a suspicion.
	told struct {
		class  Class
		err    error
		after  time.Duration
		failed int64
		healed bool
	}

	// yield gives back a slot that no refresh will use, or a place in the queue.
	yield struct{}

	// refresh calls the Refresher; the slot is free when it has returned.
	// cancel ends the context of that call.
	refresh struct {
		attempt uint64
		prev    *Token
	}
	cancel struct{ attempt uint64 }

	// revoke calls the Revoker, about a token that is of no use any more.
	revoke struct{ token *Token }

	// publish shows a token to readers, withdraw hides it.
	publish  struct{ token *Token }
	withdraw struct{}

	// reply answers a ticket.
	reply struct {
		ticket ticket
		token  *Token
		err    error
	}

	// event tells the world.
	event struct{ Event }
)

func (load) effect()     {}
func (save) effect()     {}
func (lock) effect()     {}
func (unlock) effect()   {}
func (queue) effect()    {}
func (begun) effect()    {}
func (told) effect()     {}
func (yield) effect()    {}
func (refresh) effect()  {}
func (cancel) effect()   {}
func (revoke) effect()   {}
func (publish) effect()  {}
func (withdraw) effect() {}
func (reply) effect()    {}
func (event) effect()    {}
