package scene

import (
	"context"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"time"
)

// What a decorator adds to a request is a few per cent of what the request takes,
// and less than kernel and network vary by from run to run. So it is measured where
// there are neither: the same http.Client and http.Transport, over connections that
// answer at once from memory, on one processor. There a bare client and the decorated
// one take turns, A B B A: so short that whatever else the machine does is the same
// for both, and so long that each has several collections of its own garbage, which a
// decorator makes too. What lies below a connection knows of decorators by some bytes
// of a header only, so that the difference is that on loopback too.
const (
	addedFrom     = 1000 // workers
	addedWorkers  = 64
	addedRequests = 32 * addedWorkers // of one turn: some 14 MB of garbage
)

// added is the CPU time in µs that the decorator adds to a request, tried for d.
func added(ctx context.Context, subject *subject, d time.Duration) (float64, error) {
	pool := &http.Transport{
		MaxIdleConnsPerHost: addedWorkers,
		DialContext:         func(context.Context, string, string) (net.Conn, error) { return newPrompt(), nil },
	}
	defer pool.CloseIdleConnections()
	rt, err := subject.transport(pool)
	if err != nil {
		return 0, err
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	bare, decorated := &http.Client{Transport: pool}, &http.Client{Transport: rt}
	turn := func(client *http.Client) float64 {
		var s spent
		if err == nil {
			s, err = spend(addedRequests, promptly(ctx, client))
		}
		return float64(s.cpu) / float64(time.Microsecond) / addedRequests
	}
	turn(bare)
	turn(decorated)
	var differences []float64
	for start := time.Now(); err == nil && (len(differences) == 0 || time.Since(start) < d); {
		before, first, second, after := turn(bare), turn(decorated), turn(decorated), turn(bare)
		differences = append(differences, (first+second-before-after)/2)
	}
	return inner(differences), err
}

// promptly sends the requests of one turn.
func promptly(ctx context.Context, client *http.Client) *Crew {
	return NewCrew(addedWorkers, func() {}, func(worker int) error {
		for range share(addedRequests, addedWorkers, worker) {
			if err := get(ctx, client, "http://127.0.0.1/"); err != nil {
				return err
			}
		}
		return nil
	})
}

// inner is the mean of the half in the middle.
func inner(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	middle := values[len(values)/4 : len(values)-len(values)/4]
	sum := 0.0
	for _, v := range middle {
		sum += v
	}
	return sum / float64(len(middle))
}

// A prompt is a connection whose other end answers every write with a page.
type prompt struct {
	asked  chan struct{}
	closec chan struct{} // closed by Close
	once   sync.Once
	rest   string // of the page; the reader's only
}

const promptPage = "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Length: 46\r\n" +
	"Content-Type: text/plain; charset=utf-8\r\n\r\n" + page

func newPrompt() *prompt {
	return &prompt{asked: make(chan struct{}, 1), closec: make(chan struct{})}
}

func (p *prompt) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		select {
		case <-p.asked:
			p.rest = promptPage
		case <-p.closec:
			return 0, io.EOF
		}
	}
	n := copy(b, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

// Write takes a whole request: net/http writes one that has no body at once.
func (p *prompt) Write(b []byte) (int, error) {
	select {
	case p.asked <- struct{}{}:
		return len(b), nil
	case <-p.closec:
		return 0, net.ErrClosed
	}
}

func (p *prompt) Close() error {
	p.once.Do(func() { close(p.closec) })
	return nil
}

func (p *prompt) LocalAddr() net.Addr              { return new(net.TCPAddr) }
func (p *prompt) RemoteAddr() net.Addr             { return new(net.TCPAddr) }
func (p *prompt) SetDeadline(time.Time) error      { return nil }
func (p *prompt) SetReadDeadline(time.Time) error  { return nil }
func (p *prompt) SetWriteDeadline(time.Time) error { return nil }
