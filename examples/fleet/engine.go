package main

import (
	"context"
	"fmt"
	"strings"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist"
)

// An engine is where processes share their tokens.
type engine struct {
	prefix string // of what -store says
	shape  string // of it, for the help
	open   func(ctx context.Context, where string) (manager.Store, func() error, error)
}

// known are the engines, the bbolt file last: its name may be anything.
var known = []engine{
	{"", "FILE", openFile},
}

// openFile opens the file that all processes of this machine share.
func openFile(_ context.Context, path string) (manager.Store, func() error, error) {
	db, err := persist.Open(path, persist.Options{Shared: true})
	if err != nil {
		return nil, nil, err
	}
	return db, db.Close, nil
}

func findEngine(where string) (engine, error) {
	for _, e := range known {
		if strings.HasPrefix(where, e.prefix) && (e.prefix != "" || !strings.Contains(where, "://")) {
			return e, nil
		}
	}
	return engine{}, fmt.Errorf("-store %q: it is one of %s", where, strings.Join(engines(), ", "))
}

func engines() (shapes []string) {
	for _, e := range known {
		shapes = append(shapes, e.shape)
	}
	return shapes
}
