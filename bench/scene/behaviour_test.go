package scene

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"example.com/tokenactor/bench/contender"
	"example.com/tokenactor/manager"
)

// careless is a contender without any care: each reader without a token, and each
// rejected request, logs in by itself.
type careless struct {
	job contender.Job

	mu    sync.Mutex
	token contender.Token
}

func (c *careless) login(ctx context.Context) (contender.Token, error) {
	t, err := c.job.Login(ctx)
	if err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.token = t
	}
	return t, err
}

func (c *careless) Reads(ctx context.Context, _ int) (string, error) {
	c.mu.Lock()
	t := c.token
	c.mu.Unlock()
	var err error
	if time.Until(t.Expiry) <= c.job.Skew {
		t, err = c.login(ctx)
	}
	return t.Access, err
}

func (c *careless) Request(ctx context.Context, send contender.Send) error {
	access, err := c.Reads(ctx, 1)
	if err != nil || send(access) {
		return err
	}
	t, err := c.login(ctx)
	if err == nil {
		send(t.Access)
	}
	return err
}

var carelessOne = contender.Contender{Name: "careless", Open: func(job contender.Job) (any, error) {
	return &careless{job: job}, nil
}}

// What a contender does wrong shows in the numbers of the scene that is about it.
func TestCarelessnessIsSeen(t *testing.T) {
	const callers = 20
	for _, test := range []struct {
		scene       Scene
		metric      string
		least, most float64
	}{
		{Stall, "blocked_over_1ms", callers, math.MaxFloat64},
		{Stall, "max_us", 50_000, math.MaxFloat64},
		{Outage, "calls", callers, callers},
		{Outage, "answered_all_ms", 10, math.MaxFloat64},
		{Storm, "refreshes", callers, callers},
		{Late, "extra_refreshes", callers, callers},
		{Cancel, "refreshes", callers + 2, callers + 2}, // and the first, and the one with time
		{Cancel, "waiter_left_ms", 30, math.MaxFloat64},
	} {
		sample, err := runOnce(t, test.scene, carelessOne, callers, time.Millisecond)
		if got := sample.Values[test.metric]; err != nil || got < test.least || got > test.most {
			t.Errorf("%s: %s is %v, %v, want %v to %v", test.scene.Name, test.metric, got, err, test.least, test.most)
		}
	}
}

// hoarder gives out its first token for ever.
type hoarder struct{ careless }

func (h *hoarder) Reads(ctx context.Context, _ int) (string, error) {
	if h.token.Access == "" {
		return h.careless.Reads(ctx, 1)
	}
	return h.token.Access, nil
}

func TestExpiredTokensAreSeen(t *testing.T) {
	made := contender.Contender{Open: func(job contender.Job) (any, error) { return &hoarder{careless{job: job}}, nil }}
	sample, err := runOnce(t, Stall, made, 2, time.Millisecond)
	if n := sample.Values["expired_reads"]; err != nil || n == 0 {
		t.Errorf("%v expired reads, %v, want many", n, err)
	}
}

// queue answers one caller at a time, whatever their contexts say.
type queue struct {
	careless
	one sync.Mutex
}

func (q *queue) Reads(ctx context.Context, n int) (string, error) {
	q.one.Lock()
	defer q.one.Unlock()
	return q.careless.Reads(context.WithoutCancel(ctx), n)
}

func TestMissedDeadlinesAreSeen(t *testing.T) {
	made := contender.Contender{Open: func(job contender.Job) (any, error) { return &queue{careless: careless{job: job}}, nil }}
	sample, err := runOnce(t, Outage, made, 40, time.Millisecond)
	if n := sample.Values["deadlines_missed"]; err != nil || n == 0 || n > 4 {
		t.Errorf("%v deadlines missed, %v, want some of 4", n, err)
	}
}

