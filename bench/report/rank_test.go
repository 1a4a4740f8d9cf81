package report

import (
	"fmt"
	"slices"
	"testing"
)

func TestRank(t *testing.T) {
	missing := Row{Contender: "missing", Cells: []Cell{{}}}
	l := Load{Rows: []Row{row("c", 3), row("b1", 2), yardstick(row("y", 2)), row("b2", 2), row("a", 1), missing, {Contender: "unable", Cannot: "no"}}}
	for _, c := range []struct {
		more bool
		want []string
	}{
		{false, []string{"1 a", "2= b1", "– y", "2= b2", "4 c"}},
		{true, []string{"1 c", "2= b1", "– y", "2= b2", "4 a"}},
	} {
		var got []string
		for _, p := range l.rank(Metric{More: c.more}, 0) {
			got = append(got, p.label()+" "+p.Contender)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("more %v: %q, want %q", c.more, got, c.want)
		}
	}
}

// A place is that among the competitors, and it is said by how much it is lost.
func TestStanding(t *testing.T) {
	for name, c := range map[string]struct {
		ours, other float64
		more        bool
		noise       []Stat
		verdict     string
		behind      bool
		place       string
	}{
		"ahead":                   {ours: 2, other: 90, verdict: "45 × ahead", place: "1 of 2"},
		"behind":                  {ours: 3, other: 2, verdict: "1.50 × behind", behind: true, place: "2 of 2"},
		"ahead, more is better":   {ours: 90, other: 2, more: true, verdict: "45 × ahead", place: "1 of 2"},
		"behind, more is better":  {ours: 2, other: 3, more: true, verdict: "1.50 × behind", behind: true, place: "2 of 2"},
		"level":                   {ours: 2, other: 2, verdict: "level", place: "1= of 2"},
		"both zero":               {verdict: "level", place: "1= of 2"},
		"zero against some":       {other: 7, verdict: "ahead", place: "1 of 2"},
		"some against zero":       {ours: 7, verdict: "behind", behind: true, place: "2 of 2"},
		"zero where more is good": {other: 7, more: true, verdict: "behind", behind: true, place: "2 of 2"},
		"some where more is good": {ours: 7, more: true, verdict: "ahead", place: "1 of 2"},
		"within the noise":        {ours: 21, other: 20, noise: []Stat{{1, 0.9, 1, 5}}, verdict: "level: the difference is within the noise", place: "2 of 2"},
		"beyond the noise":        {ours: 30, other: 20, noise: []Stat{{1, 0.9, 1, 5}}, verdict: "1.50 × behind", behind: true, place: "2 of 2"},
		"noise that says nothing": {ours: 30, other: 20, noise: []Stat{{0, 0, 0, 5}}, verdict: "1.50 × behind", behind: true, place: "2 of 2"},
	} {
		t.Run(name, func(t *testing.T) {
			l := Load{Title: "1 caller", Reference: Ours, Noise: c.noise, Rows: []Row{
				{Contender: Ours, Cells: []Cell{{same(c.ours), same(1)}}},
				{Contender: "other", Cells: []Cell{{same(c.other), same(c.other / c.ours)}}},
				yardstick(row("limit", 0.1)),
			}}
			got, ok := l.standing(Metric{Name: "ns/op", Unit: "ns", More: c.more}, 0)
			if !ok || got.Verdict != c.verdict || got.Behind != c.behind || got.Place != c.place || got.BestName != "other" {
				t.Errorf("got %+v, %v; want %+v", got, ok, c)
			}
		})
	}
}

// The ratio that is told is the one from inside the rounds.
func TestStandingTakesRatiosOfRounds(t *testing.T) {
	l := Load{Reference: Ours, Rows: []Row{row(Ours, 2), {Contender: "other", Cells: []Cell{{same(90), same(50)}}}}}
	if got, _ := l.standing(Metric{}, 0); got.Verdict != "50 × ahead" {
		t.Errorf("got %q, want 50 × ahead", got.Verdict)
	}
	l.Reference = "other"
	if got, _ := l.standing(Metric{}, 0); got.Verdict != "45 × ahead" {
		t.Errorf("another is the reference: got %q, want 45 × ahead, of the medians", got.Verdict)
	}
}

// Every number in which another is better is told, not that of the first metric only.
func TestBehindIsTold(t *testing.T) {
	var got []string
	for _, st := range newView(new(sample())).Behind {
		got = append(got, fmt.Sprint(st.Scene, " ", st.Load, " ", st.Metric, " ", st.BestName))
	}
	want := []string{"read 1 caller ns/op nothing", "read 1,000 callers ns/op contender-0", "persist 1 record load_s (s) a-contender-whose-name-is-longer-than-the-room"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
