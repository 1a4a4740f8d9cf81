package persist_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/oauth"
	"example.com/tokenactor/persist"
	"example.com/tokenactor/tokentest"
)

// A site is an authorization server and a file, at which one process runs after
// another, in virtual time.
type site struct {
	t      *testing.T
	srv    *tokentest.Server
	path   string
	secret string // of the client
	policy manager.Policy
}

func newSite(t *testing.T, options tokentest.Options) *site {
	t.Helper()
	srv := tokentest.New(options)
	t.Cleanup(func() { srv.Close() })
	return &site{t: t, srv: srv, path: filepath.Join(t.TempDir(), "tokens.db"), secret: srv.ClientSecret()}
}

// A run is one process of a site.
type run struct {
	*manager.Credential
	of *site
	m  *manager.Manager
	db *persist.DB
}

func (s *site) run() *run {
	s.t.Helper()
	db, err := persist.Open(s.path, persist.Options{})
	if err != nil {
		s.t.Fatal(err)
	}
	m, err := manager.New(manager.Config{Store: db, Policy: s.policy, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		s.t.Fatal(err)
	}
	return &run{m.Manage("billing", oauth.RefreshToken(oauth2.Config{
		ClientID: s.srv.ClientID(), ClientSecret: s.secret, Endpoint: oauth2.Endpoint{TokenURL: s.srv.TokenURL()},
	}, oauth.Options{Client: s.srv.Client()})), s, m, db}
}

// login gives a process that has a token, and the token.
func (s *site) login() (*run, *manager.Token) {
	s.t.Helper()
	p, granted := s.run(), s.srv.Login()
	if err := p.Install(s.t.Context(), manager.Token{
		AccessToken: manager.NewSecret(granted.AccessToken), RefreshToken: manager.NewSecret(granted.RefreshToken),
		ExpiresIn: granted.ExpiresIn,
	}); err != nil {
		s.t.Fatal(err)
	}
	token, err := p.Token(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return p, token
}

// end is a clean end.
func (p *run) end() {
	p.of.t.Helper()
	if err := errors.Join(p.m.Close(), p.db.Close()); err != nil {
		p.of.t.Errorf("Close: %v", err)
	}
}

// crash ends the process as it stands: the next one finds the file of this moment.
func (p *run) crash() {
	s := p.of
	s.t.Helper()
	synctest.Wait()
	content, err := os.ReadFile(s.path)
	if err != nil {
		s.t.Fatal(err)
	}
	s.path += "'"
	if err := os.WriteFile(s.path, content, 0o600); err != nil {
		s.t.Fatal(err)
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	_ = p.m.Shutdown(ended)
	s.t.Cleanup(func() { _ = p.db.Close() })
}

// until asks for another token than rejected until there is one, or until only a
// login helps.
func (p *run) until(rejected *manager.Token) (token *manager.Token, err error) {
	for range 200 {
		if token, err = p.Renew(context.Background(), rejected); err == nil || errors.Is(err, manager.ErrLoginRequired) {
			return token, err
		}
		time.Sleep(time.Second)
	}
	return nil, err
}

// calls are those of the token endpoint, each with the time since the one before.
func (s *site) calls() (gaps []time.Duration) {
	var before time.Time
	for _, call := range s.srv.Calls() {
		if call.Kind == tokentest.KindToken {
			gaps = append(gaps, call.Time.Sub(before))
			before = call.Time
		}
	}
	return gaps
}

// wantRefused checks that p, whose token was rejected, says that only a login helps,
// and whether for a loss.
func (p *run) wantRefused(rejected *manager.Token, lost bool) {
	p.of.t.Helper()
	_, err := p.Renew(context.Background(), rejected)
	if e, ok := errors.AsType[*manager.RefreshError](err); !ok || !errors.Is(err, manager.ErrLoginRequired) || e.Lost != lost {
		p.of.t.Errorf("Renew: %v, want ErrLoginRequired, Lost %t", err, lost)
	}
}

// quietTime is that of the default Policy, less the lead of a timer.
const quietTime = 31*time.Second - 2*time.Millisecond

// Invariant 8: what an answer leaves unsaid stays, in the file too.
func TestScenario13FileKeepsRefreshToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, tokentest.Options{NoRotation: true})
		p, token := s.login()
		for range 3 {
			next, err := p.Renew(t.Context(), token)
			if err != nil {
				t.Fatal(err)
			}
			p.end()
			p = s.run()
			got, err := p.Token(t.Context())
			if err != nil || !got.AccessToken.Equal(next.AccessToken) || !got.RefreshToken.Equal(token.RefreshToken) {
				t.Fatalf("after a restart: %v, %v, want the newest access token and the old refresh token", got, err)
			}
			token = got
		}
		if n := len(s.calls()); n != 3 {
			t.Errorf("%d refreshes, want 3", n)
		}
		p.end()
	})
}

