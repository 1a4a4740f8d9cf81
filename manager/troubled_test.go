package manager_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"example.com/tokenactor/manager"
)

// took is what the store takes for anything, so that a crash may come between two steps.
const took = 10 * time.Millisecond

var errTrouble = errors.New("the disk is in trouble")

// A stage is what a renewal asks of the store.
type stage string

// Those of a renewal, in its order. A reload is any load that resolves nothing.
const (
	atReload      stage = "reload"
	atMark        stage = "mark"
	atMarkCheck   stage = "check of the mark"
	atAnswer      stage = "answer"
	atAnswerCheck stage = "check of the answer"
	atRefusal     stage = "refusal"
	atClear       stage = "clear"
)

// A harm is how the store fails.
type harm string

const (
	harmBefore   harm = "error before"   // nothing is stored
	harmAfter    harm = "error after"    // stored, and an error
	harmHang     harm = "hang"           // until the context ends; nothing is stored
	harmPanic    harm = "panic"          // before
	harmConflict harm = "false conflict" // stored, and ErrConflict
	harmSlow     harm = "slow"           // stored, but only when Config.SaveLimit has passed
)

// A trouble is a failure at one stage.
type trouble struct {
	at    stage
	harm  harm
	times int // negative: until the store heals
}

func (t trouble) String() string { return fmt.Sprintf("%s=%s×%d", t.at, t.harm, t.times) }

// A plot is what the authorization server answers to the first renewal.
type plot string

const (
	plotAnswer  plot = "answered" // a new token
	plotDecline plot = "declined" // 429, and then a new token: its mark is cleared
	plotRefuse  plot = "refused"  // invalid_grant: somebody ended the login
)

// A drill is one renewal through a store in trouble.
type drill struct {
	plot     plot
	troubles []trouble
	heal     time.Duration // after the renewal's begin
	crash    bool          // with a restart on the same shelf
	sure     bool          // the last trouble has to strike
	delay    time.Duration // from the last trouble's first strike to the crash
	leased   bool          // with a Locker
	closed   bool          // Policy.FailClosed
}

func (d drill) String() string {
	s := fmt.Sprintf("%s, %v, heals after %v", d.plot, d.troubles, d.heal)
	if d.crash {
		s += fmt.Sprintf(", crash %v later", d.delay)
	}
	if d.leased {
		s += ", leased"
	}
	if d.closed {
		s += ", FailClosed"
	}
	return s
}

// A troubled store is the shelf of one process after another, with troubles.
type troubled struct {
	shelf *shelf
	hitc  chan struct{} // holds one token when the last of the troubles has struck

	mu       sync.Mutex
	troubles []trouble
	struck   bool   // the last of them has
	newest   uint64 // generation of the newest answer that a save brought
	next     stage  // what the next load is
}

// strike gives the harm that meets that stage, "" for none.
func (s *troubled) strike(at stage) harm {
	for i := range s.troubles {
		if t := &s.troubles[i]; t.at == at && t.times != 0 {
			t.times--
			if i == len(s.troubles)-1 {
				s.struck = true
				select {
				case s.hitc <- struct{}{}:
				default:
				}
			}
			return t.harm
		}
	}
	return ""
}

func (s *troubled) arm(troubles []trouble) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.troubles, s.next = append([]trouble(nil), troubles...), atReload
	s.newest = 0
}

// stageOf tells what a write is for.
func (s *troubled) stageOf(w manager.Write) stage {
	switch stored := s.shelf.get(w.Name); {
	case !w.Snapshot.Mark.IsZero():
		return atMark
	case len(w.Snapshot.Refusals) > 0:
		return atRefusal
	case w.Snapshot.Generation > stored.Generation, w.Snapshot.Generation == s.newest:
		s.newest = w.Snapshot.Generation
		return atAnswer
	}
	return atClear
}

func (s *troubled) save(ctx context.Context, w manager.Write, write func() error) error {
	s.mu.Lock()
	at := s.stageOf(w)
	harm := s.strike(at)
	switch {
	case harm == harmConflict && at != atMark:
		s.next = atAnswerCheck
	case harm == "" || harm == harmConflict || at != atMark:
		s.next = atReload
	default:
		s.next = atMarkCheck
	}
	s.mu.Unlock()
	time.Sleep(took)
	switch harm {
	case harmBefore:
		return errTrouble
	case harmAfter:
		_ = write()
		return errTrouble
	case harmHang:
		<-ctx.Done()
		return ctx.Err()
	case harmPanic:
		panic(errTrouble)
	case harmConflict:
		_ = write()
		return manager.ErrConflict
	case harmSlow:
		time.Sleep(15 * time.Second)
	}
	return write()
}

func (s *troubled) load(ctx context.Context) error {
	s.mu.Lock()
	at := s.next
	s.next = atReload
	harm := s.strike(at)
	s.mu.Unlock()
	time.Sleep(took)
	switch harm {
	case harmBefore, harmAfter:
		return errTrouble
	case harmHang:
		<-ctx.Done()
		return ctx.Err()
	case harmPanic:
		panic(errTrouble)
	case harmConflict:
		return manager.ErrConflict
	case harmSlow:
		time.Sleep(15 * time.Second)
	}
	return nil
}

// A troubledProcess is a process whose way to the shelf is a troubled store.
type troubledProcess struct {
	*process
	store *troubled
}

// runTroubled is run with troubles.
func runTroubled(t testing.TB, store *troubled, locker *leases, config manager.Config) *process {
	t.Helper()
	p := &process{store: store.shelf, locker: locker, deadc: make(chan struct{})}
	config.Store = troubledProcess{p, store}
	if locker != nil {
		config.Locker = mortalLocker{p}
	}
	p.Manager = launch(t, config)
	return p
}

func (p troubledProcess) Load(ctx context.Context, names []string) ([]manager.Snapshot, error) {
	if err := p.store.load(ctx); err != nil {
		return nil, err
	}
	return p.process.Load(ctx, names)
}

func (p troubledProcess) Save(ctx context.Context, writes []manager.Write) []error {
	errs := make([]error, len(writes))
	for i := range writes {
		errs[i] = p.store.save(ctx, writes[i], func() error { return p.process.Save(ctx, writes[i:i+1])[0] })
	}
	return errs
}
