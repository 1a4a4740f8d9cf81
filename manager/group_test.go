package manager_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenactor/manager"
)

// A grouped server is the token endpoint of many credentials.
type groupedServer struct {
	answer func(name string) error // nil: a token

	mu    sync.Mutex
	calls []time.Time
}

func (s *groupedServer) Refresh(_ context.Context, name string, prev manager.Token) (manager.Token, error) {
	s.mu.Lock()
	s.calls = append(s.calls, time.Now())
	s.mu.Unlock()
	time.Sleep(20 * time.Millisecond)
	if err := s.answer(name); err != nil {
		return manager.Token{}, err
	}
	return login("T of "+name, prev.RefreshToken.Reveal()+"'", time.Hour), nil
}

func (s *groupedServer) Group() string { return "https://auth.example.com" }

// between returns how many calls came in that time, and how many in the fullest second of it.
func (s *groupedServer) between(from, to time.Time) (n, most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	perSecond := make(map[int64]int)
	for _, at := range s.calls {
		if !at.Before(from) && at.Before(to) {
			n++
			perSecond[at.Unix()]++
			most = max(most, perSecond[at.Unix()])
		}
	}
	return n, most
}

// A thousand logins of one server are due, and it answers 503 for two minutes. One of them asks at a
// time, callers are told at once what is going on, and all go on when it is well.
func TestGroupHearsItsEndpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		well := start.Add(2 * time.Minute)
		srv := &groupedServer{answer: func(string) error {
			if time.Now().Before(well) {
				return manager.Answered(errors.New("503"))
			}
			return nil
		}}
		m := begin(t, manager.Config{Store: newShelf()})
		var all []*manager.Credential
		for i := range 1000 {
			c := m.Manage(fmt.Sprint("user ", i), srv)
			all = append(all, c)
			mustInstall(t, c, login("", fmt.Sprint("R", i), 0))
		}
		time.Sleep(30 * time.Second)
		for _, c := range all {
			if err := refusal(t, c); err.Class != manager.ClassAnswered || err.RetryAt.IsZero() {
				t.Fatalf("in the outage: got %v, want an error of class answered that says when", err)
			}
		}
		time.Sleep(time.Until(well))
		if n, _ := srv.between(start, well); n > 100 {
			t.Errorf("requests in the outage: got %d, want a few at the start, and then one at a time", n)
		}
		time.Sleep(5 * time.Minute)
		for _, c := range all {
			mustToken(t, c, "")
		}
		if n, most := srv.between(well, time.Now()); n != 1000 || most > 800 {
			t.Errorf("requests after it: got %d, %d in the fullest second, want 1000, spread", n, most)
		}
		if got := m.Stats().HeldBack; got == 0 {
			t.Error("Stats.HeldBack: got 0")
		}
	})
}

// One account of a group is always answered 503. It speaks for itself, and delays nobody else.
func TestOneBadAccountOfAGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := &groupedServer{answer: func(name string) error {
			if name == "bad" {
				return manager.RetryAfter(manager.Answered(errors.New("503")), time.Hour)
			}
			return nil
		}}
		m := begin(t, manager.Config{Store: newShelf()})
		bad := m.Manage("bad", srv)
		mustInstall(t, bad, login("", "R", 0))
		refusal(t, bad)
		var all []*manager.Credential
		for i := range 100 {
			all = append(all, m.Manage(fmt.Sprint("user ", i), srv))
			mustInstall(t, all[i], login("", fmt.Sprint("R", i), 0))
		}
		time.Sleep(15 * time.Second)
		for range 24 * 60 {
			for _, c := range all {
				mustToken(t, c, "")
			}
			_, _ = bad.Token(context.Background())
			time.Sleep(time.Minute)
		}
	})
}

// Many suspects of one group: for a day the server refuses all in words of its own. A few ask for
// all; nobody's login ends; and once one has healed the others follow within the hour.
func TestManySuspects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many = 2000
		var odd atomic.Bool
		odd.Store(true)
		srv := &groupedServer{answer: func(string) error {
			if odd.Load() {
				return manager.LoginSuspected(errors.New("400: something went wrong"))
			}
			return nil
		}}
		m := begin(t, manager.Config{Store: newShelf(), Heartbeat: -1})
		var all []*manager.Credential
		for i := range many {
			c := m.Manage(fmt.Sprint("user ", i), srv)
			all = append(all, c)
			mustInstall(t, c, login("", fmt.Sprint("R", i), 0))
		}
		start := time.Now()
		time.Sleep(3 * time.Hour)
		if n := len(slices.DeleteFunc(slices.Clone(all), func(c *manager.Credential) bool {
			return errors.Is(refusal(t, c), manager.ErrLoginSuspected)
		})); n > many/100 { // whose turn has come once only: others came first each time
			t.Errorf("after three hours: %d of %d are not told of the suspicion, want hardly any", n, many)
		}
		time.Sleep(21 * time.Hour)
		day := time.Now()
		if n, most := srv.between(start.Add(time.Hour), day); most > 20 || n > 24*many*3/2 {
			t.Errorf("requests of the day: got %d, %d in the fullest second, want at most 20", n, most)
		}
		odd.Store(false)
		first := day
		for n, _ := srv.between(day, time.Now()); n == 0; n, _ = srv.between(day, time.Now()) {
			time.Sleep(time.Minute)
			first = time.Now()
		}
		time.Sleep(time.Hour)
		for _, c := range all {
			mustToken(t, c, "")
		}
		if n, most := srv.between(day, time.Now()); n < many || most > many/4 {
			t.Errorf("requests of the hour after it: got %d, %d in the fullest second, want one each, spread", n, most)
		}
		t.Logf("the first came %v after the server was well", first.Sub(day))
	})
}
