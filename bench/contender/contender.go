// Package contender has what the benchmark compares: one file, one adapter of a
// few lines, for each way to keep a token fresh.
//
// An adapter wraps nothing that a user would not call. What it can do it says
// by its methods, which the scenes look for (scene.Reader for one); where there
// is something to stop, it is an io.Closer too. Each is set up to do its best,
// and its comment says with which options.
//
// Loops around a timed call stand in the adapter, not in the scene: a call
// through an interface or a closure costs more than some of the calls measured,
// and would keep the compiler from inlining what it inlines for a user. All
// loops have one form: the natural call, the check of its error, the last
// result kept and returned.
package contender

import (
	"context"
	"io"
	"time"
)

// A Token is what a Login gives out.
type Token struct {
	Access string
	Expiry time.Time
}

// A Login gets a token. It belongs to the scene, which counts its calls and
// compares what readers get with what it gave out.
type Login func(ctx context.Context) (Token, error)

// skew is the allowance before expiry of the hand-written contenders, and of
// those that let it be chosen: tokenactor's and x/oauth2's default.
const skew = 10 * time.Second

// A Contender is one way to keep a token fresh.
type Contender struct {
	// Name is that of the command line and of the results. It has no slash,
	// which would divide the name of a sub-benchmark.
	Name string

	// About says in one line what is called, with which options.
	About string

	// Module is the module measured, "" where it is written out here.
	Module string

	// Yardstick says that it does not compete: it does less than the job.
	Yardstick bool

	// Open makes a new one that gets its tokens from login. Close stops it.
	Open func(login Login) (any, error)
}

// All lists the contenders in the order in which each round runs them.
var All = []Contender{tokenactor, xoauth2, google, awsCache, rwMutex, channelActor, authorize, limit, harness}

// Close stops what Open made, if there is anything to stop.
func Close(subject any) error {
	if c, ok := subject.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
