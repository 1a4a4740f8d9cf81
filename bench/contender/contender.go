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
	"errors"
	"io"
	"time"
)

// A Token is what a Login gives out.
type Token struct {
	Access string
	Expiry time.Time
}

// A Login gets a token. It belongs to the scene, which counts its calls and
// compares what readers get with what it gave out. Its error ends it early where
// ctx does.
type Login func(ctx context.Context) (Token, error)

// A Job is what a scene asks of a contender.
type Job struct {
	Login Login

	// Skew is how long before expiry a token is no longer used, by those who
	// let it be chosen. The rest have their own.
	Skew time.Duration

	// Window is how long before expiry those begin to renew a token that do so
	// in the background. 0: what is theirs by default.
	Window time.Duration
}

// A Send plays the server for one request: it is given the access token that the
// request carries, and reports whether the server accepts it. False is a 401.
type Send func(access string) (accepted bool)

// errRejected is the error of a request whose second token was rejected as well.
var errRejected = errors.New("contender: the new token was rejected as well")

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

	// Cannot gives, by the name of the scene, the reason why it cannot do that
	// although it has the methods. What it has no methods for the scenes see.
	Cannot map[string]string

	// Open makes a new one. Close stops it.
	Open func(job Job) (any, error)
}

// All lists the contenders in the order in which each round runs them.
var All = []Contender{
	tokenactor, unjittered, xoauth2, xoauth2Recipe, google, googleBlocking, awsCache, smithyCache, smithyAsync,
	azurePolicy, gopherProvider, rwMutex, channelActor, bboltBatch, bboltTuned, authorize, limit, harness,
}

// Close stops what Open made, if there is anything to stop.
func Close(subject any) error {
	if c, ok := subject.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