// Invariant 9: a refusal is in the file. Nothing is sent after a restart, or a crash,
// until a login.
func TestScenario18RefusalInTheFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, tokentest.Options{})
		p, token := s.login()
		s.srv.RevokeFamilies()
		p.wantRefused(token, false)
		p.crash()
		for range 3 {
			p = s.run()
			p.wantRefused(token, false)
			time.Sleep(24 * time.Hour)
			p.wantRefused(token, false)
			p.end()
		}
		if n := len(s.calls()); n != 1 {
			t.Errorf("%d refreshes of a refused refresh token, want 1", n)
		}
		p, token = s.login()
		if _, err := p.Renew(t.Context(), token); err != nil {
			t.Errorf("after a login: %v", err)
		}
		p.end()
	})
}

// The client's own mistake is not in the file: mended, it works after a restart.
func TestScenario18WrongSecretNotInTheFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, tokentest.Options{})
		s.secret = "wrong"
		p, token := s.login()
		if _, err := p.Renew(t.Context(), token); err == nil || errors.Is(err, manager.ErrLoginRequired) {
			t.Errorf("Renew with a wrong secret: %v, want another error than ErrLoginRequired", err)
		}
		p.end()
		s.secret = s.srv.ClientSecret()
		p = s.run()
		before := time.Now()
		if _, err := p.Renew(t.Context(), token); err != nil || time.Since(before) > time.Second {
			t.Errorf("Renew after a restart: %v after %v, want a token at once", err, time.Since(before))
		}
		p.end()
	})
}

// Invariants 8 and 9 over restarts with the file: an answer is lost, or a process dies
// while its request is at the server. Until the quiet time has passed, counted from
// the restart, nothing is sent; then one guarded try finds out. Where a gateway has answered
// there is none, over the restart too: as long again as the answer took, and a second.
func TestScenario12And31Restarts(t *testing.T) {
	for what, test := range map[string]struct {
		options tokentest.Options
		fault   tokentest.Fault
		crash   time.Duration // after the first sending; 0: a clean end after the error
		lost    bool
	}{
		"12: the answer is lost":                              {tokentest.Options{}, tokentest.Lost(), 0, true},
		"12: the answer is lost, unrotated":                   {tokentest.Options{NoRotation: true}, tokentest.Lost(), 0, false},
		"12: a gateway fails after the work":                  {tokentest.Options{}, tokentest.Spent(tokentest.Status(502)), 0, true},
		"12: a gateway fails before the work":                 {tokentest.Options{}, tokentest.Status(502), 0, false},
		"31: a crash, and the server gives up":                {tokentest.Options{}, tokentest.Hang(nil), 3 * time.Second, false},
		"31: a crash, and the server works on":                {tokentest.Options{}, tokentest.Slow(20 * time.Second), 3 * time.Second, true},
		"31: a crash, and the answer is late":                 {tokentest.Options{}, tokentest.Late(20 * time.Second), 3 * time.Second, true},
		"31: our own time-out, and then a crash":              {tokentest.Options{}, tokentest.Hang(nil), 30*time.Second + 500*time.Millisecond, false},
		"31: a crash when the quiet time is nearly over":      {tokentest.Options{}, tokentest.Lost(), 30 * time.Second, true},
		"31: a crash, and the server works on for a time-out": {tokentest.Options{}, tokentest.Slow(29 * time.Second), time.Second, true},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, test.options)
				p, rejected := s.login()
				s.srv.Next(test.fault)
				if test.crash == 0 {
					if _, err := p.Renew(t.Context(), rejected); err == nil {
						t.Fatal("Renew succeeded without an answer")
					}
					p.end()
				} else {
					go func() { _, _ = p.Renew(context.Background(), rejected) }()
					time.Sleep(test.crash)
					p.crash()
				}
				restarted := time.Now()
				p = s.run()
				token, err := p.until(rejected)
				least, most := quietTime, time.Hour
				if strings.Contains(what, "a gateway") {
					least, most = time.Second-2*time.Millisecond, 5*time.Second
				}
				if took := time.Since(restarted); took < least || took > most {
					t.Errorf("the verdict came %v after the restart, want %v or more", took, least)
				}
				if gaps := s.calls(); len(gaps) != 2 || gaps[1] < least {
					t.Errorf("calls of the token endpoint, by the time since the one before: %v, want two and %v between", gaps, least)
				}
				if !test.lost && err != nil {
					t.Fatalf("Renew: %v, want a token: the family could live", err)
				}
				if test.lost {
					p.wantRefused(rejected, true)
				}
				p.end()
				p = s.run()
				defer p.end()
				if test.lost {
					p.wantRefused(rejected, true)
				} else if again, err := p.Token(t.Context()); err != nil || !again.AccessToken.Equal(token.AccessToken) {
					t.Errorf("after another restart: %v, %v, want the token of the guarded try", again, err)
				}
				if n := len(s.calls()); n != 2 {
					t.Errorf("%d calls of the token endpoint, want 2", n)
				}
				if f := s.srv.Families()[0]; f.Alive == test.lost {
					t.Errorf("the family: %+v, want it alive: %t", f, !test.lost)
				}
			})
		})
	}
}

