package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/tokenactor/bench/contender"
	"example.com/tokenactor/bench/scene"
)

func TestParse(t *testing.T) {
	for _, test := range []struct {
		args     string
		duration time.Duration
		count    int
		callers  []int
	}{
		{"", 40 * time.Millisecond, 7, nil},
		{"-quick", 10 * time.Millisecond, 2, nil},
		{"-quick -count 9", 10 * time.Millisecond, 9, nil},
		{"-duration 1s -quick", time.Second, 2, nil},
		{"-callers 5,1,5", 40 * time.Millisecond, 7, []int{5, 1}},
		{"-scene roundtrip -callers 0", 40 * time.Millisecond, 7, []int{0}},
	} {
		o, err := parse(strings.Fields(test.args))
		if err != nil {
			t.Errorf("parse(%q): %v", test.args, err)
			continue
		}
		if o.duration != test.duration || o.count != test.count || !slices.Equal(o.callers, test.callers) {
			t.Errorf("parse(%q) = %v, %d, %v, want %v, %d, %v", test.args,
				o.duration, o.count, o.callers, test.duration, test.count, test.callers)
		}
		if all := !strings.Contains(test.args, "-scene"); all && len(o.scenes) != len(scene.All) || len(o.contenders) != len(contender.All) {
			t.Errorf("parse(%q) picks %d scenes and %d contenders, want all", test.args, len(o.scenes), len(o.contenders))
		}
	}
}

func TestPickKeepsTheOrderOfAll(t *testing.T) {
	o, err := parse([]string{"-scene", "read", "-contender", "limit,aws,limit"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range o.contenders {
		got = append(got, c.Name)
	}
	if want := []string{"aws", "limit"}; !slices.Equal(got, want) {
		t.Errorf("-contender limit,aws,limit picks %v, want %v", got, want)
	}
}

func TestArgumentsNotUnderstood(t *testing.T) {
	for args, want := range map[string]string{
		"-scene reed":           `bench: no scene "reed"; known: read, roundtrip, roundtrip-1500, crawl`,
		"-scene read,":          `bench: no scene ""; known: read, roundtrip, roundtrip-1500, crawl`,
		"-contender aws,azure":  `bench: no contender "azure"; known: tokenactor, oauth2, google, aws, rwmutex, channel, authorize, limit, harness`,
		"-callers 1,many":       `bench: -callers: "many" is not a number of callers`,
		"-callers -1":           `bench: -callers: "-1" is not a number of callers`,
		"-callers 0":            "bench: -callers: the scene read takes 1 caller or more, not 0",
		"-count -1":             "bench: -duration and -count must not be negative",
		"-duration -1s":         "bench: -duration and -count must not be negative",
		"-fast":                 "bench: flag provided but not defined: -fast; -help lists the flags",
		"read":                  `bench: unexpected argument "read"; -help lists the flags`,
		"-duration 10 -count 1": `bench: invalid value "10" for flag -duration: parse error; -help lists the flags`,
	} {
		var stdout, stderr strings.Builder
		status := run(t.Context(), strings.Fields(args), &stdout, &stderr)
		if got := stderr.String(); status != 2 || got != want+"\n" || stdout.Len() > 0 {
			t.Errorf("bench %s: status %d, stderr %q, stdout %q; want 2, %q and nothing", args, status, got, stdout.String(), want+"\n")
		}
	}
}

func TestHelpNamesAll(t *testing.T) {
	var stdout, stderr strings.Builder
	if status := run(t.Context(), []string{"-help"}, &stdout, &stderr); status != 0 || stderr.Len() > 0 {
		t.Errorf("bench -help: status %d, stderr %q, want 0 and nothing", status, stderr.String())
	}
	for _, c := range contender.All {
		if !strings.Contains(stdout.String(), c.About) {
			t.Errorf("-help does not show what %s is", c.Name)
		}
	}
	for _, s := range scene.All {
		if !strings.Contains(stdout.String(), s.About) {
			t.Errorf("-help does not show what the scene %s is", s.Name)
		}
	}
}
