package client_test

import (
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

// A place of the world: an API whose tokens are revoked now and then, and some of whose
// URLs say 401 whatever the token.
type apiWorld struct {
	rotate bool // its logins have refresh tokens
	once   bool // each token is rejected at its first use, and its successor taken

	mu     sync.Mutex
	n      int
	valid  map[string]bool // tokens issued since the last revocation
	lost   int             // good requests that came back with a 401
	asked  int
	logins int
	used   map[string]bool
	issued map[string]time.Time
	late   int // requests to /late that came back with a 401: it knows a token 5 s after its issue
}

func (w *apiWorld) Refresh(context.Context, string, manager.Token) (manager.Token, error) {
	time.Sleep(50 * time.Millisecond)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.n++
	w.logins++
	token := fmt.Sprint("t", w.n)
	w.valid[token] = true
	w.issued[token] = time.Now()
	t := manager.Token{AccessToken: manager.NewSecret(token), ExpiresIn: 24 * time.Hour}
	if w.rotate {
		t.RefreshToken = manager.NewSecret(fmt.Sprint("r", w.n))
	}
	return t, nil
}

func (w *apiWorld) revoke() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.valid)
}

func (w *apiWorld) RoundTrip(r *http.Request) (*http.Response, error) {
	path := r.URL.Path
	if strings.HasPrefix(path, "/upload") {
		time.Sleep(30 * time.Second)
	} else {
		time.Sleep(2 * time.Millisecond)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	code := http.StatusOK
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch {
	case strings.HasPrefix(path, "/bad"), strings.HasSuffix(r.URL.Host, "bad.example.com"):
		code = http.StatusUnauthorized
	case path == "/health": // checks no token
	case !w.valid[token]:
		code = http.StatusUnauthorized
	case path == "/late" && time.Since(w.issued[token]) < 5*time.Second:
		code = http.StatusUnauthorized
	case w.once && !w.used[token]:
		w.used[token] = true
		code = http.StatusUnauthorized
	}
	if r.Body != nil {
		_ = r.Body.Close()
	}
	return &http.Response{StatusCode: code, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
}

// get asks for a URL, and counts a good one that is lost.
func (w *apiWorld) get(t *testing.T, api *http.Client, url string) {
	resp, err := api.Get(url)
	if err != nil {
		t.Error(err)
		return
	}
	_ = resp.Body.Close()
	good := !strings.Contains(url, "/bad") && !strings.Contains(url, "bad.example.com")
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked++
	switch {
	case resp.StatusCode != http.StatusUnauthorized:
	case strings.HasSuffix(url, "/late"):
		w.late++
	case good:
		w.lost++
	}
}

// today is a credential as Transports knew it before there was evidence.
type today struct{ c *manager.Credential }

func (s today) Token(ctx context.Context) (*manager.Token, error) { return s.c.Token(ctx) }
func (s today) Renew(ctx context.Context, rejected *manager.Token) (*manager.Token, error) {
	return s.c.Renew(ctx, rejected)
}
func (s today) Replayed(t *manager.Token, accepted bool) { s.c.Replayed(t, accepted) }

// A world says what the workers ask for, in virtual time.
type evidenceWorld struct {
	name         string
	rotate, once bool
	workers      int
	run          time.Duration
	revocations  []time.Duration
	url          func(worker, i int) string // of the ith request of a worker
	pause        time.Duration              // between two requests of a worker
	most         int                        // good requests lost
	transports   int
	settle       time.Duration
}

func worlds() []evidenceWorld {
	const a = "https://api.example.com"
	each := func(good, bad string, every int) func(int, int) string {
		return func(worker, i int) string {
			if worker == 0 && every > 0 && i%every == every-1 {
				return a + bad
			}
			return a + good
		}
	}
	revoked := func(at ...time.Duration) []time.Duration { return at }
	unique := func(percent int) func(int, int) string {
		return func(worker, i int) string {
			if (i*7919+worker)%100 < percent {
				return fmt.Sprintf("%s/bad/%d/%d", a, worker, i)
			}
			return fmt.Sprintf("%s/good/%d/%d", a, worker, i)
		}
	}
	lagging := func(worker, _ int) string {
		if worker < 2 {
			return a + "/late"
		}
		return fmt.Sprint(a, "/good/", worker)
	}
	tick := 100 * time.Millisecond
	return []evidenceWorld{
		{name: "a bad URL each 2 s, one worker", workers: 1, run: 2 * time.Minute, pause: tick, url: each("/good", "/bad", 20), revocations: revoked(10*time.Second, time.Minute)},
		{name: "a bad URL each 30 s, one worker", workers: 1, run: 20 * time.Minute, pause: tick, url: each("/good", "/bad", 300), revocations: revoked(10 * time.Minute)},
		{name: "a bad URL each 5 min, one worker", workers: 1, run: 40 * time.Minute, pause: tick, url: each("/good", "/bad", 3000), revocations: revoked(30*time.Minute, 33*time.Minute)},
		{name: "a bad URL each 2 s, 20 workers", workers: 20, run: 2 * time.Minute, pause: tick, url: each("/good", "/bad", 20), revocations: revoked(10*time.Second, time.Minute)},
		{name: "a good request each 10 s", workers: 1, run: 20 * time.Minute, pause: 5 * time.Second, url: each("/good", "/bad", 2), revocations: revoked(5*time.Minute, 12*time.Minute)},
		{name: "a page that checks no token, 20 workers", workers: 20, run: 5 * time.Minute, pause: tick, revocations: revoked(time.Minute, 3*time.Minute),
			url: func(worker, i int) string {
				if worker == 0 && i%20 == 19 {
					return a + "/bad"
				}
				if worker%2 == 1 {
					return a + "/health"
				}
				return fmt.Sprint(a, "/good/", worker)
			}},
		{name: "each URL once, 5 % bad, 20 workers", workers: 20, run: 5 * time.Minute, pause: tick, url: unique(5), revocations: revoked(time.Minute, 3*time.Minute)},
		{name: "each URL once, 5 % bad, one worker", workers: 1, run: 5 * time.Minute, pause: tick, url: unique(5), revocations: revoked(time.Minute, 3*time.Minute), most: 4},
		{name: "10,000 bad URLs", workers: 20, run: 10 * time.Minute, pause: tick, url: unique(50), revocations: revoked(5 * time.Minute)},
		{name: "two hosts and two Transports", workers: 10, run: 5 * time.Minute, pause: tick, transports: 2, revocations: revoked(time.Minute, 3*time.Minute),
			url: func(worker, i int) string {
				if worker == 1 && i%10 == 9 {
					return "https://bad.example.com/x"
				}
				return fmt.Sprintf("https://%c.example.com/good", 'a'+worker%2)
			}},
		{name: "one endpoint knows tokens 5 s late", workers: 10, run: 5 * time.Minute, pause: tick, revocations: revoked(time.Minute, 3*time.Minute), url: lagging},
		{name: "the same, with Policy.Settle", workers: 10, run: 5 * time.Minute, pause: tick, revocations: revoked(time.Minute, 3*time.Minute), url: lagging, settle: 8 * time.Second},
		{name: "an upload of 30 s", workers: 5, run: 5 * time.Minute, pause: tick, revocations: revoked(time.Minute, 3*time.Minute),
			url: func(worker, i int) string {
				switch {
				case worker == 0 && i%20 == 19:
					return a + "/bad"
				case worker == 1:
					return a + "/upload"
				}
				return a + "/good"
			}},
	}
}

// play runs a world with credentials as they are, or as they were.
func (w evidenceWorld) play(t *testing.T, asToday bool) *apiWorld {
	api := &apiWorld{rotate: w.rotate, once: w.once, used: make(map[string]bool), valid: make(map[string]bool), issued: make(map[string]time.Time)}
	synctest.Test(t, func(t *testing.T) {
		m, err := manager.New(manager.Config{Heartbeat: -1, Logger: quiet})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = m.Close() }()
		c := m.Manage("api", api, manager.Policy{Settle: w.settle})
		if api.rotate {
			if err := c.Install(t.Context(), manager.Token{RefreshToken: manager.NewSecret("r0")}); err != nil {
				t.Fatal(err)
			}
		}
		var source client.Source = c
		if asToday {
			source = today{c}
		}
		var clients []*http.Client
		for range max(w.transports, 1) {
			clients = append(clients, &http.Client{Transport: &client.Transport{Source: source, Base: api, MaxReplays: 3}})
		}
		start := time.Now()
		var workers sync.WaitGroup
		for id := range w.workers {
			workers.Go(func() {
				for i := 0; time.Since(start) < w.run; i++ {
					api.get(t, clients[id%len(clients)], w.url(id, i))
					time.Sleep(w.pause)
				}
			})
		}
		for _, at := range w.revocations {
			time.Sleep(time.Until(start.Add(at)))
			api.revoke()
		}
		workers.Wait()
	})
	return api
}

// No good request is lost because some other resource answers 401 to every token, and that
// costs no more renewals than it did.
func TestScenario25EvidenceByResource(t *testing.T) {
	for _, w := range worlds() {
		t.Run(w.name, func(t *testing.T) {
			now, before := w.play(t, false), w.play(t, true)
			t.Logf("%d requests: lost %d (before: %d), logins %d (before: %d), late %d (before: %d)", now.asked, now.lost, before.lost, now.logins, before.logins, now.late, before.late)
			if now.lost > w.most {
				t.Errorf("good requests lost: got %d, want %d at most; without evidence %d", now.lost, w.most, before.lost)
			}
			if now.late > before.late || w.settle > 0 && now.late > 0 {
				t.Errorf("requests lost at an endpoint that knows tokens late: got %d, without evidence %d", now.late, before.late)
			}
			if now.logins > before.logins*11/10+len(w.revocations)+2 {
				t.Errorf("logins: got %d, want about as many as the %d without evidence", now.logins, before.logins)
			}
		})
	}
}

// A server that rejects every token once and takes its successor: with a refresh token at stake
// there is at most one renewal a second, and a burst of twenty.
func TestEvidenceSpendsNoRefreshTokensWithoutEnd(t *testing.T) {
	w := evidenceWorld{workers: 5, run: 2 * time.Minute, pause: 20 * time.Millisecond, rotate: true, once: true}
	w.url = func(worker, i int) string {
		if worker == 0 && i%50 == 49 {
			return "https://api.example.com/bad"
		}
		return fmt.Sprint("https://api.example.com/good/", worker)
	}
	w.revocations = nil
	if got := w.play(t, false); got.logins > 20+2*120 {
		t.Errorf("renewals in two minutes: got %d", got.logins)
	} else {
		t.Logf("%d requests, %d renewals, %d lost", got.asked, got.logins, got.lost)
	}
}

// A replay stays within its login: the request of somebody who has logged out meanwhile is not
// carried out as that of the one who logged in after.
func TestReplayStaysInItsLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := manager.New(manager.Config{Logger: quiet})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = m.Close() }()
		user := m.Manage("user", nil)
		login := func(token string) {
			if err := user.Install(t.Context(), manager.Token{AccessToken: manager.NewSecret(token)}); err != nil {
				t.Error(err)
			}
		}
		login("alice")
		var seen []string
		api := &http.Client{Transport: &client.Transport{Source: user, Base: baseFunc(func(r *http.Request) (*http.Response, error) {
			seen = append(seen, r.Header.Get("Authorization"))
			if len(seen) == 1 {
				if err := user.Forget(t.Context()); err != nil {
					t.Error(err)
				}
				login("bob")
			}
			code := http.StatusUnauthorized
			if r.Header.Get("Authorization") == "Bearer bob" {
				code = http.StatusOK
			}
			return &http.Response{StatusCode: code, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
		})}}
		resp, err := api.Post("https://api.example.com/delete-my-account", "text/plain", strings.NewReader("yes"))
		if err != nil || resp.StatusCode != http.StatusUnauthorized || len(seen) != 1 {
			t.Errorf("got %v, %v after %q, want the original 401", resp, err, seen)
		}
		if err := client.Reason(resp); !errors.Is(err, client.ErrOtherLogin) {
			t.Errorf("Reason: got %v, want ErrOtherLogin", err)
		}
	})
}

