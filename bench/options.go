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
	"example.com/tokenactor/bench/scene"
)

// options are the command line, understood.
type options struct {
	scenes     []scene.Scene
	contenders []contender.Contender
	callers    []int // nil: each scene's own
	duration   time.Duration
	count      int
	json       string // a file; "": none
	check      bool
}

// loads gives the numbers of callers that s is run with.
func (o *options) loads(s scene.Scene) []int {
	if o.callers != nil {
		return o.callers
	}
	return s.Callers
}

// raw are the flags as given.
type raw struct {
	options
	sceneList, contenderList, callerList string
	quick                                bool
}

func flags(r *raw) *flag.FlagSet {
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // one line says what is wrong
	fs.StringVar(&r.sceneList, "scene", "", "run these scenes, comma separated (default all)")
	fs.StringVar(&r.contenderList, "contender", "", "run these contenders, comma separated (default all)")
	fs.StringVar(&r.callerList, "callers", "", "run with these numbers of callers (roundtrip: of headers), comma separated (default each scene's own)")
	fs.DurationVar(&r.duration, "duration", 0, "how long one run of one contender lasts (default 40ms, 10ms with -quick; crawl: 8 times as long)")
	fs.IntVar(&r.count, "count", 0, "rounds, in each of which every contender runs once (default 7, 2 with -quick)")
	fs.BoolVar(&r.quick, "quick", false, "shorter and fewer runs: a first look")
	fs.StringVar(&r.json, "json", "", "write the results to this file (a relative path starts at the folder bench)")
	fs.BoolVar(&r.check, "check", false, "exit with status 1 when a promised ratio is missed or was not measured")
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
	if r.quick {
		r.duration, r.count = cmp.Or(r.duration, 10*time.Millisecond), cmp.Or(r.count, 2)
	} else {
		r.duration, r.count = cmp.Or(r.duration, 40*time.Millisecond), cmp.Or(r.count, 7)
	}
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
				return options{}, fmt.Errorf("bench: -callers: the scene %s takes %s or more, not %d", s.Name, plural(s.Least, s.Noun), n)
			}
		}
	}
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
		fmt.Fprintf(w, "  %-15s %s\n", s.Name, s.About)
	}
	fmt.Fprintln(w, "\nContenders:")
	for _, c := range contender.All {
		fmt.Fprintf(w, "  %-15s %s\n", c.Name, c.About)
	}
}
