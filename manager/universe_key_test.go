package manager

import (
	"hash/maphash"
	"reflect"
	"strings"
	"testing"
	"time"
)

// A key tells universes apart whose futures differ. Serial numbers are left out,
// revisions are counted from the store's, times from now, since only their
// differences matter.
type key uint64

var keySeed = maphash.MakeSeed()

// A keyer writes down what counts.
type keyer struct {
	u *universe
	b []byte
}

// keyOf gives the key of u. The buffer is used again.
func keyOf(u *universe, buffer *[]byte) key {
	k := keyer{u, (*buffer)[:0]}
	k.snapshot(&u.stored)
	b := u.budget
	k.add(byte(u.lease), u.current, u.logins, byte(b.crash), byte(b.giveUp), byte(b.drop), byte(b.fail), byte(b.unclear), byte(b.late), byte(b.blind), byte(b.steal), byte(b.news), byte(b.trouble), byte(b.odd))
	k.flags(u.strayed)
	for _, f := range u.families {
		k.add(f.newest)
		k.flags(f.dead)
	}
	for i := range u.procs {
		p := &u.procs[i]
		k.add('P', p.incarnation, p.asks, p.controls)
		k.flags(p.open, p.controlling, p.locking, p.load, p.save != nil, p.login, p.answered, p.answer != nil)
		k.token(p.rejected)
		k.token(p.last)
		if p.save != nil {
			k.save(p.save)
		}
		if p.answered {
			k.text(p.answer)
		}
		k.machine(&p.machine)
	}
	for _, w := range u.late {
		k.add('L', byte(w.from))
		k.flags(w.login)
		k.save(w.save)
	}
	for _, r := range u.requests {
		k.add('R', byte(r.from), byte(r.attempt), r.family, r.index, r.answer)
		k.flags(r.guarded, r.waiting, r.processed, r.dropped, r.login)
	}
	*buffer = k.b
	return key(maphash.Bytes(keySeed, k.b))
}

func (k *keyer) add(b ...byte) { k.b = append(k.b, b...) }

func (k *keyer) flags(set ...bool) {
	bits := byte(0)
	for i, f := range set {
		if f {
			bits |= 1 << i
		}
	}
	k.add(bits)
}

func (k *keyer) token(t *Token) {
	if t == nil {
		k.add(255)
		return
	}
	f, index := read(t)
	k.add(f, index, byte(t.login), byte(t.generation))
}

func (k *keyer) revision(r uint64) { k.add(byte(k.u.stored.Revision - r)) }

func (k *keyer) time(at int64) {
	switch {
	case at == 0:
		k.add(0)
	case at == never:
		k.add(1)
	case at <= k.u.now:
		k.add(2)
	default:
		k.add(3)
		k.span(time.Duration(at - k.u.now))
	}
}

// span writes a duration down, in milliseconds.
func (k *keyer) span(d time.Duration) {
	ms := d / time.Millisecond
	k.add(byte(ms), byte(ms>>8), byte(ms>>16), byte(ms>>24))
}

func (k *keyer) text(err error) {
	if err == nil {
		k.add(0)
		return
	}
	k.add([]byte(err.Error())...)
}

func (k *keyer) save(s *save) {
	k.revision(s.expect)
	k.flags(s.fenced)
	k.snapshot(s.snapshot)
}

func (k *keyer) mark(m *Mark) {
	k.add(m.Owner[0], m.Owner[1], byte(m.Attempt), byte(m.Login), byte(m.Generation))
	k.flags(m.Guarded, m.Answered)
	if m.Answered {
		k.span(m.Limit)
	}
}

func (k *keyer) suspicion(s *Suspicion) {
	k.add(byte(s.Answers))
	if !s.IsZero() {
		k.span(s.Last.Sub(s.Since))
		k.span(time.Duration(storyWall + k.u.now - s.Last.UnixNano()))
	}
}

func (k *keyer) refusals(all []Refusal) {
	for _, r := range all {
		k.add(byte(r.Asker))
		k.flags(r.Lost)
	}
	k.add(255)
}

func (k *keyer) snapshot(s *Snapshot) {
	k.token(&s.Token)
	k.add(byte(s.Login), byte(s.Generation))
	k.mark(&s.Mark)
	k.refusals(s.Refusals)
	k.suspicion(&s.Suspicion)
	if at := s.RetryAt; at.IsZero() {
		k.add(0)
	} else {
		k.add(1)
		k.time(at.UnixNano() - storyWall)
	}
}

