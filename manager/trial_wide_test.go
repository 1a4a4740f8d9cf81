package manager

import "time"

// widen makes a trial wide: its world has an asker, a kind of token or no Refresher,
// and its schedule decides over Retry, over what siblings note beside the token, over
// the group's outlook and over odd answers.
func (t *trial) widen() {
	t.wide = true
	shape := t.draw()
	if shape&1 != 0 {
		t.set.asker = 3
	}
	if shape&2 != 0 {
		t.set.asks = 70
	}
	t.set.reader = shape&12 == 12
	t.odd = shape&16 != 0
	if shape&32 != 0 {
		t.set.policy.Patience = time.Minute
	}
}

// first changes what is stored at the beginning: without a refresh token where siblings
// ask for something else.
func (t *trial) first(s *Snapshot) {
	if t.set.asks == 0 {
		return
	}
	if kind := t.draw(); kind&1 != 0 {
		s.Token.RefreshToken = Secret{}
		s.Asked = uint64(69 + kind>>1&3%3)
		t.descends(&s.Token, nil)
	}
}

// more is what a wide schedule can do beside the rest.
func (t *trial) more(kind byte) {
	if !t.wide || t.leaving {
		return
	}
	switch kind {
	case 0, 1, 2: // somebody asks again on purpose
		t.next++
		t.open[t.next] = nil
		since := retried{t.machine.token, t.returned}
		if m := &t.machine; m.phase == storing && (m.work.purpose == forState || m.work.purpose == forStateCheck) || m.phase == sending && m.work.late != nil {
			since.returned-- // the outcome that is being stored is shared
		}
		t.retries[t.next] = since
		t.step(retry{t.next})
	case 3, 4: // time passes
		t.pass(time.Duration(t.draw()) * time.Second / 8)
	case 5: // the group hears something
		t.outlook()
	default: // a long time passes
		t.pass(time.Duration(t.draw()) * time.Minute)
	}
}

// pass lets time go by, with the ticks that the machine asks for.
func (t *trial) pass(d time.Duration) {
	end := t.now + int64(d)
	for d := t.machine.deadline(); d <= end; d = t.machine.deadline() {
		t.now = max(t.now, d)
		t.ticks()
	}
	t.now = end
}

// outlook changes what others of the group know.
func (t *trial) outlook() {
	kind := t.draw()
	g := outlook{err: errOutage, class: ClassAnswered, healed: t.group.healed}
	if kind&1 != 0 {
		g.until = t.now + int64(kind>>4)*int64(time.Minute)
	}
	if kind&2 != 0 {
		g.spread = time.Minute
	}
	if kind&4 != 0 {
		g.suspects = t.now + int64(kind>>4)*int64(20*time.Second)
	}
	if kind&8 != 0 {
		g.healed = t.now
	}
	t.group = g
	t.note("-- the group: until %s suspects %s healed %s", stamp(g.until), stamp(g.suspects), stamp(g.healed))
}

// onlyPatient reports whether those who wait are all patient.
func (t *trial) onlyPatient() bool {
	for n := range t.open {
		if !t.patient[n] {
			return false
		}
	}
	return true
}
