package postgresstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// silence is how long the channel may say nothing before the connection is tested,
// and how long that may take.
const silence = 5 * time.Second

// longRead is how long the revisions of a big table may take to read.
const longRead = time.Minute

// Watch tells of the writes of all processes until ctx ends, on a connection that it
// takes from the pool for good. It reconnects by itself, and then tells of the revisions
// of all names that the Store was asked for, for some news was missed. What the operator
// has to mend is an error.
func (s *Store) Watch(ctx context.Context, f func(name string, revision uint64)) error {
	l := listener{Store: s, f: f}
	for ctx.Err() == nil {
		err := l.listen(ctx)
		s.keeper.Informed(false)
		if ctx.Err() == nil && (lasting(err) || errors.Is(err, errStrange) || errors.Is(err, errDeaf)) {
			return explained("no news", err)
		}
		// Not all processes at the same moment, when the server is there again.
		wait(ctx, time.Second/10+mathrand.N(time.Second/2))
	}
	return ctx.Err()
}

var (
	errStrange = errors.New("the channel carries what is no news of ours")
	errDeaf    = errors.New("LISTEN hears nothing: a pooler that shares connections is between, " +
		"give the Store a pool that goes to PostgreSQL itself")
)

// A listener is one call of Watch.
type listener struct {
	*Store
	f    func(name string, revision uint64)
	conn *pgx.Conn
}

// listen is the life of one connection.
func (l *listener) listen(ctx context.Context) error {
	if err := l.connect(ctx); err != nil {
		return err
	}
	defer l.disconnect()
	if err := l.subscribe(ctx); err != nil {
		return err
	}
	l.keeper.Informed(true)
	if err := l.missed(ctx); err != nil {
		return err
	}
	for {
		news, err := l.receive(ctx)
		if err != nil {
			return err
		}
		if news.Channel == l.channel {
			if err := l.take(ctx, news.Payload); err != nil {
				return err
			}
		}
	}
}

// connect takes a connection from the pool for good. A pool does not close before
// all that it lent are back, and one that listens is of no use to others.
func (l *listener) connect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*silence)
	defer cancel()
	lent, err := l.pool.Acquire(ctx)
	if err == nil {
		l.conn = lent.Hijack()
	}
	return err
}

func (l *listener) disconnect() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = l.conn.Close(ctx)
}

// subscribe listens, and tries on a channel of its own whether it hears what another
// connection says. With a pooler between, LISTEN succeeds and is another's next.
func (l *listener) subscribe(ctx context.Context) error {
	trying, cancel := context.WithTimeout(ctx, silence)
	defer cancel()
	own := "tokenactor_" + rand.Text()
	for _, channel := range []string{l.channel, own} {
		if _, err := l.conn.Exec(trying, "LISTEN "+pgx.Identifier{channel}.Sanitize()); err != nil {
			return err
		}
	}
	if _, err := l.pool.Exec(trying, "SELECT pg_notify($1, '')", own); err != nil {
		return err
	}
	for {
		news, err := l.conn.WaitForNotification(trying)
		switch {
		case err != nil && trying.Err() == nil:
			return err
		case err != nil:
			if err := l.test(ctx); err != nil {
				return err
			}
			return errDeaf
		case news.Channel == own:
			return nil
		}
	}
}

// test asks for a sign of life.
func (l *listener) test(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, silence)
	defer cancel()
	return l.conn.Ping(ctx)
}

// missed tells of what nobody told, of all that was asked for.
func (l *listener) missed(ctx context.Context) error {
	names, all := l.early.All()
	if all {
		return l.tell(ctx, l.f, l.sql.revisions)
	}
	ids := make([][]byte, len(names))
	for i, name := range names {
		ids[i] = id(name)
	}
	return l.tell(ctx, l.f, l.sql.revisionsOf, ids)
}

// tell tells f of the rows that a statement returns.
func (l *listener) tell(ctx context.Context, f func(name string, revision uint64), statement string, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, longRead)
	defer cancel()
	rows, err := l.conn.Query(ctx, statement, args...)
	if err != nil {
		return err
	}
	var (
		name     []byte
		revision uint64
	)
	_, err = pgx.ForEachRow(rows, []any{&name, &revision}, func() error {
		f(string(name), revision)
		return nil
	})
	return err
}

// receive waits for news, and tests the connection where there is none.
func (l *listener) receive(ctx context.Context) (*pgconn.Notification, error) {
	for {
		waiting, cancel := context.WithTimeout(ctx, silence)
		news, err := l.conn.WaitForNotification(waiting)
		silent := waiting.Err() != nil
		cancel()
		if err == nil || !silent || ctx.Err() != nil {
			return news, err
		}
		if err := l.test(ctx); err != nil {
			return nil, err
		}
	}
}

func (l *listener) take(ctx context.Context, text string) error {
	switch m, id, ok := parse(text); {
	case !ok:
		return fmt.Errorf("%w: %q", errStrange, text)
	case id != nil:
		return l.tell(ctx, func(name string, revision uint64) { l.act(message{m.what, revision, name}) }, l.sql.find, id)
	default:
		l.act(m)
	}
	return nil
}

func (l *listener) act(m message) {
	switch m.what {
	case saved:
		l.f(m.name, m.revision)
	case freed:
		l.keeper.Freed(m.name)
	}
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
