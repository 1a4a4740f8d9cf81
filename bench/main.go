package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"example.com/tokenactor/bench/scene"
)

func main() {
	scene.Serve()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run returns the exit status: 0, 1 for a failure or a missed promise, 2 for
// arguments that it does not understand.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		usage(stdout)
		return 0
	case err != nil:
		fmt.Fprintln(stderr, err)
		return 2
	}
	missed, err := bench(ctx, o, stdout, stderr)
	switch {
	case err != nil:
		fmt.Fprintln(stderr, err)
		return 1
	case missed:
		return 1
	}
	return 0
}

// bench runs what o asks for and reports whether a promise was missed. How far it
// has come goes to stderr.
func bench(ctx context.Context, o options, w, stderr io.Writer) (missed bool, err error) {
	if err := o.writable(); err != nil {
		return false, err
	}
	writeMachine(w, o)
	var tables []table
	plans := o.plans()
	bar := newProgress(stderr, plans)
	for _, p := range plans {
		bar.begin(p)
		t, err := measure(ctx, p, bar.step)
		bar.clear()
		if err != nil {
			return false, err
		}
		writeTable(w, t)
		tables = append(tables, t)
	}
	if o.json != "" {
		if err := writeJSON(o.json, results(tables)); err != nil {
			return false, err
		}
	}
	if err := writePage(&o, page(&o, tables, time.Now())); err != nil {
		return false, err
	}
	if o.check {
		missed = !writeVerdicts(w, check(o.scenes, tables, o.quick))
	}
	return missed, nil
}
