package manager

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// batchSize bounds what one call of the store is asked for.
const batchSize = 10_000

// A job is a load or save that the store is to be asked for.
type job[E effect] struct {
	of     *Credential
	effect E
	lease  Lease // of a fenced save
}

// A worker asks the store on a goroutine of its own: all that waits, at once.
type worker[E effect] struct {
	do    func([]job[E])
	wakec chan struct{} // holds one token while jobs wait

	mu   sync.Mutex // never held while the store is asked
	jobs []job[E]
}

func newWorker[E effect](do func([]job[E])) *worker[E] {
	return &worker[E]{do: do, wakec: make(chan struct{}, 1)}
}

// put leaves a job; it does not wait for the store.
func (w *worker[E]) put(j job[E]) {
	w.mu.Lock()
	w.jobs = append(w.jobs, j)
	w.mu.Unlock()
	select {
	case w.wakec <- struct{}{}:
	default:
	}
}

func (w *worker[E]) run(donec <-chan struct{}) {
	for {
		select {
		case <-w.wakec:
		case <-donec:
			return
		}
		w.mu.Lock()
		jobs := w.jobs
		w.jobs = nil
		w.mu.Unlock()
		for batch := range slices.Chunk(jobs, batchSize) {
			w.do(batch)
		}
	}
}

// loadAll loads what the jobs ask for and posts the answers.
func (a *actor) loadAll(jobs []job[load]) {
	names := make([]string, len(jobs))
	for i, j := range jobs {
		names[i] = j.of.machine.name
	}
	ctx, cancel := a.storeContext()
	snapshots, err := guarded(func() ([]Snapshot, error) { return a.config.Store.Load(ctx, names) })
	cancel()
	byName, rest := splitNames(overLimit(ctx, err))
	if rest == nil && len(snapshots) != len(names) {
		rest = fmt.Errorf("manager: the Store returned %d snapshots for %d names", len(snapshots), len(names))
	}
	for i, j := range jobs {
		answer := loaded{op: j.effect.op, err: rest}
		if rest == nil {
			if answer.err = byName[names[i]]; answer.err == nil {
				answer.snapshot = &snapshots[i]
				answer.snapshot.Token.prepare()
			}
		}
		a.post(envelope{j.of, answer, nil})
	}
}

// saveAll stores what the jobs ask for and posts the answers.
func (a *actor) saveAll(jobs []job[save]) {
	writes := make([]Write, len(jobs))
	for i, j := range jobs {
		writes[i] = Write{Name: j.of.machine.name, Expect: j.effect.expect, Snapshot: *j.effect.snapshot, Lease: j.lease}
	}
	ctx, cancel := a.storeContext()
	errs, err := guarded(func() ([]error, error) { return a.config.Store.Save(ctx, writes), nil })
	cancel()
	if err == nil && len(errs) != len(writes) {
		err = fmt.Errorf("manager: the Store returned %d errors for %d writes", len(errs), len(writes))
	}
	for i, j := range jobs {
		answer := saved{j.effect.op, err}
		if err == nil {
			answer.err = overLimit(ctx, errs[i])
		}
		a.post(envelope{j.of, answer, nil})
	}
}

// storeContext bounds one call of the store by Config.SaveLimit.
func (a *actor) storeContext() (context.Context, context.CancelFunc) {
	if limit := a.config.saveLimit(); limit > 0 {
		return a.clock.WithTimeout(context.Background(), limit)
	}
	return context.WithCancel(context.Background())
}

// overLimit says that the store's context ended. Callers take a bare
// DeadlineExceeded for the end of their own.
func overLimit(ctx context.Context, err error) error {
	if ctx.Err() == context.DeadlineExceeded && errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %v", errSaveLimit, err)
	}
	return err
}

// splitNames takes the NameErrors out of a Store's error.
func splitNames(err error) (byName map[string]error, rest error) {
	byName = make(map[string]error)
	var walk func(error)
	walk = func(err error) {
		switch e := err.(type) {
		case nil:
		case *NameError:
			byName[e.Name] = e
		case interface{ Unwrap() []error }:
			for _, part := range e.Unwrap() {
				walk(part)
			}
		default:
			rest = errors.Join(rest, err)
		}
	}
	walk(err)
	return byName, rest
}
