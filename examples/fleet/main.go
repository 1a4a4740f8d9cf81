// Command fleet crawls with many processes that share one credential, kills some of
// them with SIGKILL and stops others with SIGSTOP, and counts what that costs: the
// refreshes, the requests lost, and the logins that were lost. Without flags it does so
// for 15 s with eight processes on one bbolt file and a server of its own.
//
// How a process uses the library stands in worker.go, how it reaches the engine in
// engine.go. The rest is trouble, made on purpose and counted.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

const help = `The fleet crawls a server of its own with many processes that share one credential.
Meanwhile some are killed, and started again, and some are stopped for a while.

  fleet [-processes 8] [-clients 4] [-duration 15s] [-store WHERE]

Exit status: 1 if a request was lost, or a living login was revoked because its refresh
token was sent twice; 2 if the fleet could not do its work.`

type options struct {
	store              string
	processes, clients int
	duration           time.Duration
	life               time.Duration // of an access token
	chaos              time.Duration // from one blow to the next, on average; 0: none
	seed               uint64
	asJSON             bool
}

func main() {
	if part := os.Getenv(workerVariable); part != "" {
		if err := work(part, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "fleet: worker:", err)
			os.Exit(2)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C kills
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the program, and returns its exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var o options
	flags := o.flags()
	err := flags.Parse(args)
	if err == nil {
		err = o.check(flags)
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, help, "\n\n")
		flags.SetOutput(stdout)
		flags.PrintDefaults()
		return 0
	case err != nil:
		fmt.Fprintln(stderr, "fleet:", err, "(-help tells more)")
		return 2
	}
	result, err := rally(ctx, o, stdout)
	switch {
	case err != nil:
		fmt.Fprintln(stderr, "fleet:", err)
		return 2
	case result.Lost > 0 || result.Revoked > 0:
		return 1
	}
	return 0
}

func (o *options) flags() *flag.FlagSet {
	flags := flag.NewFlagSet("fleet", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&o.store, "store", "", "`where` the processes share their tokens: "+strings.Join(engines(), ", ")+" (default: a bbolt file of its own)")
	flags.IntVar(&o.processes, "processes", 8, "the `number` of processes")
	flags.IntVar(&o.clients, "clients", 4, "the `number` of requests at once in each process")
	flags.DurationVar(&o.duration, "duration", 15*time.Second, "how long to crawl")
	flags.DurationVar(&o.life, "life", 5*time.Second, "how long an access token lives")
	flags.DurationVar(&o.chaos, "chaos", time.Second, "the mean time from one kill or stop to the next; 0: none")
	flags.Uint64Var(&o.seed, "seed", 0, "repeats the order of kills and stops of an earlier run (default: another each time)")
	flags.BoolVar(&o.asJSON, "json", false, "print the counts as JSON")
	return flags
}

// check says what is wrong with the flags.
func (o *options) check(flags *flag.FlagSet) error {
	o.seed = cmp.Or(o.seed, uint64(time.Now().UnixNano()))
	switch {
	case flags.NArg() > 0:
		return fmt.Errorf("what is %q?", flags.Arg(0))
	case o.processes < 1 || o.clients < 1 || o.duration <= 0 || o.chaos < 0:
		return fmt.Errorf("-processes %d, -clients %d, -duration %v, -chaos %v: a fleet takes processes, clients and time",
			o.processes, o.clients, o.duration, o.chaos)
	case o.life < 2*time.Second:
		return fmt.Errorf("-life %v: the authorization server tells lives in whole seconds; give it 2s or more", o.life)
	}
	if o.store == "" {
		return nil
	}
	_, err := findEngine(o.store)
	return err
}
