package contender

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestNames(t *testing.T) {
	seen := make(map[string]bool)
	for _, c := range All {
		if c.Name == "" || strings.ContainsAny(c.Name, "/, ") || seen[c.Name] {
			t.Errorf("the name %q is empty, there twice, or of no use in a flag or a benchmark's name", c.Name)
		}
		seen[c.Name] = true
		if c.About == "" {
			t.Errorf("%s does not say what it is", c.Name)
		}
	}
}

// job is one with a token of an hour and the usual skew.
func job(login Login) Job { return Job{Login: login, Skew: testSkew} }

const testSkew = 10 * time.Second

type reader interface {
	Reads(ctx context.Context, n int) (string, error)
}

type decorator interface {
	Transport(base http.RoundTripper) (http.RoundTripper, error)
}

func TestFailedLoginReachesTheCaller(t *testing.T) {
	down := errors.New("down")
	for _, c := range All {
		subject, err := c.Open(job(func(context.Context) (Token, error) { return Token{}, down }))
		if r, ok := subject.(reader); ok && err == nil {
			if _, err := r.Reads(t.Context(), 1); !errors.Is(err, down) {
				t.Errorf("%s with a failing login reads: %v, want %v", c.Name, err, down)
			}
		} else if err != nil && !errors.Is(err, down) {
			t.Errorf("%s with a failing login: %v, want %v", c.Name, err, down)
		}
		if d, ok := subject.(decorator); ok && err == nil {
			if err := send(t, d, new(seen)); !errors.Is(err, down) {
				t.Errorf("%s with a failing login sends a request: %v, want %v", c.Name, err, down)
			}
		}
		if r, ok := subject.(requester); ok && err == nil {
			if err := r.Request(t.Context(), func(string) bool { return true }); !errors.Is(err, down) {
				t.Errorf("%s with a failing login, after a 401: %v, want %v", c.Name, err, down)
			}
		}
		if err := Close(subject); err != nil {
			t.Errorf("%s: %v", c.Name, err)
		}
	}
}

// seen is a base that keeps what it got.
type seen struct{ authorization []string }

func (s *seen) RoundTrip(req *http.Request) (*http.Response, error) {
	s.authorization = append(s.authorization, req.Header.Get("Authorization"))
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
}

func send(t *testing.T, d decorator, base http.RoundTripper) error {
	t.Helper()
	rt, err := d.Transport(base)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.example.com", nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = rt.RoundTrip(req)
	return err
}

func TestRequestsCarryTheToken(t *testing.T) {
	for _, c := range All {
		subject, err := c.Open(job(func(context.Context) (Token, error) {
			return Token{Access: "A", Expiry: time.Now().Add(time.Hour)}, nil
		}))
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"Bearer A"}
		if c.Name == "harness" {
			want = []string{""}
		}
		base := new(seen)
		if d, ok := subject.(decorator); ok {
			if err := send(t, d, base); err != nil || !slices.Equal(base.authorization, want) {
				t.Errorf("%s sent %q, %v, want %q", c.Name, base.authorization, err, want)
			}
		}
		if err := Close(subject); err != nil {
			t.Errorf("%s: %v", c.Name, err)
		}
	}
}

// Those written by hand promise to let a waiter go.
func TestWaiterLeavesWhenItsContextEnds(t *testing.T) {
	for _, c := range []Contender{rwMutex, channelActor} {
		synctest.Test(t, func(t *testing.T) {
			subject, err := c.Open(job(func(context.Context) (Token, error) {
				time.Sleep(time.Minute)
				return Token{Access: "A", Expiry: time.Now().Add(time.Hour)}, nil
			}))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if _, err := subject.(reader).Reads(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: a waiter with a second left got %v, want context.DeadlineExceeded", c.Name, err)
			}
			if got, err := subject.(reader).Reads(t.Context(), 2); got != "A" || err != nil {
				t.Errorf("%s: the next reader got %q, %v, want A", c.Name, got, err)
			}
			if err := Close(subject); err != nil {
				t.Errorf("%s: %v", c.Name, err)
			}
		})
	}
}

