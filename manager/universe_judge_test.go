package manager

import "slices"

// write carries out a save of P i, as the store's engine does. A login may
// change the family, nothing else may.
func (u *universe) write(i int, w *save, login bool) error {
	s := *w.snapshot
	if w.fenced && u.lease != int8(i) && u.naive != "no check" {
		return ErrLeaseLost
	}
	if w.expect != u.stored.Revision {
		return ErrConflict
	}
	f, index := read(&s.Token)
	switch {
	case login && s.Login == u.stored.Login && f != u.current && u.naive == "":
		u.fail("P%d overwrites the login of family %d with another of that number", i, u.current)
	case login:
		u.current = f
	case f != u.current:
		u.fail("P%d overwrites the login of family %d with family %d", i, u.current, f)
	}
	if u.naive != "delete" && (s.Login < u.stored.Login || s.Login == u.stored.Login && s.Generation < u.stored.Generation) {
		u.fail("P%d overwrites (%d, %d) with (%d, %d)", i, u.stored.Login, u.stored.Generation, s.Login, s.Generation)
	}
	for _, refused := range s.Refusals {
		if u.right(refused.Asker) && !u.families[f].dead && index == u.families[f].newest {
			u.fail("P%d declares a living login dead", i)
		}
	}
	if u.naive == "no mark" {
		s.Mark = Mark{}
	}
	u.stored = s
	if u.naive == "delete" && s.Tombstone() {
		u.stored = Snapshot{}
	}
	u.note("       stored: rev=%d %s", u.stored.Revision, describeSnapshot(&u.stored))
	return nil
}

// right reports whether the server refuses an asker nothing for its own sake.
func (u *universe) right(asker uint64) bool {
	for i := range u.procs {
		if u.askers[i] == asker && u.wrong[i] {
			return false
		}
	}
	return true
}

// serve is the authorization server: a refresh token works once, and reuse
// revokes its family.
func (u *universe) serve(r *request) {
	r.processed = true
	f := &u.families[r.family]
	switch {
	case u.wrong[r.from]:
	case r.login:
		u.logins++
		r.family, r.answer = u.logins, 1
	case f.dead:
	case r.index == f.newest:
		f.newest++
		r.answer = f.newest
		u.note("       family %d: %d -> %d", r.family, r.index, f.newest)
	default:
		u.note("       family %d: %d is spent: REVOKED", r.family, r.index)
		if r.family == u.current && u.leasing != lossy {
			if u.held(r.family) {
				u.fail("a living family is revoked")
			}
			if !r.guarded {
				u.fail("a spent refresh token is sent, unguarded")
			}
		}
		f.dead = true
	}
}

// settled is what holds where nothing more happens by itself.
func (u *universe) settled() {
	for i := range u.procs {
		p := &u.procs[i]
		m := &p.machine
		switch {
		case p.open || p.asks > 0:
			u.fail("a caller of P%d is never answered", i)
		case p.controlling || int(p.controls) < len(u.controls[i]):
			u.fail("a login of P%d is never answered", i)
		case u.lease == int8(i):
			u.fail("P%d keeps the lease for nothing", i)
		case m.work != nil && (m.work.unsaved || m.work.dirty || m.work.next != nil):
			u.fail("P%d never saves what it has", i)
		case m.token != nil && u.stored.compare(m.token) < 0:
			u.fail("P%d has (%d, %d), which is not stored", i, m.token.login, m.token.generation)
		}
	}
	shown := slices.ContainsFunc(u.procs, func(p process) bool { return p.machine.published })
	if !u.stored.Suspicion.IsZero() && !shown && u.current > 0 && !u.strayed && !u.families[u.current].dead {
		u.fail("a suspicion stays")
	}
	if f, _ := read(&u.stored.Token); f != u.current {
		u.fail("the login of family %d is lost", u.current)
	}
	if u.current > 0 && !u.strayed && !u.families[u.current].dead && !u.held(u.current) {
		u.fail("a living family is lost")
	}
}

// switchOff switches a rule of the protocol off in the machine itself.
func (u *universe) switchOff(i int) {
	w := u.procs[i].machine.work
	if w == nil {
		return
	}
	switch u.naive {
	case "no quiet time":
		w.quiet = 0
	case "answered retried at once":
		if w.mark.Answered {
			w.quiet, w.retry = 0, 0
		}
	case "refusal binds all askers":
		for r := range w.refusals {
			w.refusals = slices.Clone(w.refusals)
			w.refusals[r].Asker = u.askers[i]
		}
	case "drop the answer": // whenever another write came between
		if w.purpose == forStateCheck {
			w.next, w.unsaved = nil, false
		}
	}
}
