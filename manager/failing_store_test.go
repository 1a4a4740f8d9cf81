package manager_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/tokentest"
)

// answerIn bounds how long a caller waits: for the lease of a dead process, and
// then for the store and the server at every stage, each to its limit.
const answerIn = 3 * time.Minute

// Invariants 1, 4, 8 and 9: the store fails at each step of a renewal, in each
// way, once or until it heals, with and without a crash.
func TestScenario11StoreFailsAtEveryStep(t *testing.T) {
	steps := []struct {
		plot  plot
		lead  []trouble // what leads there
		stage stage
	}{
		{plotAnswer, nil, atReload},
		{plotAnswer, nil, atMark},
		{plotAnswer, []trouble{{atMark, harmBefore, 1}}, atMarkCheck},
		{plotAnswer, []trouble{{atMark, harmAfter, 1}}, atMarkCheck},
		{plotAnswer, nil, atAnswer},
		{plotAnswer, []trouble{{atAnswer, harmConflict, 1}}, atAnswerCheck},
		{plotRefuse, nil, atRefusal},
		{plotRefuse, []trouble{{atRefusal, harmConflict, 1}}, atAnswerCheck},
		{plotDecline, nil, atClear},
		{plotDecline, []trouble{{atClear, harmConflict, 1}}, atAnswerCheck},
	}
	for _, step := range steps {
		for _, harm := range harms {
			for n := range 32 {
				d := drill{plot: step.plot, heal: 2 * time.Minute, crash: n&1 > 0, leased: n&2 > 0, closed: n&4 > 0}
				times := 1
				if n&8 > 0 {
					times = -1
				}
				if n&16 > 0 {
					d.delay = took + took/2 // in the next step
				}
				if step.stage == atReload && !d.leased && !d.crash || d.delay > 0 && !d.crash {
					continue // there is none
				}
				d.sure = !d.crash
				d.troubles = append(append([]trouble(nil), step.lead...), trouble{step.stage, harm, times})
				t.Run(d.String(), func(t *testing.T) { d.play(t) })
			}
		}
	}
}

// The same with two or three troubles drawn from a seed, which is the test's name:
// to repeat one run it alone. The back-off of the manager is drawn anew each time.
func TestScenario11StoreFailsAtRandomSteps(t *testing.T) {
	for seed := range uint64(400) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 11))
			d := drill{plot: pick(random, plotAnswer, plotAnswer, plotDecline, plotRefuse),
				heal:  time.Minute + time.Duration(random.Int64N(int64(2*time.Minute))),
				crash: random.IntN(2) > 0, leased: random.IntN(2) > 0, closed: random.IntN(2) > 0}
			if random.IntN(2) > 0 {
				d.delay = time.Duration(random.Int64N(int64(pick(random, time.Second, time.Minute))))
			}
			for range 2 + random.IntN(2) {
				d.troubles = append(d.troubles, trouble{
					pick(random, atReload, atMark, atMarkCheck, atAnswer, atAnswerCheck, atRefusal, atClear),
					pick(random, harms...), pick(random, 1, 1, 2, 3, -1)})
			}
			d.play(t)
			if t.Failed() {
				t.Logf("seed %d: %v", seed, d)
			}
		})
	}
}

var harms = []harm{harmBefore, harmAfter, harmHang, harmPanic, harmConflict, harmSlow}

func pick[T any](random *rand.Rand, from ...T) T { return from[random.IntN(len(from))] }

func (d drill) play(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &judge{t: t, drill: d, srv: server(t, tokentest.Options{Latency: 300 * time.Millisecond}), shelf: newShelf()}
		j.sends = make(map[string]time.Time)
		j.marks = make(map[manager.Mark]bool)
		j.play()
	})
}

// A judge plays a drill and knows what must hold.
type judge struct {
	t     *testing.T
	drill drill
	srv   *tokentest.Server
	shelf *shelf

	unmarkedSaid atomic.Int64 // events

	mu       sync.Mutex
	sends    map[string]time.Time  // when each refresh token was sent last and not declined
	marks    map[manager.Mark]bool // under which something was sent
	unmarked bool                  // something was sent whose mark is not stored
	crashed  bool
	lost     bool // a caller was told of a loss
	refused  bool // a caller was told to log in
}

