package manager

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// storyStart is when stories begin: machine time 1, since 0 is the time of what
// never happened.
const storyStart = 1

var storyWall = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()

// A teller drives one machine through a script and writes down what it does.
type teller struct {
	out     io.Writer
	set     settings
	machine machine
	begun   bool
	now     int64 // since the start
	dice    uint64
	lease   int64 // when it ends, since the start; negative: never; 0: none
	process byte  // whose machine it is: p1, and p2 after a restart
}

func newTeller(out io.Writer) *teller {
	t := &teller{out: out, dice: 1 << 63, process: 1}
	t.set.world = &world{saveLimit: 10 * time.Second}
	t.set.policy.Jitter = -1
	return t
}

// configure takes in a line of the preamble.
func (t *teller) configure(what string, w words) error {
	if t.begun {
		return errors.New("settings come before the first event")
	}
	p := &t.set.policy
	for key, value := range w {
		switch what + " " + key {
		case "world durable":
			t.set.durable = true
		case "world leased":
			t.set.leased = true
		case "world silent":
			t.set.silent = true
		case "world reader":
			t.set.reader = true
		case "world asker":
			t.set.asker = w.number(key)
		case "world asks":
			t.set.asks = w.number(key)
		case "policy jitter":
			p.Jitter = 0
		case "policy failclosed":
			p.FailClosed = true
		case "policy limit":
			p.Limit = w.life(key)
		case "policy window":
			p.Window = w.life(key)
		case "policy idle":
			p.Idle = w.life(key)
		default:
			if what != "dice" {
				return fmt.Errorf("unknown setting %s", key)
			}
			var share float64
			if _, err := fmt.Sscan(key+value, &share); err != nil {
				return err
			}
			t.dice = uint64(share*(1<<53)) << 11
		}
	}
	return nil
}

// line takes in an event: "[time] what arguments".
func (t *teller) line(line string) error {
	if !t.begun {
		t.begun = true
		t.start()
	}
	if first, rest, _ := strings.Cut(line, " "); first != "" {
		if at, err := time.ParseDuration(first); err == nil {
			line = strings.TrimSpace(rest)
			if line == "tick" {
				return nil // written anew where the machine wants one
			}
			if err := t.pass(int64(at)); err != nil {
				return err
			}
		}
	}
	what, rest, _ := strings.Cut(line, " ")
	t.write(line)
	return t.event(what, rest)
}

// pass lets time go by, with the ticks that the machine asks for.
func (t *teller) pass(to int64) error {
	if to < t.now {
		return fmt.Errorf("%v is before %v", time.Duration(to), time.Duration(t.now))
	}
	for d := t.machine.deadline() - storyStart; d <= to; d = t.machine.deadline() - storyStart {
		t.now = max(t.now, d)
		t.write("tick")
		t.step(tick{})
		if d := t.machine.deadline() - storyStart; d <= t.now {
			return fmt.Errorf("after a tick at %v the machine wants another at %v", time.Duration(t.now), time.Duration(d))
		}
	}
	t.now = to
	return nil
}

func (t *teller) start() {
	t.set.owner = [16]byte{t.process}
	t.machine = newMachine("demo", &t.set)
	t.lease = 0
}

func (t *teller) write(event string) {
	fmt.Fprintf(t.out, "%-11s%s\n", stamp(t.now), event)
}

func (t *teller) moment() moment {
	at := moment{now: storyStart + t.now, wall: storyWall + t.now, dice: t.dice, lease: -1}
	if t.lease >= 0 {
		at.lease = max(t.lease-t.now, 0)
	}
	return at
}

func (t *teller) step(m message) {
	for _, e := range t.machine.step(t.moment(), m, nil) {
		switch e.(type) {
		case begun, told: // what is for the group alone
			continue
		}
		if _, ok := e.(unlock); ok {
			t.lease = 0
		}
		fmt.Fprintf(t.out, "            %s\n", describe(e))
	}
}

