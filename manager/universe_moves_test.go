package manager

import (
	"errors"
	"fmt"
	"slices"
)

// A move is what may happen next in a universe, to one process or request.
type move struct {
	kind moveKind
	at   int8
}

type moveKind uint8

const (
	moveAsk     moveKind = iota // a caller comes whose token was rejected
	moveControl                 // a login or logout
	moveLoad                    // the store is read, and answers
	moveSave                    // the store is written
	moveSaved                   // and answers
	moveLock                    // the lease is free
	moveServe                   // the authorization server takes a request in
	moveAnswer                  // its answer comes
	moveTick                    // a deadline has passed
	movePass                    // time passes
	moveEnd                     // a dropped request runs into its time limit
	adversity                   // those below have a budget
	moveCrash                   // a process dies and is started again
	moveGiveUp                  // a process ceases to wait for an answer
	moveDrop                    // the network drops a request
	moveFail                    // a write fails
	moveUnclear                 // a write is carried out and fails
	moveLate                    // a write fails and is under way still
	moveLand                    // and is carried out
	moveBlind                   // the store cannot be read
	moveSteal                   // the lease expires
	moveNews                    // somebody is told of a write
	moveTrouble                 // a request is answered in a way that decides nothing
	moveOdd                     // the server refuses a request in words that are not known
)

func (m move) String() string {
	return fmt.Sprintf("%s %d", [...]string{"ask", "control", "load", "save", "saved", "lock", "serve", "answer", "tick", "time passes", "time-out", "",
		"CRASH", "GIVE UP", "DROP", "FAIL", "UNCLEAR", "LATE", "LANDS", "BLIND", "LEASE LOST", "news", "TROUBLE", "ODD"}[m.kind], m.at)
}

// moves lists what may happen next.
func (u *universe) moves(to []move) []move {
	add := func(kind moveKind, i int, allowed bool) {
		if allowed {
			to = append(to, move{kind, int8(i)})
		}
	}
	b, still := &u.budget, true
	for i := range u.requests {
		r := &u.requests[i]
		onTheWay := !r.processed && !r.dropped
		still = still && !onTheWay
		add(moveServe, i, onTheWay)
		add(moveAnswer, i, r.processed)
		add(moveEnd, i, r.dropped)
		add(moveGiveUp, i, b.giveUp > 0 && r.waiting && !r.dropped)
		add(moveDrop, i, b.drop > 0 && onTheWay)
		add(moveTrouble, i, b.trouble > 0 && r.waiting && !r.dropped)
		add(moveOdd, i, b.odd > 0 && onTheWay && r.waiting)
	}
	for i := range u.procs {
		p := &u.procs[i]
		still = still && p.machine.phase != sending
		add(moveAsk, i, p.asks > 0 && !p.open)
		add(moveControl, i, int(p.controls) < len(u.controls[i]) && !p.controlling)
		add(moveLoad, i, p.load)
		add(moveSave, i, p.save != nil && !p.answered)
		add(moveSaved, i, p.answered)
		add(moveLock, i, p.locking && u.lease == -1)
		add(moveTick, i, p.machine.deadline() <= u.now)
		add(moveCrash, i, b.crash > 0 && (p.open || p.controlling) && p.incarnation < 3)
		if s := p.save; s != nil && !p.answered {
			mark := !s.snapshot.Mark.IsZero() && !u.closed && !u.unmarked
			add(moveFail, i, b.fail > 0 && !mark)
			add(moveUnclear, i, b.unclear > 0)
			add(moveLate, i, b.late > 0 && !mark)
		}
		add(moveBlind, i, b.blind > 0 && p.load)
		add(moveSteal, i, b.steal > 0 && u.lease == int8(i) && (u.leasing == lossy || !p.exposed()))
		add(moveNews, i, b.news > 0 && p.machine.loaded && p.machine.revision < u.stored.Revision)
	}
	for i := range u.late {
		add(moveLand, i, true)
	}
	next := u.next()
	add(movePass, 0, next != never && (still || next < u.quiet()))
	return to
}

// exposed reports whether the process is between sending and the end of saving.
func (p *process) exposed() bool {
	m := &p.machine
	return m.phase == sending || m.work != nil && (m.work.next != nil || m.work.unsaved || m.work.purpose == forState)
}

// next is when the next deadline is or a quiet time ends, never if none is to come.
func (u *universe) next() int64 {
	next := u.quiet()
	for i := range u.procs {
		if d := u.procs[i].machine.deadline(); d > u.now {
			next = min(next, d)
		}
	}
	return next
}

// quiet is when the next quiet time ends. Time does not come so far while a
// request is on the network.
func (u *universe) quiet() int64 {
	quiet := int64(never)
	for i := range u.procs {
		w := u.procs[i].machine.work
		if w != nil && !w.mark.IsZero() && w.quiet > u.now {
			quiet = min(quiet, w.quiet)
		}
	}
	return quiet
}

