package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenactor/client"
	"example.com/tokenactor/manager"
)

// A slowBody sends its content in pieces of a size, a pause before each, and ends
// like the body of net/http when it is closed: a Read under way returns.
type slowBody struct {
	content string
	piece   int
	pause   time.Duration
	end     error
	left    int // of the piece
	closedc chan struct{}
	close   sync.Once
	closed  time.Time
}

func newSlowBody(content string, piece int, pause time.Duration, end error) *slowBody {
	return &slowBody{content: content, piece: piece, pause: pause, end: end, closedc: make(chan struct{})}
}

func (b *slowBody) Read(p []byte) (int, error) {
	pause := b.pause
	if b.left > 0 {
		pause = 0
	}
	select {
	case <-b.closedc:
		return 0, errors.New("read on closed response body")
	case <-time.After(pause):
	}
	if b.content == "" {
		return 0, b.end
	}
	if b.left == 0 {
		b.left = b.piece
	}
	n := copy(p[:min(len(p), b.left)], b.content)
	b.content = b.content[n:]
	b.left -= n
	return n, nil
}

func (b *slowBody) Close() error {
	b.close.Do(func() {
		b.closed = time.Now()
		close(b.closedc)
	})
	return nil
}

// slowSource renews after a pause, or fails then.
type slowSource struct {
	*source
	pause  time.Duration
	asked  time.Time
	failed error
}

func (s *slowSource) Renew(ctx context.Context, rejected *manager.Token) (*manager.Token, error) {
	s.asked = time.Now()
	time.Sleep(s.pause)
	if s.failed != nil {
		return nil, s.failed
	}
	return s.source.Renew(ctx, rejected)
}

// refuse answers 401 with body, and 200 to the replay.
func refuse(body io.ReadCloser, sent *[]time.Time) baseFunc {
	return func(*http.Request) (*http.Response, error) {
		*sent = append(*sent, time.Now())
		if len(*sent) > 1 {
			return answer(http.StatusOK, "", ""), nil
		}
		resp := answer(http.StatusUnauthorized, "", "")
		resp.Body = body
		return resp, nil
	}
}

// The renewal begins with the headers of the 401. Its body delays the replay for a
// second at most, and has let go of its connection by then.
func TestRenewalDoesNotWaitForTheRefusedBody(t *testing.T) {
	for _, test := range []struct {
		name         string
		size, piece  int
		pause, renew time.Duration
		replay       time.Duration
		closed       time.Duration
	}{
		{"at once", 100, 100, 0, 0, 0, 0},
		{"at once, slow renewal", 100, 100, 0, 5 * time.Second, 5 * time.Second, 0},
		{"in 400 ms", 100, 50, 200 * time.Millisecond, 0, 600 * time.Millisecond, 600 * time.Millisecond},
		{"endless", 1 << 20, 1, 300 * time.Millisecond, 0, time.Second, time.Second},
		{"endless, slow renewal", 1 << 20, 1, 300 * time.Millisecond, 5 * time.Second, 5 * time.Second, time.Second},
		{"silent", 0, 1, time.Hour, 0, time.Second, time.Second},
		{"large", 200 << 10, 1 << 10, 0, 0, 0, 0},
		{"large, slow renewal", 200 << 10, 1 << 10, 0, 5 * time.Second, 5 * time.Second, time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				body := newSlowBody(strings.Repeat("x", test.size), test.piece, test.pause, io.EOF)
				source := &slowSource{source: newSource("T1"), pause: test.renew}
				var sent []time.Time
				resp, err := (&client.Transport{Source: source, Base: refuse(body, &sent)}).RoundTrip(getRequest(0))
				if err != nil {
					t.Fatal(err)
				}
				if resp.StatusCode != http.StatusOK || source.asked != begin {
					t.Errorf("got %d, and the renewal began after %v, want 200 and at once", resp.StatusCode, source.asked.Sub(begin))
				}
				if got := sent[1].Sub(begin); got != test.replay {
					t.Errorf("the replay was sent after %v, want %v", got, test.replay)
				}
				synctest.Wait()
				if got := body.closed.Sub(begin); got != test.closed {
					t.Errorf("the body was closed after %v, want %v", got, test.closed)
				}
			})
		})
	}
}

