// Command crawler fetches URLs with a thousand workers, while the token that they
// share expires and is revoked under their hands. Without flags it does so for 10 s
// on a server of its own; -help tells how to crawl in earnest.
//
// How to use the library stands in list.go. The rest is any crawler's.
package main

import (
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

const help = `The crawler fetches URLs with many workers that share one token. Ctrl-C ends it.

  crawler [-workers N] [-duration 10s]     crawls a server of its own
  crawler -urls urls.txt -hosts api.example.com -client-id crawler \
          -token-url https://auth.example.com/token

The second fetches each URL once, or with -duration all of them again and again. While
the authorization server is away it waits, up to -max-wait. What was not fetched goes
to a file that can be crawled again (-rest). The environment has the secrets:

  CLIENT_SECRET  the client's secret, for the client credentials grant
  REFRESH_TOKEN  go on with this login of a user instead; needs -store. Leave it set:
                 the first run spends it, later ones go on from what is stored.

Exit status: 1 if a URL was not fetched, that is, ended with 401, 429, a 5xx or without
an answer, or if a refresh token was spent twice; 2 if the crawler could not do its
work; 130 if Ctrl-C came before the end of the list.`

type options struct {
	urls, tokenURL, clientID, scope, store string
	rest, authStyle                        string
	hosts                                  []string
	workers                                int
	duration, maxWait                      time.Duration

	clientSecret, refreshToken string // from the environment: flags show in lists of processes
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C kills
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Getenv))
}

// run is the program, and returns its exit status. The end of ctx is Ctrl-C.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, getenv func(string) string) int {
	o := options{clientSecret: getenv("CLIENT_SECRET"), refreshToken: getenv("REFRESH_TOKEN")}
	flags := o.flags()
	var end outcome
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
		err = fmt.Errorf("%w (-help tells more)", err)
	case o.urls == "":
		end, err = demo(ctx, o, stdout)
	default:
		end, err = crawlList(ctx, o, stdin, stdout)
	}
	switch {
	case err != nil:
		fmt.Fprintln(stderr, "crawler:", err)
		return 2
	case end.interrupted:
		return 130 // as of a program that SIGINT ended
	case end.lost > 0:
		return 1
	}
	return 0
}

// An outcome is what came of a crawl.
type outcome struct {
	lost        int  // URLs that were not fetched, and refresh tokens spent twice
	interrupted bool // by Ctrl-C, before the end of the list
}

func (o *options) flags() *flag.FlagSet {
	flags := flag.NewFlagSet("crawler", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // an error is one line from run, without all flags behind it
	flags.StringVar(&o.urls, "urls", "", "crawl the URLs in this `file`, one a line; - is standard input; # begins a comment")
	flags.StringVar(&o.tokenURL, "token-url", "", "the `URL` of the authorization server's token endpoint")
	flags.StringVar(&o.clientID, "client-id", "", "the `name` of this client at the authorization server")
	flags.StringVar(&o.scope, "scope", "", "the `scopes` to ask for, space separated")
	flags.StringVar(&o.store, "store", "", "keep tokens in this `file` from run to run (default: in memory)")
	flags.StringVar(&o.rest, "rest", "", "write the URLs that were not fetched into this `file` (default: that of -urls with .rest, crawl.rest for standard input)")
	flags.StringVar(&o.authStyle, "auth-style", "header", "how the client's secret is sent: `header`, HTTP Basic, or params, in the form")
	flags.DurationVar(&o.maxWait, "max-wait", 5*time.Minute, "how long a request waits for a token while there is none to be had")
	flags.IntVar(&o.workers, "workers", 1000, "the `number` of requests at once")
	flags.DurationVar(&o.duration, "duration", 0, "how long to crawl (default: the list once; without a list 10s)")
	flags.Func("hosts", "the only `hosts` that get the token: api.example.com,http://intranet.example.com:8080", func(s string) error {
		o.hosts = strings.Fields(strings.ReplaceAll(s, ",", " "))
		return nil
	})
	return flags
}

// check says what is wrong with the flags, or with the environment.
func (o *options) check(flags *flag.FlagSet) (err error) {
	switch {
	case flags.NArg() > 0:
		return fmt.Errorf("what is %q? URLs are read from a file: -urls FILE", flags.Arg(0))
	case o.workers < 1 || o.duration < 0 || o.maxWait < 0:
		return fmt.Errorf("-workers %d, -duration %v, -max-wait %v: a crawl takes workers and time", o.workers, o.duration, o.maxWait)
	case o.authStyle != "header" && o.authStyle != "params":
		return fmt.Errorf("-auth-style %q: it is header or params", o.authStyle)
	case o.urls == "":
		flags.Visit(func(f *flag.Flag) {
			if f.Name != "workers" && f.Name != "duration" && f.Name != "max-wait" {
				err = fmt.Errorf("-%s needs -urls, the list to crawl", f.Name)
			}
		})
	case o.tokenURL == "" || o.clientID == "":
		err = errors.New("-urls needs -token-url and -client-id: where are tokens to be had, and who asks?")
	case len(o.hosts) == 0:
		err = errors.New("-urls needs -hosts, such as -hosts api.example.com: the list may lead anywhere, so say who may see the token")
	case o.clientSecret == "" && o.refreshToken == "":
		err = errors.New("the environment variable CLIENT_SECRET is not set: it is the client's secret")
	case o.refreshToken != "" && o.store == "":
		err = errors.New("REFRESH_TOKEN needs -store: it works once, and what follows it must be kept")
	}
	return err
}
