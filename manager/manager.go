package manager

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
)

// A Manager keeps any number of credentials fresh. All its methods may be called
// from any goroutine.
type Manager struct {
	actor *actor
	world world

	mu       sync.Mutex
	settings map[settingsKey]*settings
}

// settingsKey is what credentials share settings by.
type settingsKey struct {
	policy Policy
	group  string
	asker  uint64
	asks   uint64
	reader bool
	revoke bool
}

// New starts a Manager. It neither loads nor saves anything; a Store that is a
// Watcher is listened to from now on. Close the Manager before the Store.
func New(config Config) (*Manager, error) {
	if config.Store == nil && config.Locker != nil {
		return nil, errors.New("manager: New: a Config with a Locker needs a Store: a lease alone keeps no state")
	}
	m := &Manager{settings: make(map[settingsKey]*settings)}
	if _, err := rand.Read(m.world.owner[:]); err != nil {
		return nil, fmt.Errorf("manager: no random numbers: %w", err)
	}
	m.world.saveLimit = config.saveLimit()
	m.world.durable = config.Store != nil
	m.world.leased = config.locker() != nil
	_, watched := config.Store.(Watcher)
	m.world.silent = config.Store != nil && !watched
	m.actor = newActor(config)
	m.actor.start()
	if w, ok := config.Store.(Watcher); ok {
		m.actor.wg.Go(func() { m.watch(w) })
	}
	return m, nil
}

// Manage returns the credential of that name, and makes it if there is none. It
// does no I/O: the credential comes to life at its first use. Refresher and
// policy of a name that is managed already stay as they are. Without a policy
// Config.Policy applies. After Close the calls of a new credential answer
// ErrClosed.
//
// A nil Refresher makes a reader: this process takes what Install and the store bring,
// sends nothing and, but for Install and Forget, writes nothing. Once the token has expired it looks into the
// store, and its callers get what is there, or ErrNoRefresher. So a dashboard or a login tool may
// stand beside a fleet.
//
// While there is no usable token and none to be had, callers get the error at once, as a
// web page wants it. A job that would rather wait out an outage, such as a crawl, sets
// Policy.Patience.
//
// Manage panics on an empty name and on more than one policy.
func (m *Manager) Manage(name string, r Refresher, policy ...Policy) *Credential {
	if name == "" {
		panic("manager: Manage: the name of a credential must not be empty")
	}
	if len(policy) > 1 {
		panic("manager: Manage: more than one Policy for " + name)
	}
	if c := m.actor.registry.lookup(name); c != nil {
		return c
	}
	key := settingsKey{policy: m.actor.config.Policy}
	if len(policy) == 1 {
		key.policy = policy[0]
	}
	key.group = key.policy.Group
	if g, ok := r.(Grouper); ok && key.group == "" {
		key.group = g.Group()
	}
	_, key.revoke = r.(Revoker)
	if a, ok := r.(Asker); ok {
		key.asker, key.asks = a.TokenRequest().hashes()
	}
	if key.reader = r == nil; !key.reader {
		r = veil(r)
	}

	set := m.share(key)
	return m.actor.registry.get(name, func() *Credential {
		return &Credential{refresher: r, machine: newMachine(strings.Clone(name), set)}
	})
}

// share gives the settings of all credentials that have that key.
func (m *Manager) share(key settingsKey) *settings {
	m.mu.Lock()
	defer m.mu.Unlock()
	set := m.settings[key]
	if set == nil {
		set = &settings{world: &m.world, policy: key.policy, group: key.group, asker: key.asker, asks: key.asks, reader: key.reader, revoke: key.revoke, actor: m.actor}
		m.settings[key] = set
	}
	return set
}

// Format prints no more than what it is, for every verb; the state belongs to the
// actor (see Stats).
func (m *Manager) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "manager") }

// Stats counts what has happened so far and what is going on.
func (m *Manager) Stats() Stats { return m.actor.stats.snapshot() }

// Close is Shutdown with the time that a refresh, the save of its answer and a last
// try may take: Policy.Limit of Config.Policy + 2 Config.SaveLimit, 50 s by default.
func (m *Manager) Close() error {
	config := &m.actor.config
	save := positive(config.saveLimit(), maxSave)
	limit := sum(config.Policy.limit(), save, save)
	ctx, cancel := m.actor.clock.WithTimeout(context.Background(), limit)
	defer cancel()
	return m.Shutdown(ctx)
}

// Shutdown ends the Manager. Callers get ErrClosed at once. Refreshes that
// spend a refresh token are finished and saved, as long as ctx allows; others
// are cancelled. The error joins a NameError for each credential with a token
// that could not be saved (ErrNotSaved) or whose Refresher did not return
// (ErrTimeLimit). Further calls wait for the same end and return the same error.
func (m *Manager) Shutdown(ctx context.Context) error {
	return m.actor.shutdown(ctx)
}

// veil hides a Refresher behind a pointer, unless it is one or a function: where a
// Credential is printed from an unexported field, fmt would show what a struct keeps
// to itself, such as a client secret.
func veil(r Refresher) Refresher {
	switch reflect.TypeOf(r).Kind() {
	case reflect.Pointer, reflect.Func:
		return r
	}
	return &veiled{r}
}

type veiled struct{ Refresher }