// What a 401 was given back for can be told apart.
func TestReason(t *testing.T) {
	denied := errors.New("the login endpoint says no")
	always := baseFunc(func(r *http.Request) (*http.Response, error) {
		if r.Body != nil {
			_, _ = io.Copy(io.Discard, r.Body)
			_ = r.Body.Close()
		}
		return &http.Response{StatusCode: http.StatusUnauthorized, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
	})
	for name, test := range map[string]struct {
		body io.Reader
		fail bool
		max  int
		want error
	}{
		"the renewal failed":   {nil, true, 0, denied},
		"fresh tokens as well": {nil, false, 3, manager.ErrStillRejected},
		"no replays wanted":    {nil, false, -1, client.ErrReplays},
		"the body is gone":     {io.MultiReader(strings.NewReader(strings.Repeat("x", 1<<20))), false, 0, client.ErrBody},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, err := manager.New(manager.Config{Logger: quiet})
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = m.Close() }()
				n := 0
				c := m.Manage("api", manager.RefresherFunc(func(context.Context, string, manager.Token) (manager.Token, error) {
					if n++; n > 1 && test.fail {
						return manager.Token{}, denied
					}
					return manager.Token{AccessToken: manager.NewSecret(fmt.Sprint("t", n))}, nil
				}))
				api := &http.Client{Transport: &client.Transport{Source: c, Base: always, MaxReplays: test.max, ReplayBuffer: -1}}
				resp, err := api.Post("https://api.example.com/x", "text/plain", test.body)
				if err != nil || resp.StatusCode != http.StatusUnauthorized {
					t.Fatalf("got %v, %v, want the 401", resp, err)
				}
				if got := client.Reason(resp); !errors.Is(got, test.want) {
					t.Errorf("Reason: got %v, want %v", got, test.want)
				}
			})
		})
	}
}
