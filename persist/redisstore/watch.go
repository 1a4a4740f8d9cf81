package redisstore

import (
	"context"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// A message is news on the channel.
type message struct {
	what     byte
	revision uint64 // of what was saved
	name     string
}

// What messages tell of.
const (
	saved = 's'
	freed = 'f' // a lease
)

func (m message) String() string {
	return string(m.what) + strconv.FormatUint(m.revision, 10) + " " + m.name
}

func parseMessage(text string) (m message, ok bool) {
	if text == "" {
		return m, false
	}
	number, name, ok := strings.Cut(text[1:], " ")
	revision, err := strconv.ParseUint(number, 10, 64)
	return message{text[0], revision, name}, ok && err == nil
}

// silence is how long the channel may say nothing before the connection is tested,
// and how long that may take.
const silence = 5 * time.Second

// Watch tells of the writes of all processes until ctx ends. It reconnects by
// itself, and then tells of the revisions of all names that the Store was asked for, for
// some news was missed.
func (s *Store) Watch(ctx context.Context, f func(name string, revision uint64)) error {
	l := listener{Store: s, f: f, sub: s.client.Subscribe(ctx, s.channel())}
	defer context.AfterFunc(ctx, l.close)() // the client waits for news without an eye on ctx
	defer l.close()
	defer s.keeper.Informed(false)
	for ctx.Err() == nil {
		received, err := l.sub.ReceiveTimeout(ctx, silence)
		switch received := received.(type) {
		case *redis.Subscription:
			err = l.subscribed(ctx)
		case *redis.Message:
			err = l.take(received.Payload)
		}
		if err == nil {
			l.tested, l.breaks = false, 0
		} else if err := l.failed(ctx, err); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// A listener is one call of Watch.
type listener struct {
	*Store
	f      func(name string, revision uint64)
	tested bool // a ping is under way
	breaks int  // of the connection, one after the other

	mu  sync.Mutex // sub, for close
	sub *redis.PubSub
}

func (l *listener) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.sub.Close()
}

// reconnect makes another subscription; its error is the next Receive's.
func (l *listener) reconnect(ctx context.Context) {
	l.close()
	sub := l.client.Subscribe(ctx, l.channel())
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sub = sub
}

// subscribed tells of what was missed.
func (l *listener) subscribed(ctx context.Context) error {
	l.keeper.Informed(true)
	names, all := l.early.All()
	if all {
		return l.revisions(ctx, l.f)
	}
	keys := make([]string, len(names))
	for i, name := range names {
		keys[i] = l.key(name)
	}
	return l.tell(ctx, keys, l.f)
}

func (l *listener) take(text string) error {
	switch m, ok := parseMessage(text); {
	case !ok:
		return fmt.Errorf("%w: %q", errStrange, text)
	case m.what == saved:
		l.f(m.name, m.revision)
	case m.what == freed:
		l.keeper.Freed(m.name)
	}
	return nil
}

var errStrange = errors.New("redisstore: the channel carries what is no news of ours: give the Store a Prefix of its own")

// failed mends the connection, or returns why it cannot.
func (l *listener) failed(ctx context.Context, err error) error {
	var network net.Error
	switch {
	case errors.Is(err, errStrange):
		return err
	case errors.As(err, &network) && network.Timeout() && !l.tested:
		l.tested = true
		_ = l.sub.Ping(ctx) // its error is the next Receive's
		return nil
	}
	l.keeper.Informed(false)
	l.tested = false
	if err := wait(ctx, pause(l.breaks)); err != nil {
		return err
	}
	l.breaks++
	l.reconnect(ctx)
	return nil
}

// pause is how long to wait after so many breaks, one after the other: at first not
// long, and not all processes at the same moment, for Redis has to bear their return.
func pause(breaks int) time.Duration {
	d := min(400*time.Millisecond<<min(breaks, 10), 10*time.Second)
	return d/2 + mathrand.N(d/2)
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
