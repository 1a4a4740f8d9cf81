package main

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/tokenactor/bench/contender"
	"example.com/tokenactor/bench/number"
	"example.com/tokenactor/bench/scene"
)

// options are the command line, understood.
type options struct {
	scenes     []scene.Scene
	contenders []contender.Contender
	callers    []int         // nil: each scene's own
	duration   time.Duration // that of the shortest runs
	count      int           // rounds; 0: each scene's own
	quick      bool
	json       string // a file; "": none
	report     string // a file; "": none
	svg        string // a folder; "": none
	command    string // what was typed
	check      bool
}

// Rounds, where a scene does not say otherwise.
const usualRounds, quickRounds = 5, 2

// plans gives what is measured, in order.
func (o *options) plans() []plan {
	var plans []plan
	for _, s := range o.scenes {
		for _, callers := range o.loads(s) {
			plans = append(plans, plan{s, o.contenders, callers, o.rounds(s, callers), o.duration * time.Duration(s.Longer)})
		}
	}
	return plans
}

// loads gives the numbers of callers that s is run with.
func (o *options) loads(s scene.Scene) []int {
	switch {
	case o.callers != nil:
		return o.callers
	case o.quick:
		return s.Quick
	}
	return s.Callers
}

// rounds gives how many rounds s is run with so many callers.
func (o *options) rounds(s scene.Scene, callers int) int {
	switch {
	case o.count > 0:
		return o.count
	case s.Once > 0 && callers >= s.Once, o.quick && s.Rounds > 0:
		return 1
	case o.quick:
		return quickRounds
	case s.Rounds > 0:
		return s.Rounds
	}
	return usualRounds
}

// raw are the flags as given.
type raw struct {
	options
	sceneList, contenderList, callerList string
}

func flags(r *raw) *flag.FlagSet {
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // one line says what is wrong
	fs.StringVar(&r.sceneList, "scene", "", "run these scenes, comma separated (default all)")
	fs.StringVar(&r.contenderList, "contender", "", "run these contenders, comma separated (default all)")
	fs.StringVar(&r.callerList, "callers", "", "run with these numbers of callers, or what the scene counts in their place, comma separated (default each scene's own)")
	fs.DurationVar(&r.duration, "duration", 0, "how long one run of one contender lasts (default 20ms, 10ms with -quick; some scenes: several times as long, or as long as it takes)")
	fs.IntVar(&r.count, "count", 0, "rounds, in each of which every contender runs once (default 5, 2 with -quick; slow scenes: less)")
	fs.BoolVar(&r.quick, "quick", false, "shorter and fewer runs, in less than half a minute: a first look")
	fs.StringVar(&r.json, "json", "", "write the results to this file (a relative path starts at the folder bench)")
	fs.StringVar(&r.report, "report", "report.html", "write the page to this file; '' writes none")
	fs.StringVar(&r.svg, "svg", "", "write the page's charts into this folder, as SVG")
	fs.BoolVar(&r.check, "check", false, "exit with status 1 when a promise is missed or was not measured; with -quick those that are counts, not times")
	return fs
}

// parse understands the arguments. Its errors are one line each.
func parse(args []string) (options, error) {
	var r raw
	fs := flags(&r)
	if err := fs.Parse(args); err != nil {
		if err == flag.ErrHelp {
			return options{}, err
		}
		return options{}, fmt.Errorf("bench: %w; -help lists the flags", err)
	}
	if fs.NArg() > 0 {
		return options{}, fmt.Errorf("bench: unexpected argument %q; -help lists the flags", fs.Arg(0))
	}
	if r.duration < 0 || r.count < 0 {
		return options{}, fmt.Errorf("bench: -duration and -count must not be negative")
	}
	usual := 20 * time.Millisecond
	if r.quick {
		usual = 10 * time.Millisecond
	}
	r.duration = cmp.Or(r.duration, usual)
	var err error
	if r.scenes, err = pick("scene", r.sceneList, scene.All, sceneName); err != nil {
		return options{}, err
	}
	if r.contenders, err = pick("contender", r.contenderList, contender.All, contenderName); err != nil {
		return options{}, err
	}
	if r.callers, err = numbers(r.callerList); err != nil {
		return options{}, err
	}
	for _, s := range r.scenes {
		for _, n := range r.callers {
			if n < s.Least {
				return options{}, fmt.Errorf("bench: -callers: the scene %s takes %s or more, not %d", s.Name, number.Plural(s.Least, s.Noun), n)
			}
		}
	}
	r.command = commandLine(args)
	return r.options, nil
}

func sceneName(s scene.Scene) string             { return s.Name }
func contenderName(c contender.Contender) string { return c.Name }

// pick gives those of all that list names, in the order of all; "" names all.
func pick[T any](what, list string, all []T, name func(T) string) ([]T, error) {
	if list == "" {
		return all, nil
	}
	wanted := make(map[string]bool)
	for n := range strings.SplitSeq(list, ",") {
		wanted[n] = true
	}
	var picked []T
	var known []string
	for _, t := range all {
		known = append(known, name(t))
		if wanted[name(t)] {
			picked = append(picked, t)
			delete(wanted, name(t))
		}
	}
	for n := range strings.SplitSeq(list, ",") {
		if wanted[n] {
			return nil, fmt.Errorf("bench: no %s %q; known: %s", what, n, strings.Join(known, ", "))
		}
	}
	return picked, nil
}

func numbers(list string) ([]int, error) {
	if list == "" {
		return nil, nil
	}
	var ns []int
	for s := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(s)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("bench: -callers: %q is not a number of callers", s)
		}
		if !slices.Contains(ns, n) {
			ns = append(ns, n)
		}
	}
	return ns, nil
}

// usage writes what -help shows.
func usage(w io.Writer) {
	fmt.Fprintln(w, "Bench compares ways to keep tokens fresh: go -C bench run . [flags]")
	fmt.Fprintln(w, "\nFlags:")
	fs := flags(new(raw))
	fs.SetOutput(w)
	fs.PrintDefaults()
	fmt.Fprintln(w, "\nScenes:")
	for _, s := range scene.All {
		fmt.Fprintf(w, "  %-22s %s\n", s.Name, s.About)
	}
	fmt.Fprintln(w, "\nContenders:")
	for _, c := range contender.All {
		fmt.Fprintf(w, "  %-22s %s\n", c.Name, c.About)
	}
}
