//go:build unix

package trouble

import (
	"context"
	"errors"
	"io/fs"
	"testing"
	"time"

	"example.com/tokenactor/manager"
)

// Close of a Store ends a Lock that waits, and leaves the lease with who has it.
func closeWhileWaiting(t *testing.T, e Engine) {
	engine := e.Start(t)
	holder := engine.Open(t, new(Wire), longLease)
	waiting := engine.Open(t, new(Wire), longLease)
	l, err := locker(holder).Lock(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	who := engine.Holder(t, "a")
	donec := make(chan error, 1)
	go func() {
		_, err := locker(waiting).Lock(wait(t), "a")
		donec <- err
	}()
	select {
	case err := <-donec:
		t.Fatalf("Lock of a lease that is held: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	if err := waiting.(interface{ Close() error }).Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := <-donec; !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Lock when its Store was closed: %v, want fs.ErrClosed", err)
	}
	if now := engine.Holder(t, "a"); now != who {
		t.Errorf("the lease was with %q, and then with %q", who, now)
	}
	if err := l.Unlock(t.Context()); err != nil {
		t.Error(err)
	}
}

// Two Stores of one process are two holders: neither writes under the other's lease,
// and closing one does not end the leases of the other.
func twoStores(t *testing.T, e Engine) {
	engine := e.Start(t)
	one, two := engine.Open(t, new(Wire), longLease), engine.Open(t, new(Wire), longLease)
	l, err := locker(one).Lock(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := locker(two).Lock(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Lock of a lease that the other Store holds: %v", err)
	}
	w := manager.Write{Name: "a", Lease: l, Snapshot: manager.Snapshot{Login: 1, Revision: 1}}
	if err := two.Save(t.Context(), []manager.Write{w})[0]; err == nil {
		t.Error("a write under the lease of another Store was stored")
	}
	if err := two.(interface{ Close() error }).Close(); err != nil {
		t.Error(err)
	}
	if err := one.Save(t.Context(), []manager.Write{w})[0]; err != nil {
		t.Errorf("Save under its own lease, when the other Store was closed: %v", err)
	}
	if err := l.Unlock(t.Context()); err != nil {
		t.Error(err)
	}
}