// A request that goes on being rejected, or is not sent again, ends the scene.
func TestRequestsThatAreNotSentAgain(t *testing.T) {
	lazy := contender.Contender{Open: func(job contender.Job) (any, error) { return lazy{&careless{job: job}}, nil }}
	for _, s := range []Scene{Storm, Late} {
		if _, err := runOnce(t, s, lazy, 3, time.Millisecond); err == nil {
			t.Errorf("%s of a contender that leaves rejected requests alone gives no error", s.Name)
		}
	}
}

type lazy struct{ *careless }

func (l lazy) Request(ctx context.Context, send contender.Send) error {
	access, err := l.Reads(ctx, 1)
	if err == nil {
		send(access)
	}
	return err
}

// Credentials weigh what is allocated for them, to the byte: so many that the garbage of
// others, some KB, which goes meanwhile, is less than half a byte of each.
func TestWeight(t *testing.T) {
	const n, each = 40_000, 4096
	made := contender.Contender{Open: func(contender.Job) (any, error) { return new(heavy), nil }}
	sample, err := runOnce(t, Keys, made, n, time.Millisecond)
	if got := sample.Values["bytes/credential"]; err != nil || math.Round(got) < each || got > each+200 {
		t.Errorf("%v bytes each, %v, want %d and little more", got, err, each)
	}
	if _, ok := sample.Values["reschedule_ns"]; ok {
		t.Error("a credential without a schedule was rescheduled")
	}
}

type heavy [4096]byte

func (h *heavy) Reads(context.Context, int) (string, error) { return keyToken, nil }

// Each transaction of a file counts, whoever made it.
func TestTransactionsAreCounted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	before, err := transactions(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		err := db.Update(func(tx *bbolt.Tx) error {
			b, err := tx.CreateBucketIfNotExists([]byte("b"))
			if err != nil {
				return err
			}
			return b.Put([]byte("k"), fmt.Append(nil, i))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if after, err := transactions(path); err != nil || after-before != 5 {
		t.Errorf("%d transactions, %v, want 5", after-before, err)
	}
	if err := os.WriteFile(path+"2", make([]byte, 1<<14), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := transactions(path + "2"); err == nil {
		t.Error("a file that is none has transactions")
	}
}

// Without jitter all renewals of a life come in one second, and the next life's an
// hour less the window later.
func TestSimulationInStep(t *testing.T) {
	const n = 50
	s, err := simulate(t.Context(), manager.Config{Policy: manager.Policy{Jitter: -1}}, n)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Values["peak_refreshes/s"]; got != n {
		t.Errorf("the peak is %v, want %d", got, n)
	}
	const renewals = 26 // of 55 minutes in a day
	if got, want := s.Values["mean_refreshes/s"], float64(n*renewals)/86_400; got != want {
		t.Errorf("the mean is %v, want %v: %d renewals of each", got, want, renewals)
	}
	for minute, seen := range s.Series {
		if want := minute > 0 && minute%55 == 0; (seen == n) != want || !want && seen != 0 {
			t.Errorf("minute %d has %v refreshes in its busiest second, want %d every 55 minutes and else none", minute, seen, n)
		}
	}
	if len(s.Series) != 24*60 {
		t.Errorf("the series has %d minutes, want a day's", len(s.Series))
	}
}

// Each followed credential of a great fleet stands for others.
func TestSimulationOfMany(t *testing.T) {
	s, err := simulate(t.Context(), manager.Config{Policy: manager.Policy{Jitter: -1}}, 10*simulateMost)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := s.Values["peak_refreshes/s"], 10.0*simulateMost; got != want {
		t.Errorf("the peak is %v, want %v", got, want)
	}
}

// Every credential has its turn.
func TestScatteredMeetsAll(t *testing.T) {
	for _, n := range []int{1, 3, 1000, 50_000, 1_000_000} {
		met := make([]bool, n)
		for _, i := range scattered(n) {
			met[i] = true
		}
		for i, ok := range met {
			if !ok {
				t.Errorf("of %d, %d is not met", n, i)
				break
			}
		}
	}
}