// Inside the skew the token is not given out any more.
func TestRenewedBeforeExpiry(t *testing.T) {
	for _, c := range []Contender{rwMutex, channelActor} {
		synctest.Test(t, func(t *testing.T) {
			logins := 0
			subject, err := c.Open(job(func(context.Context) (Token, error) {
				logins++
				return Token{Access: strings.Repeat("A", logins), Expiry: time.Now().Add(time.Minute)}, nil
			}))
			if err != nil {
				t.Fatal(err)
			}
			for _, step := range []struct {
				sleep time.Duration
				want  string
			}{{0, "A"}, {time.Minute - testSkew - 1, "A"}, {1, "AA"}} {
				time.Sleep(step.sleep)
				if got, err := subject.(reader).Reads(t.Context(), 1); got != step.want || err != nil {
					t.Errorf("%s, %v later: read %q, %v, want %q", c.Name, step.sleep, got, err, step.want)
				}
			}
			if err := Close(subject); err != nil {
				t.Errorf("%s: %v", c.Name, err)
			}
		})
	}
}

func TestClosedActorSaysSo(t *testing.T) {
	subject, err := channelActor.Open(Job{})
	if err != nil {
		t.Fatal(err)
	}
	a := subject.(*mailbox)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Token(t.Context()); !errors.Is(err, errClosed) {
		t.Errorf("a read of a closed actor: %v, want %v", err, errClosed)
	}
}

type requester interface {
	Request(ctx context.Context, send Send) error
}

// A rejected request is sent once more with another token; what goes on being
// rejected is an error; and a token that nobody rejected is used again.
func TestRejectedRequestIsSentOnceMore(t *testing.T) {
	for _, c := range All {
		logins := 0
		subject, err := c.Open(job(func(context.Context) (Token, error) {
			logins++
			return Token{Access: strings.Repeat("A", logins), Expiry: time.Now().Add(time.Hour)}, nil
		}))
		if err != nil {
			t.Fatal(err)
		}
		if r, ok := subject.(requester); ok {
			for _, step := range []struct {
				accepted string // the token that the server likes; "": none
				want     []string
			}{{"A", []string{"A"}}, {"AA", []string{"A", "AA"}}, {"AA", []string{"AA"}}, {"", []string{"AA", "AAA"}}} {
				var sent []string
				err := r.Request(t.Context(), func(access string) bool {
					sent = append(sent, access)
					return access == step.accepted
				})
				if !slices.Equal(sent, step.want) || (err == nil) != (step.accepted != "") {
					t.Errorf("%s, whose server accepts %q, sent %q, error %v, want %q", c.Name, step.accepted, sent, err, step.want)
				}
			}
		}
		if err := Close(subject); err != nil {
			t.Errorf("%s: %v", c.Name, err)
		}
	}
}

// The limit is the least for many waiters too: they share one login.
func TestLimitSharesALogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logins := 0
		subject, err := limit.Open(job(func(context.Context) (Token, error) {
			logins++
			time.Sleep(time.Second)
			return Token{Access: "A"}, nil
		}))
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			go func() {
				if got, err := subject.(reader).Reads(t.Context(), 1); got != "A" || err != nil {
					t.Errorf("read %q, %v, want A", got, err)
				}
			}()
		}
		synctest.Wait()
		time.Sleep(time.Second)
		synctest.Wait()
		if logins != 1 {
			t.Errorf("%d logins, want 1", logins)
		}
	})
}

// Revisions are stored as they come, and a start finds them all.
func TestStoresKeepWhatTheyAreGiven(t *testing.T) {
	type store interface {
		Fill(ctx context.Context, from, to int) error
		Save(ctx context.Context, i int, revision uint64) error
		Close() error
	}
	for _, c := range []Contender{tokenactor, bboltBatch, bboltTuned} {
		subject, err := c.Open(job(nil))
		if err != nil {
			t.Fatal(err)
		}
		keeper := subject.(interface {
			OpenStore(path string) (any, error)
			Start(ctx context.Context, path string, n int) (func() error, error)
		})
		path := filepath.Join(t.TempDir(), "tokens.db")
		opened, err := keeper.OpenStore(path)
		if err != nil {
			t.Fatal(err)
		}
		s := opened.(store)
		if err := errors.Join(s.Fill(t.Context(), 0, 3), s.Save(t.Context(), 1, 2), s.Save(t.Context(), 1, 3), s.Close()); err != nil {
			t.Errorf("%s: %v", c.Name, err)
		}
		stop, err := keeper.Start(t.Context(), path, 3)
		if err != nil {
			t.Errorf("%s, a start: %v", c.Name, err)
			continue
		}
		if err := errors.Join(stop(), Close(subject)); err != nil {
			t.Errorf("%s: %v", c.Name, err)
		}
	}
}
