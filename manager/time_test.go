package manager_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenactor/manager"
)

// math.MaxInt64 is Go's usual way to say "no limit". Neither the quiet time nor the check of
// the lease vanishes in a sum with it.
func TestLimitsOfAllTime(t *testing.T) {
	t.Run("quiet time", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			store := newShelf()
			endc := make(chan struct{})
			hung := &issuer{answer: func(context.Context, int, manager.Token) (manager.Token, error) {
				<-endc
				return manager.Token{}, errors.New("late")
			}}
			for i := range 2 { // the second is the process after a crash
				p := run(t, store, nil, manager.Config{Policy: manager.Policy{Limit: math.MaxInt64}})
				c := p.Manage("billing", hung)
				if i == 0 {
					mustInstall(t, c, login("", "R", 0))
				}
				_, _ = c.Token(within(t, time.Minute))
				if i == 1 {
					defer func() { close(endc) }()
				}
				p.kill()
			}
			if got := len(hung.book()); got != 1 {
				t.Errorf("the refresh token was sent %d times within two minutes, want once", got)
			}
			if got := store.get("billing").Mark.Limit; got != time.Hour {
				t.Errorf("the mark's limit: got %v, want an hour at most", got)
			}
		})
	})
	t.Run("lease", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			short := &issuer{life: time.Hour}
			locks := newLeases(57 * time.Second)
			c := begin(t, manager.Config{Store: newShelf(), Locker: locks, Policy: manager.Policy{Limit: math.MaxInt64}}).Manage("billing", short)
			mustInstall(t, c, login("", "R", 0))
			_, _ = c.Token(within(t, time.Second))
			short.expectCalls(t, 0)
		})
	})
	t.Run("saves", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			m := begin(t, manager.Config{Store: newShelf(), SaveLimit: math.MaxInt64})
			mustInstall(t, m.Manage("billing", nil), login("A", "R", 0))
		})
	})
	t.Run("expired in 1601", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			old := &issuer{latency: time.Second, answer: func(context.Context, int, manager.Token) (manager.Token, error) {
				return manager.Token{AccessToken: manager.NewSecret("x"), Expiry: time.Date(1601, 1, 1, 0, 0, 0, 0, time.UTC)}, nil
			}}
			c := begin(t, manager.Config{}).Manage("billing", old)
			if err := refusal(t, c); !errors.Is(err, manager.ErrBornExpired) {
				t.Errorf("got %v, want ErrBornExpired", err)
			}
		})
	})
}

// A token is not served for longer than the life that was granted, whatever the clocks of those
// who wrote and read it say.
func TestClockAheadOfTheReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newShelf()
		ahead := login("OLD", "", time.Hour)
		ahead.Expiry = time.Now().Add(25 * time.Hour)
		errs := store.Save(t.Context(), []manager.Write{{Name: "billing", Snapshot: manager.Snapshot{Login: 1, Generation: 1, Revision: 1, Token: ahead}}})
		if errs[0] != nil {
			t.Fatal(errs[0])
		}
		c := begin(t, manager.Config{Store: store}).Manage("billing", &issuer{life: time.Hour})
		begun := time.Now()
		for mustToken(t, c, "").AccessToken.Reveal() == "OLD" {
			time.Sleep(time.Minute)
		}
		if served := time.Since(begun); served > time.Hour {
			t.Errorf("a token of an hour was served for %v", served)
		}
	})
}

// A Skew that is longer than the lives that a server has come to grant leaves three quarters of
// them; and where it leaves nothing the error names it.
func TestSkewLongerThanTheLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		short := &issuer{life: time.Minute, rotate: true}
		c := begin(t, manager.Config{Policy: manager.Policy{Skew: 2 * time.Minute}}).Manage("billing", short)
		for start := time.Now(); time.Since(start) < time.Hour; time.Sleep(time.Second) {
			mustToken(t, c, "")
		}
		if n := len(short.book()); n > 100 {
			t.Errorf("refreshes in an hour of lives of a minute: got %d, want about 80", n)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		late := &issuer{life: 40 * time.Second, latency: 29500 * time.Millisecond}
		c := begin(t, manager.Config{Policy: manager.Policy{Skew: 20 * time.Second}}).Manage("billing", late)
		mustToken(t, c, "T1") // 10.5 s are left, and a quarter of the life is kept back
	})
	synctest.Test(t, func(t *testing.T) {
		late := &issuer{life: 32 * time.Second, latency: 29 * time.Second}
		c := begin(t, manager.Config{Policy: manager.Policy{Skew: 20 * time.Second}}).Manage("billing", late)
		if err := refusal(t, c); !errors.Is(err, manager.ErrBornExpired) || !strings.Contains(err.Error(), "Policy.Skew") {
			t.Errorf("3 s of 32 are left, 8 are kept back: got %v, want ErrBornExpired that names Policy.Skew", err)
		}
	})
}

