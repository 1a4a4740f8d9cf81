//go:build unix

package trouble

import (
	"testing"
	"time"

	"example.com/tokenactor/internal/enginetest"
	"example.com/tokenactor/manager"
)

// patience is how long the tests wait for what must happen.
const patience = time.Minute

const (
	hour      = time.Hour
	longLease = time.Minute
)

// An Engine is what a store is tried with. Each test starts one of its own.
type Engine struct {
	// Start starts the engine, and gives its processes, all of which are stopped and
	// killed together, and how to reach it.
	Start func(testing.TB) Instance
}

// An Instance is an engine that runs.
type Instance struct {
	Processes []*enginetest.Process

	// Open gives a store with a client of its own, as another process would have, all
	// of whose connections go through wire, and whose leases live for lease. It ends
	// with the test.
	Open func(tb testing.TB, wire *Wire, lease time.Duration) manager.Store

	// Holder gives who holds the lease for a name; "": nobody.
	Holder func(tb testing.TB, name string) string
}

func (i Instance) each(f func(*enginetest.Process)) {
	for _, p := range i.Processes {
		f(p)
	}
}

// Run runs all tests, side by side.
func Run(t *testing.T, e Engine) {
	for name, test := range map[string]func(*testing.T, Engine){
		"Scenario14OneRefreshInAll": oneRefreshInAll,
		"Scenario15LateWrite":       lateWrite,
		"Away":                      away,
		"Return":                    thunderingReturn,
		"RoundTrips":                roundTrips,
		"Adoption":                  adoption,
		"CloseWhileWaiting":         closeWhileWaiting,
		"TwoStores":                 twoStores,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, e)
		})
	}
}