// Where the 401 goes back, its body is whole if it was short and quick or if the
// renewal failed within a second. Otherwise it ends with an error that says so.
func TestRefusedBodyComesBack(t *testing.T) {
	const limit = 64 << 10
	reset := errors.New("connection reset")
	for _, maxReplays := range []int{0, -1} {
		for _, test := range []struct {
			name        string
			size, piece int
			pause       time.Duration
			renew       time.Duration
			end         error
			read        int // what the caller reads before want
			want        error
		}{
			{"empty", 0, 1, 0, 5 * time.Second, io.EOF, 0, nil},
			{"short", 100, 100, 0, 5 * time.Second, io.EOF, 100, nil},
			{"short and broken", 100, 10, 0, 5 * time.Second, reset, 100, reset},
			{"64 KiB", limit, limit, 0, 5 * time.Second, io.EOF, limit, nil},
			{"64 KiB in 900 ms", limit, limit / 8, 100 * time.Millisecond, 5 * time.Second, io.EOF, limit, nil},
			{"one more", limit + 1, limit, 0, 5 * time.Second, io.EOF, limit + 1, client.ErrBodyCut},
			{"large", 4 * limit, limit, 0, 5 * time.Second, io.EOF, limit + 1, client.ErrBodyCut},
			{"slow", 100, 10, 150 * time.Millisecond, 5 * time.Second, io.EOF, 60, client.ErrBodyCut},
			{"silent", 0, 1, time.Hour, 5 * time.Second, io.EOF, 0, client.ErrBodyCut},
			{"large, quick renewal", 4 * limit, limit, 0, 0, io.EOF, 4 * limit, nil},
			{"slow, quick renewal", 100, 10, 150 * time.Millisecond, 0, io.EOF, 100, nil},
			{"broken, quick renewal", 100, 10, 150 * time.Millisecond, 0, reset, 100, reset},
			{"very slow, quick renewal", 10, 1, 1500 * time.Millisecond, 0, io.EOF, 10, nil},
		} {
			t.Run(fmt.Sprint(test.name, " MaxReplays ", maxReplays), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					begin := time.Now()
					content := strings.Repeat("0123456789abcdef", 4*limit/16)[:test.size]
					body := newSlowBody(content, test.piece, test.pause, test.end)
					source := &slowSource{source: newSource("T1"), pause: test.renew, failed: errors.New("endpoint down")}
					var sent []time.Time
					resp, err := (&client.Transport{Source: source, MaxReplays: maxReplays, Base: refuse(body, &sent)}).RoundTrip(getRequest(0))
					if err != nil {
						t.Fatal(err)
					}
					if took := time.Since(begin); took > max(test.renew, time.Second) {
						t.Errorf("the 401 came after %v", took)
					}
					got, err := io.ReadAll(resp.Body)
					if string(got) != content[:test.read] || !errors.Is(err, test.want) || test.want == nil && err != nil {
						t.Errorf("read %d bytes and %v, want %d and %v", len(got), err, test.read, test.want)
					}
					if err := resp.Body.Close(); err != nil {
						t.Error(err)
					}
					if _, err := resp.Body.Read(make([]byte, 1)); err == nil || err == io.EOF {
						t.Errorf("a Read after Close: %v, want an error", err)
					}
					select {
					case <-body.closedc:
					default:
						t.Error("the body was not closed")
					}
				})
			})
		}
	}
}

// A refused body may be closed while it is still read from, and its caller's
// context ends the wait for it.
func TestRefusedBodyIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body := newSlowBody("", 1, time.Hour, io.EOF)
		source := &slowSource{source: newSource("T1"), failed: errors.New("endpoint down")}
		resp, err := (&client.Transport{Source: source, Base: refuse(body, new([]time.Time))}).RoundTrip(getRequest(0))
		if err != nil {
			t.Fatal(err)
		}
		var reading sync.WaitGroup
		reading.Go(func() {
			if n, err := resp.Body.Read(make([]byte, 1)); n > 0 || err == nil {
				t.Errorf("the Read returned %d, %v, want an error", n, err)
			}
		})
		synctest.Wait()
		_ = resp.Body.Close()
		reading.Wait()

		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		body = newSlowBody("", 1, time.Hour, io.EOF)
		_, err = (&client.Transport{Source: newSource("T1"), Base: refuse(body, new([]time.Time))}).RoundTrip(getRequest(0).WithContext(ctx))
		if took := time.Since(begin); !errors.Is(err, context.DeadlineExceeded) || took != 100*time.Millisecond {
			t.Errorf("got %v after %v, want the context's end", err, took)
		}
		<-body.closedc
	})
}

