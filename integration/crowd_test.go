package integration

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"example.com/tokenactor/client"
	"example.com/tokenactor/manager"
	"example.com/tokenactor/oauth"
	"example.com/tokenactor/persist"
)

const (
	callers   = 100
	crowdLife = 5 * time.Second // of an access token, as the server is told
)

// A hundred callers use one login, whose refresh token works once and ends the login
// the second time. Twice the program ends and begins again from the file: once by
// Close, once cut off. No caller is ever refused, and at the end the login lives.
func TestCrowd(t *testing.T) {
	each(t, rotationCrowd, func(t *testing.T, k kind) {
		s := k.start(t, crowdLife)
		c := &crowd{server: s, wire: s.wire(t), path: filepath.Join(t.TempDir(), "tokens.db"), stopc: make(chan struct{})}
		c.begin(t)
		if err := c.user.Install(t.Context(), s.login(t, s.app, oauth.Options{})); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		var group sync.WaitGroup
		for id := range callers {
			group.Go(func() { c.call(t, id) })
		}
		time.Sleep(*crowdTime / 3)
		c.restart(t, (*keeper).Close)
		time.Sleep(*crowdTime / 3)
		c.restart(t, cutOff)
		time.Sleep(*crowdTime / 3)
		close(c.stopc)
		group.Wait()
		lasted := time.Since(began)

		token, err := c.user.Token(t.Context())
		if err != nil {
			t.Fatalf("the login is lost: %v", err)
		}
		refreshes := c.wire.refreshes()
		if _, err := c.user.Renew(t.Context(), token); err != nil {
			t.Fatalf("the login is lost: %v", err)
		}
		if status := get(t, c.api, s.userURL); status != http.StatusOK {
			t.Errorf("with the last token the API answers %d", status)
		}
		c.end(t, (*keeper).Close)
		c.judge(t, k, refreshes, lasted)
	})
}

// A crowd is callers who share what restarts under them.
type crowd struct {
	server *server
	wire   *wire
	path   string
	stopc  chan struct{} // closed when the callers should go

	mu     sync.Mutex
	db     *persist.DB
	keeper *keeper
	user   *manager.Credential
	api    *http.Client

	tokens, requests, failures int
}

// begin starts the program from the file.
func (c *crowd) begin(t *testing.T) {
	db, err := persist.Open(c.path, persist.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.db, c.keeper = db, newKeeper(t, manager.Config{Store: db})
	c.user = c.keeper.Manage("user", oauth.RefreshToken(c.server.app, oauth.Options{Client: c.wire.client()}))
	c.api = &http.Client{Transport: &client.Transport{Source: c.user, Base: c.wire, Rejected: c.server.rejected}}
}

func (c *crowd) end(t *testing.T, close func(*keeper) error) {
	if err := errors.Join(close(c.keeper), c.db.Close()); err != nil {
		t.Errorf("the end of the program: %v", err)
	}
}

// restart ends the program between two refreshes and begins it again: the callers
// get ErrClosed meanwhile, as they would from a program that is going down.
func (c *crowd) restart(t *testing.T, close func(*keeper) error) {
	c.keeper.wait(t, c.keeper.count(), manager.EventRefreshed)
	c.end(t, close)
	c.begin(t)
}

// cutOff ends a Manager that is given no time at all.
func cutOff(k *keeper) error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := k.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// call is one caller: a token every 20 ms, and one request to the API in 50.
func (c *crowd) call(t *testing.T, id int) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for n := id; ; n++ {
		select {
		case <-c.stopc:
			return
		case <-tick.C:
		}
		c.mu.Lock()
		user, api := c.user, c.api
		c.mu.Unlock()
		_, err := user.Token(t.Context())
		asked := n%50 == 0 && err == nil
		if asked {
			var resp *http.Response
			if resp, err = api.Get(c.server.userURL); err == nil {
				_ = resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					err = errors.New("the API answers " + resp.Status)
				}
				if user.Status().State == manager.StateClosed { // nobody was there to renew
					err = manager.ErrClosed
				}
			}
		}
		if errors.Is(err, manager.ErrClosed) {
			continue // going down; the next program is there soon
		}
		c.mu.Lock()
		c.tokens++
		if asked {
			c.requests++
		}
		if err != nil {
			c.failures++
		}
		first := err != nil && c.failures == 1
		c.mu.Unlock()
		if first {
			t.Errorf("a caller was refused: %v", err)
		}
	}
}

// judge compares the refreshes with the fewest that there can be, one for each life,
// and with the policy's own, one at the opening of each renewal window.
func (c *crowd) judge(t *testing.T, k kind, refreshes []call, lasted time.Duration) {
	life := crowdLife
	for _, r := range refreshes {
		if r.status != http.StatusOK {
			t.Errorf("a refresh was answered with %d", r.status)
		}
		life = min(life, r.life) // servers round down what they tell
	}
	unauthorized := len(c.wire.sent(func(r call) bool { return toAPI(r) && r.status != http.StatusOK }))
	window := life * 3 / 4
	t.Logf("%s: %d callers, %.0f s, tokens of %v (told %v): %d refreshes; one a life would be %d, one a renewal window %d; "+
		"%d tokens handed out, %d requests to the API, %d of them refused at first, %d callers refused",
		k.name, callers, lasted.Seconds(), crowdLife, life, len(refreshes), lasted/crowdLife, lasted/window,
		c.tokens, c.requests, unauthorized, c.failures)
	if c.failures > 0 {
		t.Errorf("%d callers were refused", c.failures)
	}
	// Jitter makes a renewal earlier by a tenth of the last quarter at most.
	if most := 1 + int(lasted/(window-life/40)) + unauthorized; len(refreshes) > most {
		t.Errorf("%d refreshes, want %d at most", len(refreshes), most)
	}
	if fewest := int(lasted / (2 * crowdLife)); len(refreshes) < fewest {
		t.Errorf("%d refreshes, want %d at least: the test shows nothing", len(refreshes), fewest)
	}
}
