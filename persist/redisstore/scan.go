package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/redis/go-redis/v9"

	"example.com/tokenactor/manager"
)

// scanPage is how many keys are asked for at once.
const scanPage = 1000

// Scan calls f with every snapshot, in no order. What is written meanwhile may be
// told as it was or as it is.
func (s *Store) Scan(ctx context.Context, f func(name string, snapshot manager.Snapshot) error) error {
	var bad []error
	err := s.pages(ctx, func(keys []string) error {
		answers := make([]*redis.SliceCmd, len(keys))
		if _, err := s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, key := range keys {
				answers[i] = p.HMGet(ctx, key, fieldRevision, fieldRecord)
			}
			return nil
		}); err != nil && !perCommand(err) {
			return fmt.Errorf("redisstore: cannot scan: %w", err)
		}
		for i, key := range keys {
			name, _ := s.name(key)
			snapshot, err := s.decode(name, answers[i])
			switch {
			case err != nil:
				bad = append(bad, &manager.NameError{Name: name, Err: err})
			case ctx.Err() != nil:
				return ctx.Err()
			case snapshot.Revision > 0:
				s.early.Note(name)
				if err := f(name, snapshot); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if len(bad) == 0 {
		return err // as it is: f's caller may compare it
	}
	return errors.Join(append(bad, err)...)
}

// revisions tells f of every record's revision.
func (s *Store) revisions(ctx context.Context, f func(name string, revision uint64)) error {
	return s.pages(ctx, func(keys []string) error { return s.tell(ctx, keys, f) })
}

// tell tells f of the revisions of these records.
func (s *Store) tell(ctx context.Context, keys []string, f func(name string, revision uint64)) error {
	answers := make([]*redis.StringCmd, len(keys))
	_, _ = s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, key := range keys {
			answers[i] = p.HGet(ctx, key, fieldRevision)
		}
		return nil
	})
	for i, key := range keys {
		if err := answers[i].Err(); err != nil && !perCommand(err) { // behind one of a command there may be another
			return fmt.Errorf("redisstore: cannot listen: %w", err)
		}
		if revision, err := strconv.ParseUint(answers[i].Val(), 10, 64); err == nil {
			name, _ := s.name(key)
			f(name, revision)
		}
	}
	return nil
}

// pages calls f with the keys of all records. SCAN may give a key twice, and so may two
// servers while it moves from one to the other; f gets it once.
func (s *Store) pages(ctx context.Context, f func(keys []string) error) error {
	servers, err := s.servers(ctx)
	if err != nil {
		return fmt.Errorf("redisstore: cannot scan: %w", err)
	}
	seen := make(map[string]struct{})
	for _, server := range servers {
		for cursor, more := uint64(0), true; more; more = cursor != 0 {
			var keys []string
			if keys, cursor, err = server.Scan(ctx, cursor, s.pattern(), scanPage).Result(); err != nil {
				return fmt.Errorf("redisstore: cannot scan: %w", err)
			}
			page := keys[:0]
			for _, key := range keys {
				if _, ok := seen[key]; ok {
					continue
				}
				if _, ok := s.name(key); ok {
					seen[key] = struct{}{}
					page = append(page, key)
				}
			}
			if err := f(page); err != nil {
				return err
			}
		}
	}
	return nil
}

// servers are those that keys are spread over.
func (s *Store) servers(ctx context.Context) ([]redis.Cmdable, error) {
	cluster, ok := s.client.(*redis.ClusterClient)
	if !ok {
		return []redis.Cmdable{s.client}, nil
	}
	var mu sync.Mutex
	var masters []redis.Cmdable
	err := cluster.ForEachMaster(ctx, func(_ context.Context, master *redis.Client) error {
		mu.Lock()
		defer mu.Unlock()
		masters = append(masters, master)
		return nil
	})
	return masters, err
}