// A stubbornBody locks: its Close waits for its Read.
type stubbornBody struct {
	mu   sync.Mutex
	endc chan struct{}
}

func (b *stubbornBody) Read([]byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	<-b.endc
	return 0, io.EOF
}

func (b *stubbornBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return nil
}

// A body whose Close does not end its Read holds up no replay.
func TestRefusedBodyThatCannotBeClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		body := &stubbornBody{endc: make(chan struct{})}
		var sent []time.Time
		resp, err := (&client.Transport{Source: newSource("T1"), Base: refuse(body, &sent)}).RoundTrip(getRequest(0))
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); resp.StatusCode != http.StatusOK || took != time.Second {
			t.Errorf("got %d after %v, want 200 after a second", resp.StatusCode, took)
		}
		close(body.endc)
	})
}

// A Base of one connection: the login goes over it while the 401 waits, however
// long that is, and if it never ends.
func TestRefusedBodyFreesItsConnection(t *testing.T) {
	overBoth(t, func(t *testing.T, serve func(http.HandlerFunc) *loopback) {
		for _, size := range []int{0, 10, 64 << 10, 200 << 10, -1} {
			logins := 0
			srv := serve(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.URL.Path == "/token":
					logins++
					_, _ = fmt.Fprint(w, "T", logins)
				case r.Header.Get("Authorization") != "Bearer T2":
					w.WriteHeader(http.StatusUnauthorized)
					_, _ = w.Write(bytes.Repeat([]byte("x"), max(size, 1)))
					if size < 0 {
						_ = http.NewResponseController(w).Flush()
						<-r.Context().Done()
					}
				}
			})
			srv.base.MaxConnsPerHost = 1
			m, err := manager.New(manager.Config{Logger: quiet})
			if err != nil {
				t.Fatal(err)
			}
			login := manager.RefresherFunc(func(ctx context.Context, _ string, _ manager.Token) (manager.Token, error) {
				req, _ := http.NewRequestWithContext(ctx, http.MethodPost, srv.URL+"/token", nil)
				resp, err := srv.base.RoundTrip(req)
				if err != nil {
					return manager.Token{}, err
				}
				defer func() { _ = resp.Body.Close() }()
				token, err := io.ReadAll(resp.Body)
				return manager.Token{AccessToken: manager.NewSecret(string(token))}, err
			})
			api := &http.Client{Transport: &client.Transport{Source: m.Manage("api", login), Base: srv.base}}
			if got := get(t, api, srv.URL); got != http.StatusOK || logins != 2 {
				t.Errorf("a 401 of %d bytes: got %d after %d logins, want 200 after 2", size, got, logins)
			}
			if err := m.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

// A rule that looks at the body waits for a second; then it judges what there is,
// and an event stream goes on.
func TestRejectedBodyOfAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		content := strings.Repeat("event\n", 10)
		body := newSlowBody(content, 6, 300*time.Millisecond, io.EOF)
		rt := &client.Transport{Source: newSource("T1"), Base: baseFunc(func(*http.Request) (*http.Response, error) {
			resp := answer(http.StatusOK, "", "")
			resp.Body = body
			return resp, nil
		}), Rejected: client.RejectedBody(0, func(_ int, head []byte) bool {
			if string(head) != content[:18] {
				t.Errorf("the rule saw %q, want three events", head)
			}
			return false
		})}
		resp, err := rt.RoundTrip(getRequest(0))
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took != time.Second {
			t.Errorf("the response came after %v, want a second", took)
		}
		if got := text(t, resp); got != content {
			t.Errorf("read %q, want all events", got)
		}
	})
}

// A 401 without a Body, which http.Client takes for an empty one, is renewed, and
// given back as it came.
func TestRefusalWithoutABody(t *testing.T) {
	for _, rule := range []func(*http.Response) bool{nil, client.RejectedBody(0, func(status int, _ []byte) bool { return status == 401 })} {
		for _, second := range []int{200, 401} {
			sends := 0
			c := &http.Client{Transport: &client.Transport{Source: newSource("T1"), Rejected: rule, Base: baseFunc(func(*http.Request) (*http.Response, error) {
				sends++
				return &http.Response{StatusCode: []int{0, 401, second}[sends]}, nil
			})}}
			if got := get(t, c, "https://api.example.com/"); got != second || sends != 2 {
				t.Errorf("got %d after %d sends, want %d after 2", got, sends, second)
			}
		}
	}
}