// A refresh token that dies before the access token is due is used in time, also where the life
// of the access token is not known.
func TestRefreshTokenDiesFirst(t *testing.T) {
	for name, life := range map[string]time.Duration{"an hour": time.Hour, "unknown": 0} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issued := time.Now()
				sliding := &issuer{}
				sliding.answer = func(_ context.Context, n int, _ manager.Token) (manager.Token, error) {
					if time.Since(issued) > 30*time.Minute {
						return manager.Token{}, manager.LoginRequired(errors.New("Token is not active"))
					}
					issued = time.Now()
					token := login(fmt.Sprint("T", n), fmt.Sprint("R", n), life)
					token.RefreshExpiresIn = 30 * time.Minute
					return token, nil
				}
				c := begin(t, manager.Config{Store: newShelf()}).Manage("billing", sliding)
				first := login("A", "R", life)
				first.RefreshExpiresIn = 30 * time.Minute
				mustInstall(t, c, first)
				for start := time.Now(); time.Since(start) < 6*time.Hour; time.Sleep(time.Minute) {
					mustToken(t, c, "")
				}
				if n := len(sliding.book()); n < 12 || n > 18 {
					t.Errorf("refreshes in six hours: got %d, want one in each 25 minutes", n)
				}
			})
		})
	}
	t.Run("with an end that stands", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			end := time.Now().Add(30 * time.Minute)
			fixed := &issuer{}
			fixed.answer = func(_ context.Context, n int, _ manager.Token) (manager.Token, error) {
				token := login(fmt.Sprint("T", n), fmt.Sprint("R", n), time.Hour)
				token.RefreshExpiresIn = time.Until(end).Round(time.Second)
				return token, nil
			}
			var dying int
			c := begin(t, manager.Config{OnEvent: func(e manager.Event) {
				if e.Kind == manager.EventDying {
					dying++
				}
			}}).Manage("billing", fixed)
			first := login("A", "R", time.Hour)
			first.RefreshExpiresIn = 30 * time.Minute
			mustInstall(t, c, first)
			time.Sleep(40 * time.Minute)
			mustToken(t, c, "T1")
			fixed.expectCalls(t, 1)
			synctest.Wait()
			if dying == 0 {
				t.Error("nobody was told that the refresh token dies")
			}
		})
	})
	t.Run("at rest", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			unused := &issuer{life: time.Hour, rotate: true}
			c := begin(t, manager.Config{Policy: manager.Policy{Idle: 10 * time.Minute}}).Manage("billing", unused)
			first := login("A", "R", time.Hour)
			first.RefreshExpiresIn = 30 * time.Minute
			mustInstall(t, c, first)
			time.Sleep(time.Hour)
			unused.expectCalls(t, 0)
		})
	})
}

// Some servers give all who ask the same token until its last second. Callers wait for that
// second; nobody gets a token that is dead, and nobody an error.
func TestSharedTokenToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		n, end := 0, time.Time{}
		shared := &issuer{answer: func(context.Context, int, manager.Token) (manager.Token, error) {
			mu.Lock()
			defer mu.Unlock()
			if time.Until(end) <= 0 {
				n, end = n+1, time.Now().Add(time.Hour)
			}
			return manager.Token{AccessToken: manager.NewSecret(fmt.Sprint("T", n)), ExpiresIn: time.Until(end).Truncate(time.Second)}, nil
		}}
		c := begin(t, manager.Config{}).Manage("billing", shared)
		for start := time.Now(); time.Since(start) < 5*time.Hour; time.Sleep(500 * time.Millisecond) {
			mustToken(t, c, "")
			mu.Lock()
			over := time.Now().After(end)
			mu.Unlock()
			if over {
				t.Fatal("a dead token was handed out")
			}
		}
	})
}

