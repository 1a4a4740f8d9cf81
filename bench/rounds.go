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
	scene    scene.Scene
	callers  int
	duration time.Duration
	rows     []row         // in the order of the contenders; ratios are to the first that can
	again    row           // the first that can, once more at the end of each round
	idle     time.Duration // what starting and ending the callers takes
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

// measure runs the contenders in turn, count times: A B C A, A B C A.
func measure(ctx context.Context, s scene.Scene, cs []contender.Contender, callers, count int, d time.Duration) (table, error) {
	t := table{scene: s, callers: callers, duration: d, rows: make([]row, len(cs))}
	for i, c := range cs {
		t.rows[i].contender = c
	}
	var idle []float64
	for range count {
		for i := range t.rows {
			if err := t.rows[i].run(ctx, s, callers, d); err != nil {
				return table{}, err
			}
		}
		if first := t.reference(); first != nil {
			t.again.contender = first.contender
			if err := t.again.run(ctx, s, callers, d); err != nil {
				return table{}, err
			}
		}
		idle = append(idle, float64(scene.Idle(callers)))
	}
	t.idle = time.Duration(summarize(idle).median)
	return t, nil
}

// run adds one sample, or the reason why there is none.
func (r *row) run(ctx context.Context, s scene.Scene, callers int, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	if r.cannot != "" {
		return nil
	}
	sample, err := s.Run(ctx, r.contender, callers, d)
	if reason, ok := errors.AsType[scene.Cannot](err); ok {
		r.cannot = string(reason)
		return nil
	}
	if err != nil {
		return fmt.Errorf("bench: scene %s, contender %s, %d callers: %w", s.Name, r.contender.Name, callers, err)
	}
	r.samples = append(r.samples, sample)
	return nil
}
