package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/tokenactor/bench/contender"
	"example.com/tokenactor/bench/scene"
)

// A table is what all contenders did in one scene with one number of callers.
type table struct {
	scene      scene.Scene
	callers    int
	goroutines int
	duration   time.Duration
	rows       []row         // in the order of the contenders; ratios are to the first that can
	again      row           // the first that can, once more at the end of each round
	idle       time.Duration // what starting and ending the goroutines takes
}

// A row is what one contender did.
type row struct {
	contender contender.Contender
	samples   []scene.Sample // one for each round
	cannot    string         // the reason; "": it can
}

// values gives a metric by round.
func (r *row) values(metric string) []float64 {
	values := make([]float64, len(r.samples))
	for i, s := range r.samples {
		values[i] = s[metric]
	}
	return values
}

// reference is the row that ratios are to, nil where no contender can.
func (t *table) reference() *row {
	for i := range t.rows {
		if t.rows[i].cannot == "" {
			return &t.rows[i]
		}
	}
	return nil
}

// row gives the row of that name, nil where it was not measured.
func (t *table) row(name string) *row {
	for i := range t.rows {
		if t.rows[i].contender.Name == name && t.rows[i].cannot == "" {
			return &t.rows[i]
		}
	}
	return nil
}

// measure runs the contenders in turn, count times: A B C A, A B C A. A run lasts
// d, or longer where the scene says so.
func measure(ctx context.Context, s scene.Scene, cs []contender.Contender, callers, count int, d time.Duration) (t table, err error) {
	t = table{scene: s, callers: callers, duration: d * time.Duration(max(1, s.Longer)), rows: make([]row, len(cs))}
	stage, err := s.Open(ctx, callers)
	if err != nil {
		return table{}, t.failure(err)
	}
	if stage.Close != nil {
		defer func() {
			if failed := stage.Close(); failed != nil {
				err = errors.Join(err, t.failure(failed))
			}
		}()
	}
	t.goroutines = stage.Goroutines
	for i, c := range cs {
		t.rows[i].contender = c
	}
	var idle []float64
	for range count {
		for i := range t.rows {
			if err := t.run(ctx, stage, &t.rows[i]); err != nil {
				return table{}, err
			}
		}
		if first := t.reference(); first != nil {
			t.again.contender = first.contender
			if err := t.run(ctx, stage, &t.again); err != nil {
				return table{}, err
			}
		}
		idle = append(idle, float64(scene.Idle(t.goroutines)))
	}
	t.idle = time.Duration(summarize(idle).median)
	return t, nil
}

func (t *table) failure(err error) error { return fmt.Errorf("bench: scene %s: %w", t.title(), err) }

// run adds one sample to r, or the reason why there is none.
func (t *table) run(ctx context.Context, stage *scene.Stage, r *row) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	if r.cannot != "" {
		return nil
	}
	sample, err := stage.Run(ctx, r.contender, t.duration)
	if reason, ok := errors.AsType[scene.Cannot](err); ok {
		r.cannot = string(reason)
		return nil
	}
	if err != nil {
		return t.failure(fmt.Errorf("contender %s: %w", r.contender.Name, err))
	}
	r.samples = append(r.samples, sample)
	return nil
}
