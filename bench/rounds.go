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
	goroutines int // whose start and end is a part of each run; 0: that is not timed
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

// has reports whether the contender has a part in that metric.
func (r *row) has(metric string) bool {
	if len(r.samples) == 0 {
		return false
	}
	_, ok := r.samples[0].Values[metric]
	return ok
}

// values gives a metric by round.
func (r *row) values(metric string) []float64 {
	values := make([]float64, len(r.samples))
	for i, s := range r.samples {
		values[i] = s.Values[metric]
	}
	return values
}

// median is that of a metric.
func (r *row) median(metric string) float64 { return summarize(r.values(metric)).median }

// reference is the row that ratios are to, nil where no contender can or the scene
// has no ratios.
func (t *table) reference() *row {
	if t.scene.Ratio == "" {
		return nil
	}
	return t.first()
}

// first is the row of the first contender that can, nil where none can.
func (t *table) first() *row {
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

// A plan is what one table is measured with.
type plan struct {
	scene      scene.Scene
	contenders []contender.Contender
	callers    int
	count      int           // rounds
	duration   time.Duration // of one run
}

// measure runs the contenders in turn, count times: A B C A, A B C A. step is told
// of each run that has ended.
func measure(ctx context.Context, p plan, step func()) (t table, err error) {
	t = table{scene: p.scene, callers: p.callers, duration: p.duration, rows: make([]row, len(p.contenders))}
	stage, err := p.scene.Open(ctx, p.callers)
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
	for i, c := range p.contenders {
		t.rows[i].contender = c
	}
	var idle []float64
	for range p.count {
		for i := range t.rows {
			if err := t.run(ctx, stage, &t.rows[i]); err != nil {
				return table{}, err
			}
			step()
		}
		if first := t.first(); first != nil && p.again() {
			t.again.contender = first.contender
			if err := t.run(ctx, stage, &t.again); err != nil {
				return table{}, err
			}
		}
		step()
		idle = append(idle, float64(scene.Idle(t.goroutines)))
	}
	t.idle = time.Duration(summarize(idle).median)
	return t, nil
}

// steps is how often measure calls step.
func (p *plan) steps() int { return p.count * (len(p.contenders) + 1) }

// again reports whether the first contender is run twice in a round, which tells the
// noise. Where a run takes many seconds, it is not.
func (p *plan) again() bool {
	return p.scene.Ratio != "" && (p.scene.Once == 0 || p.callers < p.scene.Once) && p.scene.Rounds != 1
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
	sample, err := t.scene.Run(ctx, stage, r.contender, t.duration)
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
