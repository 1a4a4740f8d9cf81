package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"example.com/tokenactor/bench/contender"
	"example.com/tokenactor/bench/scene"
)

// fakeScene gives values of its own instead of measuring.
func fakeScene(run func(name string) (float64, error)) scene.Scene {
	return scene.Scene{
		Name:    "fake",
		Metrics: []scene.Metric{{Name: "ns/op", Unit: "ns"}},
		Ratio:   "ns/op",
		Noun:    "caller",
		Open: func(context.Context, int) (*scene.Stage, error) {
			return &scene.Stage{Goroutines: 1, Run: func(_ context.Context, c contender.Contender, _ time.Duration) (scene.Sample, error) {
				v, err := run(c.Name)
				return scene.Sample{Values: map[string]float64{"ns/op": v}}, err
			}}, nil
		},
	}
}

// planned is the plan of a fake scene.
func planned(s scene.Scene, contenders string, callers, count int) plan {
	return plan{scene: s, contenders: named(contenders), callers: callers, count: count}
}

func still() {}

func named(names string) []contender.Contender {
	var cs []contender.Contender
	for n := range strings.FieldsSeq(names) {
		cs = append(cs, contender.Contender{Name: n})
	}
	return cs
}

func TestContendersTakeTurns(t *testing.T) {
	var order strings.Builder
	s := fakeScene(func(name string) (float64, error) {
		order.WriteString(name)
		return float64(order.Len()), nil
	})
	got, err := measure(t.Context(), planned(s, "A B C", 1, 2), still)
	if err != nil {
		t.Fatal(err)
	}
	if want := "ABCAABCA"; order.String() != want {
		t.Errorf("contenders ran in the order %s, want %s", order.String(), want)
	}
	if b := got.row("B").values("ns/op"); len(b) != 2 || b[0] != 2 || b[1] != 6 {
		t.Errorf("the rounds of B are %v, want [2 6]", b)
	}
	if again := got.again.values("ns/op"); len(again) != 2 || again[0] != 4 || again[1] != 8 {
		t.Errorf("the second runs of A are %v, want [4 8]", again)
	}
}

func TestCannotIsAskedOnceAndShown(t *testing.T) {
	asked := 0
	s := fakeScene(func(name string) (float64, error) {
		if name == "A" {
			asked++
			return 0, scene.Cannot("it has no wheels")
		}
		return 3, nil
	})
	got, err := measure(t.Context(), planned(s, "A B", 1, 3), still)
	if err != nil {
		t.Fatal(err)
	}
	if asked != 1 {
		t.Errorf("a contender that cannot was run %d times, want 1", asked)
	}
	if ref := got.reference(); ref == nil || ref.contender.Name != "B" {
		t.Errorf("ratios are to %v, want B", ref)
	}
	var shown strings.Builder
	writeTable(&shown, got)
	if want := "cannot: A – it has no wheels"; !strings.Contains(shown.String(), want) {
		t.Errorf("the table does not show %q:\n%s", want, shown.String())
	}
	list := results([]table{got})
	if len(list) != 2 || list[0].Cannot != "it has no wheels" || list[0].Contender != "A" || list[1].Value != 3 {
		t.Errorf("the results are %+v, want why A cannot, and the 3 of B", list)
	}
	if kept := measured(list); len(kept) != 1 || kept[0].Contender != "B" {
		t.Errorf("the file would have %+v, want B alone", kept)
	}
}

func TestTableWhereNobodyCan(t *testing.T) {
	s := fakeScene(func(string) (float64, error) { return 0, scene.Cannot("too steep") })
	got, err := measure(t.Context(), planned(s, "A", 1, 1), still)
	if err != nil {
		t.Fatal(err)
	}
	var shown strings.Builder
	writeTable(&shown, got)
	if !strings.Contains(shown.String(), "cannot: A – too steep") {
		t.Errorf("the table does not show why:\n%s", shown.String())
	}
}

func TestFailureNamesItsRun(t *testing.T) {
	broken := errors.New("broken")
	s := fakeScene(func(string) (float64, error) { return 0, broken })
	_, err := measure(t.Context(), planned(s, "A", 7, 1), still)
	if want := "bench: scene fake, 7 callers: contender A: broken"; !errors.Is(err, broken) || err.Error() != want {
		t.Errorf("the error is %v, want %q", err, want)
	}
}

func TestInterruptEndsTheRounds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	runs := 0
	s := fakeScene(func(string) (float64, error) { runs++; cancel(); return 1, nil })
	if _, err := measure(ctx, planned(s, "A B", 1, 5), still); !errors.Is(err, context.Canceled) || runs != 1 {
		t.Errorf("after an interrupt: %d runs, error %v, want 1 and context.Canceled", runs, err)
	}
}

func TestStageIsSharedAndClosed(t *testing.T) {
	opened, closed := 0, 0
	s := fakeScene(func(string) (float64, error) { return 1, nil })
	open := s.Open
	s.Open = func(ctx context.Context, callers int) (*scene.Stage, error) {
		opened++
		stage, err := open(ctx, callers)
		stage.Close = func() error { closed++; return errors.New("stuck") }
		return stage, err
	}
	got, err := measure(t.Context(), planned(s, "A B", 2, 3), still)
	if want := "bench: scene fake, 2 callers: stuck"; err == nil || err.Error() != want {
		t.Errorf("the error is %v, want %q", err, want)
	}
	if opened != 1 || closed != 1 {
		t.Errorf("the stage was opened %d times and closed %d times, want once", opened, closed)
	}
	if got.callers != 2 {
		t.Errorf("the table is of %d callers, want 2", got.callers)
	}
}

func TestStageThatCannotBeOpened(t *testing.T) {
	broken := errors.New("broken")
	s := scene.Scene{Name: "fake", Noun: "worker", Open: func(context.Context, int) (*scene.Stage, error) { return nil, broken }}
	_, err := measure(t.Context(), planned(s, "A", 1, 1), still)
	if want := "bench: scene fake, 1 worker: broken"; !errors.Is(err, broken) || err.Error() != want {
		t.Errorf("the error is %v, want %q", err, want)
	}
}
