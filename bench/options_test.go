package main

import (
	"fmt"
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
		reads    []int // the numbers of callers of the scene read
		rounds   int   // of the scene read with one caller
		slow     int   // of the scene stall
		million  int   // of the scene keys with a million
	}{
		{"", 20 * time.Millisecond, scene.Read.Callers, 5, 2, 1},
		{"-quick", 10 * time.Millisecond, scene.Read.Quick, 2, 1, 1},
		{"-quick -count 9", 10 * time.Millisecond, scene.Read.Quick, 9, 9, 9},
		{"-duration 1s -quick", time.Second, scene.Read.Quick, 2, 1, 1},
		{"-callers 5,1,5", 20 * time.Millisecond, []int{5, 1}, 5, 2, 1},
		{"-callers 5 -quick", 10 * time.Millisecond, []int{5}, 2, 1, 1},
	} {
		o, err := parse(strings.Fields(test.args))
		if err != nil {
			t.Errorf("parse(%q): %v", test.args, err)
			continue
		}
		reads, rounds, slow, million := o.loads(scene.Read), o.rounds(scene.Read, 1), o.rounds(scene.Stall, 200), o.rounds(scene.Keys, 1_000_000)
		if o.duration != test.duration || !slices.Equal(reads, test.reads) || rounds != test.rounds || slow != test.slow || million != test.million {
			t.Errorf("parse(%q) = %v, %v, %d, %d, %d, want %+v", test.args, o.duration, reads, rounds, slow, million, test)
		}
		if len(o.scenes) != len(scene.All) || len(o.contenders) != len(contender.All) {
			t.Errorf("parse(%q) picks %d scenes and %d contenders, want all", test.args, len(o.scenes), len(o.contenders))
		}
	}
}

// Each number of callers of each scene is a plan of its own.
func TestPlans(t *testing.T) {
	o, err := parse(strings.Fields("-scene roundtrip,stall -callers 1,2 -duration 2ms -contender aws"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range o.plans() {
		got = append(got, fmt.Sprint(p.scene.Name, p.callers, p.duration, p.count, p.steps()))
	}
	if want := []string{"roundtrip1 2ms 4 8", "roundtrip2 2ms 4 8", "stall1 30ms 2 4", "stall2 30ms 2 4"}; !slices.Equal(got, want) {
		t.Errorf("the plans are %q, want %q", got, want)
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
		"-scene reed":           `bench: no scene "reed"; known: read, roundtrip, roundtrip-1500, crawl, stall, outage, storm, late, cancel, keys, persist, simulate`,
		"-scene read,":          `bench: no scene ""; known: read, roundtrip, roundtrip-1500, crawl, stall, outage, storm, late, cancel, keys, persist, simulate`,
		"-contender aws,azure":  `bench: no contender "azure"; known: tokenactor, tokenactor-unjittered, oauth2, oauth2-401, google, google-blocking, aws, smithy, smithy-async, azcore, gophercloud, rwmutex, channel, bbolt, bbolt-tuned, authorize, limit, harness`,
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
