package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/tokentest"
)

// rally runs the fleet and prints what came of it.
func rally(ctx context.Context, o options, out io.Writer) (result, error) {
	if o.store == "" {
		folder, err := os.MkdirTemp("", "fleet-")
		if err != nil {
			return result{}, err
		}
		defer os.RemoveAll(folder)
		o.store = filepath.Join(folder, "tokens.db")
	}
	if err := prepare(ctx, o.store); err != nil {
		return result{}, err
	}
	srv := tokentest.New(tokentest.Options{Life: o.life, Latency: latency, APILatency: 25 * time.Millisecond, Log: 1 << 14})
	defer srv.Close()
	if err := srv.Start(); err != nil {
		return result{}, err
	}
	if !o.asJSON {
		fmt.Fprintf(out, "%d processes with %d clients each crawl a server on this machine for %v.\n"+
			"Their one access token lives %v; its refresh token works once, and to send it twice\n"+
			"ends the login. Some processes are killed, some stopped (seed %d).\n\n", o.processes, o.clients, o.duration, o.life, o.seed)
	}
	f := fleet{options: o, srv: srv, tally: newTally(), random: rand.New(rand.NewPCG(o.seed, o.seed)), orders: orders{
		Store: o.store, Clients: o.clients, TokenURL: srv.TokenURL(), APIURL: srv.APIURL(),
		ClientID: srv.ClientID(), ClientSecret: srv.ClientSecret(),
		RefreshLimit: time.Second, SaveLimit: 2 * time.Second,
	}}
	r, err := f.run(ctx)
	if err != nil {
		return result{}, err
	}
	if o.asJSON {
		return r, json.NewEncoder(out).Encode(r)
	}
	r.print(out)
	return r, nil
}

// latency is how long the authorization server takes for a refresh.
const latency = 50 * time.Millisecond

// A fleet is the parent's view of its processes.
type fleet struct {
	options
	orders
	srv        *tokentest.Server
	random     *rand.Rand
	tally      *tally
	credential *manager.Credential // the parent's own, for logins

	crew         []*worker
	kills, stops int
	excused      map[int]bool // families whose newest token may be lost with a process
}

func (f *fleet) run(ctx context.Context) (result, error) {
	ctx, cancel := context.WithTimeout(ctx, f.duration)
	defer cancel()
	own := f.orders
	own.LoginOnly = true
	credential, end, err := own.openCredential(ctx, func(e manager.Event) { f.tally.take(nil, reportOf(e)) })
	if err != nil {
		return result{}, err
	}
	f.credential, f.excused = credential, make(map[int]bool)
	err = f.login(ctx)
	begun := time.Now()
	for range f.processes {
		if err == nil {
			err = f.add()
		}
	}
	if err == nil {
		err = f.upset(ctx)
	}
	took := time.Since(begun)
	for _, w := range f.crew {
		err = errors.Join(err, w.dismiss())
	}
	return f.result(took), errors.Join(err, end())
}

// login is a person's at the authorization server.
func (f *fleet) login(ctx context.Context) error {
	grant := f.srv.Login()
	return f.credential.Install(ctx, manager.Token{
		AccessToken:  manager.NewSecret(grant.AccessToken),
		RefreshToken: manager.NewSecret(grant.RefreshToken),
		ExpiresIn:    grant.ExpiresIn,
	})
}

// upset kills and stops processes until ctx ends.
func (f *fleet) upset(ctx context.Context) error {
	blow := time.NewTimer(f.pause())
	defer blow.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case <-f.tally.refusedc:
			if f.dead() { // or somebody has logged in since
				err = f.login(ctx)
			}
		case w := <-f.tally.refreshingc: // the worst moment for a blow
			if f.chaos > 0 && f.random.IntN(3) == 0 && !w.ended() {
				time.Sleep(time.Duration(f.random.Int64N(int64(3 * latency / 2)))) // before, while or after the server works
				err = f.strike(w)
			}
		case <-blow.C:
			err = f.strike(f.crew[f.random.IntN(len(f.crew))])
			blow.Reset(f.pause())
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
}

// dead reports whether no refresh token of the newest login works any more.
func (f *fleet) dead() bool {
	families := f.srv.Families()
	newest := families[len(families)-1]
	return !newest.Alive || newest.Lost
}

func (f *fleet) pause() time.Duration {
	if f.chaos == 0 {
		return f.duration * 2
	}
	return time.Duration(f.random.ExpFloat64() * float64(f.chaos))
}

// longestStop outlasts the leases of those engines whose leases end by themselves.
const longestStop = 8 * time.Second

// strike stops a process for a while, or kills it and starts another.
func (f *fleet) strike(w *worker) error {
	if f.random.IntN(2) == 0 {
		f.stops++
		d := min(time.Duration(f.random.ExpFloat64()*float64(time.Second)), longestStop)
		err := w.stop(d)
		f.excuse(w)
		return err
	}
	f.kills++
	w.kill()
	f.excuse(w)
	for i := range f.crew {
		if f.crew[i] == w {
			f.crew = append(f.crew[:i], f.crew[i+1:]...)
			break
		}
	}
	return f.add()
}

// excuse notes that a process was hit while it waited for an answer: to a kill no
// answer can be saved, and behind one that is stopped for long others must try again.
func (f *fleet) excuse(w *worker) {
	if f.tally.refreshing(w) {
		f.excused[len(f.srv.Families())] = true
	}
}

func (f *fleet) add() error {
	w, err := startWorker(f.orders, f.tally)
	if err == nil {
		f.crew = append(f.crew, w)
	}
	return err
}