// A token that no header can carry is an error of its refresh. The refresh token beside it may
// be the only copy: it is stored, and used for the next.
func TestTokenThatNoHeaderCanCarry(t *testing.T) {
	for name, bad := range map[string]manager.Token{
		"line break":   {AccessToken: manager.NewSecret("a\n")},
		"outer spaces": {AccessToken: manager.NewSecret("   ")},
		"header":       {AccessToken: manager.NewSecret("a\r\nX-Injected: b")},
		"type":         {AccessToken: manager.NewSecret("a"), Type: "Bearer\r\nX-Injected:"},
		"phrase":       {AccessToken: manager.NewSecret("a"), Type: "User Access Token"},
		"mac":          {AccessToken: manager.NewSecret("a"), Type: "mac"},
		"N_A":          {AccessToken: manager.NewSecret("a"), Type: "N_A"},
	} {
		for _, rotate := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " ", rotate), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					store := newShelf()
					odd := &issuer{life: time.Hour}
					odd.answer = func(_ context.Context, n int, prev manager.Token) (manager.Token, error) {
						token := odd.issue(n)
						if n == 1 {
							token = bad
						}
						if rotate {
							if want := []string{"R", "R1", "R2"}[n-1]; prev.RefreshToken.Reveal() != want {
								return manager.Token{}, manager.LoginRequired(errors.New("invalid_grant"))
							}
							token.RefreshToken = manager.NewSecret(fmt.Sprint("R", n))
						}
						return token, nil
					}
					// Back-off is drawn from zero on: of ten minutes it is hardly ever over at once.
					c := begin(t, manager.Config{Store: store}).Manage("billing", odd, manager.Policy{Backoff: 10 * time.Minute, BackoffMax: 10 * time.Minute})
					mustInstall(t, c, login("", "R", 0))
					if err := refusal(t, c); !strings.Contains(err.Error(), "no header can carry it") && !strings.Contains(err.Error(), "the token_type "+name+": it is not sent") || strings.Contains(err.Error(), "Injected") {
						t.Errorf("got %v, want an error that says what is wrong, and shows nothing", err)
					}
					if got := store.get("billing").Token.RefreshToken.Reveal(); rotate && got != "R1" {
						t.Errorf("stored refresh token: got %q, want R1", got)
					}
					time.Sleep(10 * time.Minute)
					mustToken(t, c, "T2")
				})
			})
		}
	}
	c := begin(t, manager.Config{}).Manage("billing", nil)
	for _, bad := range []manager.Token{{AccessToken: manager.NewSecret("a\n")}, {AccessToken: manager.NewSecret("a"), Type: "MAC"},
		{AccessToken: manager.NewSecret("a"), Type: "Basic"}, {AccessToken: manager.NewSecret("a"), Type: "an odd type"}} {
		if err := c.Install(t.Context(), bad); err == nil {
			t.Errorf("Install of %q of type %q: no error", bad.AccessToken.Reveal(), bad.Type)
		}
	}
	mustInstall(t, c, manager.Token{AccessToken: manager.NewSecret("a"), Type: "Zoho-oauthtoken"})
	if got := mustToken(t, c, "a").Authorization(); got[0] != "Zoho-oauthtoken a" {
		t.Errorf("a type of an API's own: got %q, want it as it is", got)
	}
}

// A Policy names the life of tokens whose answer has none, and the longest that it believes.
func TestLivesOfThePolicy(t *testing.T) {
	for _, test := range []struct {
		policy    manager.Policy
		life      time.Duration
		refreshes int // in ten hours, with jitter
	}{
		{manager.Policy{}, 0, 1},
		{manager.Policy{DefaultLife: time.Hour}, 0, 11},
		{manager.Policy{DefaultLife: time.Hour}, 2 * time.Hour, 6},
		{manager.Policy{MaxLife: time.Hour}, 0, 11},
		{manager.Policy{MaxLife: time.Hour}, 1000 * time.Hour, 11},
		{manager.Policy{MaxLife: 2 * time.Hour, DefaultLife: time.Hour}, 0, 11},
	} {
		t.Run(fmt.Sprintf("%v %v %v", test.policy.DefaultLife, test.policy.MaxLife, test.life), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				test.policy.Jitter = -1
				named := &issuer{life: test.life}
				c := begin(t, manager.Config{Policy: test.policy, Heartbeat: -1}).Manage("billing", named)
				mustToken(t, c, "T1")
				time.Sleep(10 * time.Hour)
				if got := len(named.book()); got != test.refreshes {
					t.Errorf("refreshes in ten hours: got %d, want %d", got, test.refreshes)
				}
			})
		})
	}
}

// When the server wants to be asked again is stored with the token.
func TestRefreshInOverARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newShelf()
		early := &issuer{}
		early.answer = func(_ context.Context, n int, _ manager.Token) (manager.Token, error) {
			token := early.issue(n)
			token.ExpiresIn, token.RefreshIn = 10*time.Hour, time.Hour
			return token, nil
		}
		m := launch(t, manager.Config{Store: store})
		mustToken(t, m.Manage("billing", early), "T1")
		time.Sleep(30 * time.Minute)
		_ = m.Close()
		c := begin(t, manager.Config{Store: store}).Manage("billing", early)
		mustToken(t, c, "T1")
		time.Sleep(45 * time.Minute)
		early.expectCalls(t, 2)
	})
}