// event makes a message of a line and gives it to the machine.
func (t *teller) event(what, rest string) error {
	w := parse(rest)
	n := ticket(0)
	if fields := strings.Fields(rest); len(fields) > 0 {
		_, _ = fmt.Sscan(fields[0], &n)
	}
	op := t.machine.op
	if w.has("late") { // the answer to an earlier question
		op--
	}
	switch what {
	case "ask":
		ask := ask{ticket: n, patient: w.has("patient")}
		if w.has("rejected") {
			ask.rejected = &Token{AccessToken: NewSecret(w["rejected"])}
		}
		t.step(ask)
	case "retry":
		t.step(retry{n})
	case "install":
		t.step(install{n, t.token(w)})
	case "forget":
		t.step(forget{n})
	case "replayed":
		t.step(replayed{&Token{AccessToken: NewSecret(w["token"])}, w.has("accepted")})
	case "news":
		t.step(news{w.number("rev")})
	case "loaded":
		t.step(loaded{op, t.snapshot(w), failing(w)})
	case "saved":
		t.step(saved{op, failing(w)})
	case "locked":
		t.lease = -1
		if w.has("lease") {
			t.lease = t.now + int64(w.life("lease"))
		}
		t.step(locked{err: failing(w)})
	case "granted":
		t.step(granted{})
	case "refreshed":
		attempt := uint64(t.machine.attempt)
		if w.has("attempt") {
			attempt = w.number("attempt")
		}
		t.step(refreshed{attempt, t.token(w), failing(w)})
	case "leave":
		t.step(leave{ErrClosed})
		fallthrough
	case "gone?":
		switch gone, err := t.machine.gone(); {
		case err != nil:
			fmt.Fprintf(t.out, "            gone, %s\n", problem(err))
		case gone:
			fmt.Fprintln(t.out, "            gone")
		default:
			fmt.Fprintln(t.out, "            not gone yet")
		}
	case "restart":
		t.process++
		t.start()
	case "status":
		fmt.Fprintf(t.out, "            %s\n", t.status())
	default:
		return errors.New("unknown event")
	}
	return nil
}

// token reads "token=A refresh=R life=1h".
func (t *teller) token(w words) *Token {
	token := &Token{AccessToken: NewSecret(w["token"]), RefreshToken: NewSecret(w["refresh"]), ExpiresIn: w.life("life"), RefreshIn: w.life("in")}
	if w.has("dies") {
		token.RefreshExpiry = time.Unix(0, storyWall+t.now).Add(w.life("dies"))
	}
	return token
}

// snapshot reads "rev=3 login=1 gen=2 token=A refresh=R left=50m life=1h mark=p1/1 answered=2s refused=7,8
// suspected=2 since=0s last=1m retry=10s asked=9".
func (t *teller) snapshot(w words) *Snapshot {
	s := &Snapshot{Token: *t.token(w), Login: w.number("login"), Generation: w.number("gen"), Revision: w.number("rev")}
	if w.has("left") {
		s.Token.Expiry = time.Unix(0, storyWall+t.now).Add(w.life("left"))
	}
	if w.has("mark") {
		s.Mark = Mark{Login: s.Login, Generation: s.Generation, At: time.Unix(0, storyWall), Limit: t.set.policy.limit(), Guarded: w.has("guarded")}
		if _, err := fmt.Sscanf(w["mark"], "p%d/%d", &s.Mark.Owner[0], &s.Mark.Attempt); err != nil {
			panic(err)
		}
	}
	if w.has("answered") {
		s.Mark.Answered, s.Mark.Limit = true, w.life("answered")
	}
	if w.has("refused") {
		for text := range strings.SplitSeq(w["refused"], ",") {
			asker, _ := strconv.ParseUint(text, 10, 64) // "": of nobody in particular
			s.Refusals = append(s.Refusals, Refusal{Asker: asker, At: time.Unix(0, storyWall), Reason: "invalid_grant", Lost: w.has("lost")})
		}
	}
	if w.has("suspected") {
		s.Suspicion = Suspicion{Since: time.Unix(0, storyWall).Add(w.life("since")), Last: time.Unix(0, storyWall).Add(w.life("last")),
			Answers: uint32(w.number("suspected")), Reason: "400 with an empty body"}
	}
	if w.has("retry") {
		s.RetryAt = time.Unix(0, storyWall+t.now).Add(w.life("retry"))
	}
	s.Asked = w.number("asked")
	return s
}

// failing reads "err=…": what the store, locker or Refresher answered.
func failing(w words) error {
	var err error
	switch name := w["err"]; name {
	case "":
		return nil
	case "conflict":
		return ErrConflict
	case "lease-lost":
		return ErrLeaseLost
	case "invalid_grant":
		return LoginRequired(errors.New(name))
	case "invalid_client":
		return Permanent(errors.New(name))
	case "unsent":
		return NotSent(errors.New("connection refused"))
	case "unclear":
		return LoginSuspected(errors.New("400 with an empty body"))
	case "503":
		err = Answered(errors.New("503"))
	default:
		err = errors.New(name)
	}
	if w.has("after") {
		return RetryAfter(err, w.life("after"))
	}
	return err
}