// A slowStore is a disk that takes its time, whatever the time limit of a save.
type slowStore struct {
	*persist.DB
	delay atomic.Int64 // nanoseconds
}

func (s *slowStore) Save(_ context.Context, writes []manager.Write) []error {
	time.Sleep(time.Duration(s.delay.Load()))
	return s.DB.Save(context.Background(), writes)
}

// Invariants 8 and 9: each save takes longer than Config.SaveLimit allows, and
// arrives all the same. Nothing is lost, and no refresh token is sent twice.
func TestScenario11SlowDisk(t *testing.T) {
	for _, delay := range []time.Duration{9, 11, 15, 25} {
		t.Run((delay * time.Second).String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, tokentest.Options{})
				p, _ := s.login()
				p.end()
				p = s.run()
				_ = p.m.Close()
				store := &slowStore{DB: p.db}
				store.delay.Store(int64(delay * time.Second))
				var err error
				if p.m, err = manager.New(manager.Config{Store: store, Policy: manager.Policy{Patience: -1}, Logger: slog.New(slog.DiscardHandler)}); err != nil {
					t.Fatal(err)
				}
				p.Credential = p.m.Manage("billing", oauth.RefreshToken(oauth2.Config{
					ClientID: s.srv.ClientID(), ClientSecret: s.secret, Endpoint: oauth2.Endpoint{TokenURL: s.srv.TokenURL()},
				}, oauth.Options{Client: s.srv.Client()}))
				token, err := p.Token(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for range 3 {
					if token, err = p.until(token); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(5 * time.Minute)
				if status := p.Status(); delay < 10 && status.Unsaved {
					t.Errorf("status: %+v, want it saved", status)
				}
				store.delay.Store(0)
				time.Sleep(5 * time.Minute)
				if status := p.Status(); status.Unsaved || !status.Mark.IsZero() {
					t.Errorf("status: %+v, want nothing open when the disk is fast again", status)
				}
				if got := s.srv.Stats(); got.Refreshes != 3 || got.Reuses != 0 {
					t.Errorf("%d refreshes, %d reuses, want 3 and none", got.Refreshes, got.Reuses)
				}
				p.end()
				p = s.run()
				defer p.end()
				if got, err := p.Token(t.Context()); err != nil || !got.AccessToken.Equal(token.AccessToken) {
					t.Errorf("after a restart: %v, %v, want the newest token", got, err)
				}
			})
		})
	}
}
