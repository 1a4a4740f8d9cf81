package scene

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"example.com/tokenactor/bench/contender"
)

// counter is a contender that counts, and can misbehave.
type counter struct {
	login  contender.Login
	token  string
	spares bool // logs in for every call

	calls, reads, closed *atomic.Int64
}

func (c *counter) Reads(ctx context.Context, n int) (string, error) {
	if c.spares || c.calls.Load() == 0 {
		if _, err := c.login(ctx); err != nil {
			return "", err
		}
	}
	c.calls.Add(1)
	c.reads.Add(int64(n))
	return c.token, nil
}

func (c *counter) Close() error { c.closed.Add(1); return nil }

func counting(token string, spares bool) (contender.Contender, *counter) {
	c := &counter{token: token, spares: spares, calls: new(atomic.Int64), reads: new(atomic.Int64), closed: new(atomic.Int64)}
	return contender.Contender{Name: "counter", Open: func(job contender.Job) (any, error) {
		c.login = job.Login
		return c, nil
	}}, c
}

func TestCallersShareReadsExactly(t *testing.T) {
	for _, test := range []struct{ callers, reads int }{{1, 10}, {3, 10}, {7, 3}, {4, 4}} {
		made, c := counting(accessToken, false)
		r, err := NewReading(t.Context(), made)
		if err != nil {
			t.Fatal(err)
		}
		crew := r.Crew(t.Context(), test.callers, test.reads)
		before := c.reads.Load()
		if _, err := crew.Run(); err != nil {
			t.Errorf("%+v: %v", test, err)
		}
		if got := c.reads.Load() - before; got != int64(test.reads) {
			t.Errorf("%d callers read %d times in all, want %d", test.callers, got, test.reads)
		}
		if err := r.Close(); err != nil || c.closed.Load() != 1 {
			t.Errorf("Close: %v, the contender was closed %d times, want once", err, c.closed.Load())
		}
	}
}

func TestWrongTokenIsAnError(t *testing.T) {
	made, c := counting("another", false)
	if _, err := NewReading(t.Context(), made); err == nil || !strings.Contains(err.Error(), `"another"`) {
		t.Errorf("reading another token: %v, want an error that shows it", err)
	}
	if n := c.closed.Load(); n != 1 {
		t.Errorf("the contender was closed %d times, want once", n)
	}
}

func TestSecondLoginIsAnError(t *testing.T) {
	made, _ := counting(accessToken, true)
	if _, err := runOnce(t, Read, made, 2, time.Microsecond); err == nil || !strings.Contains(err.Error(), "logins while one token was valid") {
		t.Errorf("a contender that logs in at every call: %v, want an error", err)
	}
}

func TestContenderThatCannotRead(t *testing.T) {
	_, c := counting(accessToken, false)
	closer := struct{ io.Closer }{c} // hides Reads
	made := contender.Contender{Open: func(contender.Job) (any, error) { return closer, nil }}
	_, err := runOnce(t, Read, made, 1, time.Millisecond)
	if reason, ok := errors.AsType[Cannot](err); !ok || reason == "" {
		t.Errorf("a contender without reads: %v, want Cannot with a reason", err)
	}
	if n := c.closed.Load(); n != 1 {
		t.Errorf("the contender was closed %d times, want once", n)
	}
}