// encoded are the fields of machine and work that machine writes down; skipped
// are those that cannot differ, or do not matter, in these worlds: serial numbers,
// and what only Idle, expiry, a limit of the store or Release use.
const (
	encoded = " token work revision usable due attempt phase loaded published source" +
		" waiters controls login purpose leased early forRejection overdue brokenOff sentAt parent next nextMark mark hidden ownerless quiet quietUsable refusals barred suspicion suspectDue" +
		" heeded failure final failures misconfigured retry after forced forces forcedUntil born quick fruitless barren barrenUntil unsaved unstored dirty saves saveRetry loads heard late "
	skipped = " name set read op parked dying limit saveErr hung waitOut spoiled failedAt resolved outcome sentWall loadRetry loadErr leaving lastTry "
)

func (k *keyer) machine(m *machine) {
	k.token(m.token)
	k.revision(m.revision)
	k.time(m.usable)
	k.time(m.due)
	k.add(byte(m.attempt), byte(m.phase), byte(m.source))
	w := m.work
	k.flags(m.loaded, m.published, w != nil)
	if w == nil {
		return
	}
	k.flags(w.leased, w.early, w.forRejection, w.overdue, w.ownerless, w.final, w.unsaved, w.dirty)
	k.flags(w.brokenOff, w.unstored != nil, w.late != nil, m.refusal().IsZero(), m.refusal().Lost, w.born == 0, w.heard > m.revision)
	k.add(byte(w.purpose), byte(w.misconfigured), byte(w.forces), byte(w.quick), byte(w.fruitless), byte(w.barren), byte(w.failures), byte(w.saves), byte(w.loads), byte(len(w.waiters)), byte(len(w.controls)))
	k.suspicion(&w.suspicion)
	for _, c := range w.waiters {
		k.flags(c.retry, c.patient)
		k.token(c.rejected)
	}
	for _, c := range w.controls {
		k.token(c.token)
	}
	k.token(w.login)
	k.token(w.unstored)
	k.token(w.parent)
	k.token(w.next)
	if w.late != nil {
		k.token(w.late.token)
		k.text(w.late.err)
	}
	k.mark(&w.nextMark)
	k.mark(&w.mark)
	k.mark(&w.hidden)
	if m.phase == sending {
		k.time(m.refreshLimit())
	}
	k.flags(w.barred != nil, w.forced, w.heeded.IsZero())
	k.refusals(w.refusals)
	k.time(w.quiet)
	k.time(w.quietUsable)
	k.time(w.suspectDue)
	k.time(w.after)
	k.time(w.forcedUntil)
	k.time(w.retry)
	k.time(w.barrenUntil)
	k.time(w.saveRetry)
	if f := w.failure; f != nil {
		k.add(f.Class[0], f.Class[1])
		k.flags(f.Lost, f.RetryAt.IsZero(), f.Since.IsZero(), f.obstacle())
	}
}

// TestKeyTellsApart looks at small worlds for two states with one key from which the
// same move leads to different keys: the key would have left out something that counts.
func TestKeyTellsApart(t *testing.T) {
	for _, name := range []string{"alone, trouble", "lock, odd refusals", "lock, wrong asker", "alone, retry"} {
		for _, w := range worlds() {
			if w.name == name {
				tellApart(t, &w.rules)
			}
		}
	}
}

func tellApart(t *testing.T, r *rules) {
	t.Helper()
	type edge struct {
		from key
		move move
	}
	var buffer []byte
	leads, seen := make(map[edge]key), make(map[key]int)
	var walk func(u *universe)
	walk = func(u *universe) {
		k := keyOf(u, &buffer)
		if seen[k]++; seen[k] > 3 || t.Failed() {
			return
		}
		for _, m := range u.moves(nil) {
			v := u.clone()
			v.make(m)
			to := keyOf(v, &buffer)
			if before, ok := leads[edge{k, m}]; ok && before != to {
				t.Errorf("%s: %v leads from one key to two", r.name, m)
				return
			}
			leads[edge{k, m}] = to
			walk(v)
		}
	}
	walk(r.universe())
	t.Logf("%-20s %6d keys", r.name, len(seen))
}

// TestKeyKnowsEveryField fails when the machine has got a field of which the key
// does not know whether it matters.
func TestKeyKnowsEveryField(t *testing.T) {
	for _, of := range []reflect.Type{reflect.TypeFor[machine](), reflect.TypeFor[work]()} {
		for i := range of.NumField() {
			name := " " + of.Field(i).Name + " "
			if !strings.Contains(encoded+skipped, name) {
				t.Errorf("the field%sof %s is neither encoded nor skipped", name, of.Name())
			}
		}
	}
}