func (j *judge) play() {
	t, d := j.t, j.drill
	var locker *leases
	if d.leased {
		locker = newLeases(time.Minute)
	}
	config := manager.Config{Heartbeat: -1, Policy: manager.Policy{FailClosed: d.closed}, OnEvent: func(e manager.Event) {
		if e.Kind == manager.EventUnmarked {
			j.unmarkedSaid.Add(1)
		}
	}}
	store := &troubled{shelf: j.shelf, hitc: make(chan struct{}, 1)}
	p := runTroubled(t, store, locker, config)
	c := p.Manage("billing", j)
	mustInstall(t, c, enroll(j.srv))
	rejected := mustToken(t, c, "")
	switch d.plot {
	case plotDecline:
		j.srv.Next(tokentest.TooMany(5 * time.Second))
	case plotRefuse:
		j.srv.RevokeFamilies()
	}

	store.arm(d.troubles)
	healing := time.AfterFunc(d.heal, func() { store.arm(nil) })
	defer healing.Stop()
	ask := func(c *manager.Credential) (end func()) {
		donec := make(chan struct{})
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() { j.ask(c, rejected, donec) })
		}
		return func() { close(donec); wg.Wait() }
	}
	end := ask(c)
	owed := false // the answer died with its process
	if d.crash {
		select {
		case <-store.hitc:
		case <-time.After(d.heal):
		}
		time.Sleep(d.delay)
		synctest.Wait() // or what is under way at this very instant would outlive the crash
		p.kill()
		end()
		synctest.Wait()
		j.mu.Lock()
		j.crashed = true
		j.mu.Unlock()
		if locker != nil {
			locker.pause("billing")
		}
		_, _, newest := j.srv.RefreshState(j.shelf.get("billing").Token.RefreshToken.Reveal())
		owed = !newest && d.plot != plotRefuse
		p = runTroubled(t, store, locker, config)
		c = p.Manage("billing", j)
		end = ask(c)
	}
	time.Sleep(d.heal + 4*time.Minute)
	synctest.Wait()
	end()
	if store.mu.Lock(); d.sure && !store.struck {
		t.Error("the store was never in trouble")
	}
	store.mu.Unlock()
	j.settled(c, owed)
	if err := p.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// settled judges the end: the store has been well for minutes.
func (j *judge) settled(c *manager.Credential, owed bool) {
	t := j.t
	if got := j.srv.Stats(); got.MostAtOnce > 1 || got.Reuses > 0 && !owed || got.Reuses > 1 {
		t.Errorf("at the server: got %+v, want one call at a time and no reuse but of an answer that died (%v)", got, owed)
	}
	if j.unmarked && j.unmarkedSaid.Load() == 0 && !j.crashed {
		t.Error("a refresh token was sent unmarked and no event said so")
	}
	token, err := c.Token(context.Background())
	switch {
	case j.drill.plot == plotRefuse || owed:
		if e, ok := errors.AsType[*manager.RefreshError](err); !ok || !errors.Is(err, manager.ErrLoginRequired) || owed && !e.Lost && !j.unmarked {
			t.Errorf("Token: got %v, %v, want ErrLoginRequired and for a lost answer Lost (%v)", token, err, owed)
		}
		if got := j.shelf.get("billing"); len(got.Refusals) == 0 || !got.Mark.IsZero() && !got.Mark.Guarded {
			t.Errorf("stored: got mark %+v, refusal %+v, want a refusal, and no mark but that of a guarded try", got.Mark, got.Refusals)
		}
		mustInstall(t, c, enroll(j.srv))
		token = mustToken(t, c, "")
	case err != nil:
		t.Errorf("Token: %v", err)
		return
	case j.lost || j.refused:
		t.Errorf("a login was asked for (lost: %v) though nothing was lost", j.lost)
	}
	j.stored(c, token)
	renewed, err := c.Renew(context.Background(), token)
	if err != nil {
		t.Errorf("the next renewal: %v", err)
		return
	}
	synctest.Wait()
	j.stored(c, renewed)
	families := j.srv.Families()
	if f := families[len(families)-1]; !f.Alive || f.RevokedByReuse {
		t.Errorf("the family: got %+v, want it alive", f)
	}
}