// make lets a move happen.
func (u *universe) make(m move) {
	if u.trace != nil {
		u.note("%v", m)
	}
	held := u.held(u.current)
	lossy := false
	i := int(m.at)
	switch m.kind {
	case moveAsk:
		p := &u.procs[i]
		p.asks--
		p.open = true
		u.step(i, ask{1, p.rejected, !u.hasty && !u.readers[i]})
	case moveControl:
		p := &u.procs[i]
		p.controlling = true
		u.control(i)
	case moveLoad:
		u.procs[i].load = false
		s := u.stored
		u.step(i, loaded{u.procs[i].machine.op, &s, nil})
	case moveSave:
		p := &u.procs[i]
		p.answered, p.answer = true, u.write(i, p.save, p.login)
	case moveSaved:
		p := &u.procs[i]
		op := p.save.op
		p.save, p.answered = nil, false
		u.step(i, saved{op, p.answer})
	case moveFail, moveUnclear, moveLate:
		u.failWrite(i, m.kind)
	case moveBlind:
		u.budget.blind--
		u.procs[i].load = false
		u.step(i, loaded{u.procs[i].machine.op, nil, errOutage})
	case moveLand:
		w := u.late[i]
		u.late = slices.Delete(u.late, i, i+1)
		_ = u.write(int(w.from), w.save, w.login)
	case moveLock:
		u.lease = m.at
		u.procs[i].locking = false
		u.step(i, locked{})
	case moveServe:
		u.serve(&u.requests[i])
	case moveOdd:
		u.budget.odd--
		u.requests[i].processed, u.requests[i].answer = true, oddAnswer
	case moveAnswer, moveEnd, moveGiveUp, moveTrouble:
		lossy = m.kind == moveGiveUp || m.kind == moveTrouble
		u.answer(i, m.kind)
	case moveDrop:
		u.budget.drop--
		u.requests[i].dropped = true
	case moveTick:
		u.step(i, tick{})
		if u.procs[i].machine.deadline() <= u.now {
			u.fail("P%d wants another tick at once", i)
		}
	case movePass:
		u.now = u.next()
	case moveCrash:
		lossy = true
		u.crash(i)
	case moveSteal:
		u.budget.steal--
		u.lease = -1
	case moveNews:
		u.budget.news--
		u.step(i, news{u.stored.Revision})
	}
	u.tidy()
	switch {
	case !held || u.families[u.current].dead || u.current == 0 || u.held(u.current):
	case lossy || m.kind == moveServe || u.superseded(): // nobody waits for the answer, or wants it
		u.strayed = true
	default:
		u.fail("the newest refresh token is dropped")
	}
}

// superseded reports whether a process has a login that is not stored yet.
func (u *universe) superseded() bool {
	return slices.ContainsFunc(u.procs, func(p process) bool {
		return p.machine.work != nil && p.machine.work.unstored != nil
	})
}

// failWrite fails a write, carried out or not.
func (u *universe) failWrite(i int, how moveKind) {
	p := &u.procs[i]
	switch how {
	case moveFail:
		u.budget.fail--
	case moveUnclear:
		u.budget.unclear--
		_ = u.write(i, p.save, p.login)
	case moveLate:
		u.budget.late--
		u.late = append(u.late, lateWrite{int8(i), p.save, p.login})
	}
	op := p.save.op
	p.save = nil
	if u.naive == "no hold" && u.lease == int8(i) {
		u.lease = -1
	}
	u.step(i, saved{op, errOutage})
}

// tidy takes away what nobody waits for.
func (u *universe) tidy() {
	u.requests = slices.DeleteFunc(u.requests, func(r request) bool {
		return !r.waiting && (r.processed || r.dropped)
	})
}

// control logs in, which begins a new family, or out.
func (u *universe) control(i int) {
	switch u.controls[i][u.procs[i].controls] {
	case 'i':
		u.logins++
		u.step(i, install{2, coin(u.logins, 1)})
	case 'f':
		u.step(i, forget{2})
	case 'r':
		u.step(i, retry{2})
	}
	u.procs[i].controls++
}

func (u *universe) crash(i int) {
	u.budget.crash--
	p := &u.procs[i]
	if p.open {
		p.open = false
		p.asks++
	}
	if p.controlling {
		p.controlling = false
		p.controls--
	}
	p.incarnation++
	if u.lease == int8(i) {
		u.lease = -1
	}
	for r := range u.requests {
		if u.requests[r].from == int8(i) {
			u.requests[r].waiting = false
		}
	}
	u.boot(i)
}

// answer ends the wait of a request's sender.
func (u *universe) answer(i int, how moveKind) {
	r := &u.requests[i]
	waiting := r.waiting
	r.waiting = false
	answer := refreshed{attempt: r.attempt, token: &Token{}, err: errLostAnswer}
	switch {
	case how == moveGiveUp:
		u.budget.giveUp--
	case how == moveEnd:
	case how == moveTrouble:
		u.budget.trouble--
		if answer.err = Answered(errLostAnswer); u.naive == "answered clears the mark" {
			answer.err = NotSent(errLostAnswer)
		}
	case r.answer == oddAnswer:
		if answer.err = LoginSuspected(errors.New("odd")); u.naive == "suspicion becomes final" {
			answer.err = LoginRequired(errors.New("odd"))
		}
	case r.answer == 0:
		answer.err = LoginRequired(errors.New("invalid_grant"))
	default:
		answer.token, answer.err = coin(r.family, r.answer), nil
	}
	if u.naive == "retry at once" && answer.err == errLostAnswer {
		answer.err = NotSent(errLostAnswer)
	}
	from := int(r.from)
	if u.naive == "unlock first" && answer.err == nil && u.lease == r.from {
		u.lease = -1
	}
	if waiting {
		u.step(from, answer)
	}
}
