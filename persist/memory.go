package persist

import (
	"context"
	"sync"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist/record"
)

// Memory is a Store that lasts as long as the process: for tests, and for
// several Managers that share credentials. The zero value is empty and ready;
// do not copy it after its first use.
type Memory struct {
	mu sync.RWMutex
	// Records rather than snapshots: what comes out went through the same
	// form as in every other store, and shares no map with the caller.
	records map[string][]byte
}

var _ manager.Store = (*Memory)(nil)

// Load returns the snapshots of names.
func (m *Memory) Load(ctx context.Context, names []string) ([]manager.Snapshot, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	snapshots := make([]manager.Snapshot, len(names))
	var bad damages
	for i, name := range names {
		err := checkName(name)
		if stored := m.records[name]; stored != nil {
			snapshots[i], err = record.Decode(stored)
		}
		if err != nil {
			bad.add(name, err)
		}
	}
	return snapshots, bad.join(nil)
}

// Scan calls f with every snapshot. Writes wait until it is done.
func (m *Memory) Scan(ctx context.Context, f func(name string, s manager.Snapshot) error) error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for name, stored := range m.records {
		if err := ctx.Err(); err != nil {
			return err
		}
		s, err := record.Decode(stored)
		if err != nil {
			return err
		}
		if err := f(name, s); err != nil {
			return err
		}
	}
	return nil
}

// Save carries out writes in their order.
func (m *Memory) Save(ctx context.Context, writes []manager.Write) []error {
	errs := make([]error, len(writes))
	if err := ctx.Err(); err != nil {
		return fill(errs, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.records == nil {
		m.records = make(map[string][]byte)
	}
	for i := range writes {
		w := &writes[i]
		var s manager.Snapshot
		if stored := m.records[w.Name]; stored != nil {
			s, errs[i] = record.Decode(stored)
		}
		if errs[i] == nil {
			errs[i] = admit(w, s.Revision)
		}
		if errs[i] == nil {
			m.records[w.Name] = record.Append(nil, w.Snapshot)
		}
	}
	return errs
}