// stored expects the newest token that the server issued, and nothing open.
func (j *judge) stored(c *manager.Credential, token *manager.Token) {
	j.t.Helper()
	j.shelf.expectStored(j.t, "billing", token.AccessToken.Reveal(), token.RefreshToken.Reveal())
	if _, _, newest := j.srv.RefreshState(token.RefreshToken.Reveal()); !newest {
		j.t.Errorf("generation %d is not the newest that the server issued", token.Generation())
	}
	if got := c.Status(); got.Unsaved || got.Err != nil || !got.Mark.IsZero() {
		j.t.Errorf("status: got %+v, want nothing open", got)
	}
}

// ask is a caller that comes every two seconds.
func (j *judge) ask(c *manager.Credential, rejected *manager.Token, donec <-chan struct{}) {
	for {
		start := time.Now()
		token, err := c.Renew(context.Background(), rejected)
		if took := time.Since(start); took > answerIn {
			j.t.Errorf("a caller waited %v for %v, %v", took, token, err)
		}
		if errors.Is(err, manager.ErrClosed) {
			return // killed
		}
		j.heard(token, err)
		select {
		case <-donec:
			return
		case <-time.After(2 * time.Second):
		}
	}
}

// heard judges what a caller was told.
func (j *judge) heard(token *manager.Token, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err == nil {
		if got := j.shelf.get("billing"); j.drill.closed && got.Generation < token.Generation() {
			j.t.Errorf("given out: generation %d, stored: %d", token.Generation(), got.Generation)
		}
		return
	}
	if errors.Is(err, context.DeadlineExceeded) {
		j.t.Errorf("a caller whose context goes on was told %v", err)
	}
	e, ok := errors.AsType[*manager.RefreshError](err)
	if !ok { // the first load failed
		text := err.Error()
		if !strings.Contains(text, errTrouble.Error()) && !strings.Contains(text, "SaveLimit") && !errors.Is(err, manager.ErrConflict) {
			j.t.Errorf("a caller was told %v (%T), want a *RefreshError, or what the store said", err, err)
		}
		return
	}
	if errors.Is(err, manager.ErrLoginRequired) {
		j.refused = true
		j.lost = j.lost || e.Lost
	} else if e.RetryAt.Before(time.Now()) {
		j.t.Errorf("a caller was told at %v to come again at %v", time.Now(), e.RetryAt)
	}
}

// Refresh is that of a spender, and judges what is sent when.
func (j *judge) Refresh(ctx context.Context, name string, prev manager.Token) (manager.Token, error) {
	j.sent(prev)
	token, err := (&spender{srv: j.srv}).Refresh(ctx, name, prev)
	if err != nil && len(tokenCalls(j.srv)) == 1 && j.drill.plot == plotDecline {
		j.mu.Lock()
		delete(j.sends, prev.RefreshToken.Reveal())
		j.mu.Unlock()
	}
	return token, err
}

func (j *judge) sent(prev manager.Token) {
	j.mu.Lock()
	defer j.mu.Unlock()
	mark := j.shelf.get("billing").Mark
	marked := !mark.IsZero() && !j.marks[mark] && mark.Generation == prev.Generation()
	j.marks[mark] = true
	if !marked && j.drill.closed {
		j.t.Errorf("FailClosed, and generation %d was sent with %+v stored", prev.Generation(), mark)
	}
	last, again := j.sends[prev.RefreshToken.Reveal()]
	j.sends[prev.RefreshToken.Reveal()] = time.Now()
	switch {
	case again && !j.crashed:
		j.t.Errorf("the refresh token of generation %d was sent again, %v later", prev.Generation(), time.Since(last))
	case again && !j.unmarked && (!mark.Guarded || time.Since(last) < quiet):
		j.t.Errorf("the refresh token of generation %d was sent again, %v later, unguarded: %+v", prev.Generation(), time.Since(last), mark)
	}
	j.unmarked = j.unmarked || !marked
}
