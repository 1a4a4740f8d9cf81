package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenactor/client"
	"example.com/tokenactor/manager"
)

// A rejection counts, though each of its callers is out of time, or gone, when it
// comes: else a token that died would be used until its own expiry.
func TestRejectionCountsAfterItsCallersEnd(t *testing.T) {
	for _, maxReplays := range []int{0, -1} {
		for _, ended := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				m, err := manager.New(manager.Config{Logger: quiet})
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = m.Close() }()
				var refreshes atomic.Int32
				credential := m.Manage("api", manager.RefresherFunc(func(context.Context, string, manager.Token) (manager.Token, error) {
					n := refreshes.Add(1)
					time.Sleep(time.Second)
					return manager.Token{AccessToken: manager.NewSecret(fmt.Sprint("T", n))}, nil
				}))
				if _, err := credential.Token(t.Context()); err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancelCause(t.Context())
				cause := errors.New("the user left")
				var seen []string
				refused := accepting("T2", &seen)
				rt := &client.Transport{Source: credential, MaxReplays: maxReplays, Base: baseFunc(func(req *http.Request) (*http.Response, error) {
					if ended {
						cancel(cause)
					} else {
						time.AfterFunc(100*time.Millisecond, func() { cancel(cause) })
					}
					return refused(req)
				})}
				if resp, err := rt.RoundTrip(getRequest(0).WithContext(ctx)); !errors.Is(err, cause) {
					t.Errorf("ended %t: got %v, %v, want the context's cause", ended, resp, err)
				}
				time.Sleep(2 * time.Second)
				if got := refreshes.Load(); got != 2 {
					t.Errorf("MaxReplays %d, ended %t: %d refreshes, want 2: the first, and one for the rejection", maxReplays, ended, got)
				}
			})
		}
	}
}

// askingErr is a Source that looks for the end of its context by Err alone.
type askingErr struct {
	client.Source
	asked int
}

func (s *askingErr) Renew(ctx context.Context, _ *manager.Token) (*manager.Token, error) {
	for ctx.Err() == nil {
		s.asked++
		time.Sleep(100 * time.Millisecond)
	}
	return nil, ctx.Err()
}

// waiting is a Source that waits for the end of a context made of its own.
type waiting struct{ client.Source }

func (s waiting) Renew(ctx context.Context, _ *manager.Token) (*manager.Token, error) {
	if err := ctx.Err(); err != nil {
		return nil, errors.New("the rejection was lost")
	}
	child, cancel := context.WithTimeout(ctx, time.Hour)
	defer cancel()
	<-child.Done()
	return nil, errors.Join(child.Err(), ctx.Err())
}

// Whatever way a Source waits, the end of the caller's context reaches it: at
// once, or where it never calls Done, after a second.
func TestEndReachesTheSource(t *testing.T) {
	for want, source := range map[time.Duration]client.Source{time.Second: &askingErr{Source: newSource("T1")}, 0: waiting{newSource("T1")}} {
		synctest.Test(t, func(t *testing.T) {
			begin := time.Now()
			ctx, cancel := context.WithCancel(t.Context())
			rt := &client.Transport{Source: source, Base: baseFunc(func(*http.Request) (*http.Response, error) {
				cancel()
				return answer(http.StatusUnauthorized, "", ""), nil
			})}
			_, err := rt.RoundTrip(getRequest(0).WithContext(ctx))
			if took := time.Since(begin); !errors.Is(err, context.Canceled) || took != want {
				t.Errorf("%T: got %v after %v, want the context's end after %v", source, err, took, want)
			}
		})
	}
}
