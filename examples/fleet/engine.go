package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist"
	"example.com/tokenactor/persist/etcdstore"
	"example.com/tokenactor/persist/postgresstore"
	"example.com/tokenactor/persist/redisstore"
)

// An engine is where processes share their tokens.
type engine struct {
	scheme string // of -store; "": a file
	shape  string // of -store, for the help
	open   func(ctx context.Context, where string) (manager.Store, func() error, error)
}

// prepare makes what the engine must have before the first process comes.
func prepare(ctx context.Context, where string) error {
	if !strings.HasPrefix(where, "postgres://") {
		return nil
	}
	store, closeStore, err := openPostgres(ctx, where)
	if err != nil {
		return err
	}
	return errors.Join(store.(*postgresstore.Store).CreateTable(ctx), closeStore())
}

var known = []engine{
	{"", "FILE", openFile},
	{"redis", "redis://HOST:PORT", openRedis},
	{"postgres", "postgres://USER@HOST:PORT/DATABASE", openPostgres},
	{"etcd", "etcd://HOST:PORT,HOST:PORT,…", openEtcd},
}

// leaseLife outlives a refresh and a save, as both are limited here.
const leaseLife = 6 * time.Second

// openFile opens the file that all processes of this machine share.
func openFile(_ context.Context, path string) (manager.Store, func() error, error) {
	db, err := persist.Open(path, persist.Options{Shared: true})
	if err != nil {
		return nil, nil, err
	}
	return db, db.Close, nil
}

func openRedis(_ context.Context, url string) (manager.Store, func() error, error) {
	o, err := redis.ParseURL(url)
	if err != nil {
		return nil, nil, err
	}
	client := redis.NewClient(o)
	store, err := redisstore.New(client, redisstore.Options{Lease: leaseLife})
	if err != nil {
		return nil, nil, errors.Join(err, client.Close())
	}
	return store, closeBoth(store, client), nil
}

func openPostgres(ctx context.Context, url string) (manager.Store, func() error, error) {
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return nil, nil, err
	}
	store, err := postgresstore.New(pool, postgresstore.Options{Lease: leaseLife})
	if err != nil {
		pool.Close()
		return nil, nil, err
	}
	return store, func() error {
		err := store.Close()
		pool.Close()
		return err
	}, nil
}

func openEtcd(_ context.Context, url string) (manager.Store, func() error, error) {
	client, err := clientv3.New(clientv3.Config{
		Endpoints:         strings.Split(strings.TrimPrefix(url, "etcd://"), ","),
		DialTimeout:       5 * time.Second,
		DialKeepAliveTime: time.Second, DialKeepAliveTimeout: time.Second, // a node that is cut off is left
		Logger: zap.NewNop(),
	})
	if err != nil {
		return nil, nil, err
	}
	store, err := etcdstore.New(client, etcdstore.Options{Lease: leaseLife})
	if err != nil {
		return nil, nil, errors.Join(err, client.Close())
	}
	return store, closeBoth(store, client), nil
}

// closeBoth closes the store, and then what it stands on.
func closeBoth(store, client io.Closer) func() error {
	return func() error {
		err := store.Close()
		if failed := client.Close(); failed != nil {
			err = errors.Join(err, fmt.Errorf("closing the client: %w", failed))
		}
		return err
	}
}

func findEngine(where string) (engine, error) {
	scheme, _, ok := strings.Cut(where, "://")
	if !ok {
		scheme = ""
	}
	for _, e := range known {
		if e.scheme == scheme {
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
