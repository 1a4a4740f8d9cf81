package manager

import (
	"fmt"
	"runtime"
	"testing"
	"time"
)

// A bench of evidence is one credential's, in pure time.
type hearingRoom struct {
	e   evidence
	now int64
}

func (h *hearingRoom) token(generation uint64) *Token {
	return &Token{AccessToken: NewSecret(fmt.Sprint("T", generation)), login: 1, generation: generation}
}

func at1(path string) Resource { return Resource{"https://api.example.com:443", path} }

func (h *hearingRoom) rejected(path string, generation uint64) judgement {
	j, _ := h.e.rejected(h.now, at1(path).key(), Rejection{h.token(generation), at1(path)})
	return j
}

func (h *hearingRoom) replayRejected(path string, generation uint64) judgement {
	return h.e.replayRejected(h.now, at1(path).key(), Rejection{h.token(generation), at1(path)})
}

func (h *hearingRoom) accepted(path string, generation uint64, replay bool) {
	h.e.accepted(at1(path).Origin, at1(path).key(), h.token(generation), h.e.begun.Load()+1, replay)
}

// A resource that rejects fresh tokens gets one chance after 1 s, doubled to a minute; an
// acceptance clears it.
func TestEvidenceOfABadResource(t *testing.T) {
	h := &hearingRoom{now: 1}
	if got := h.rejected("/bad", 1); got != renewMaybe {
		t.Fatalf("the first rejection of all: got %d, want a renewal", got)
	}
	h.replayRejected("/bad", 2)
	for i, pause := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
		if got := h.rejected("/bad", 2); got != giveBack {
			t.Errorf("pause %d: got %d, want its 401 back at once", i+1, got)
		}
		h.now += int64(pause*time.Second) - 1
		if got := h.rejected("/bad", 2); got != giveBack {
			t.Errorf("pause %d: got %d just before its end, want its 401 back", i+1, got)
		}
		h.now++
		if got := h.rejected("/bad", 2); got != renewMaybe {
			t.Errorf("pause %d: got %d at its end, want one chance", i+1, got)
		}
		if got := h.rejected("/bad", 2); got != giveBack {
			t.Errorf("pause %d: got %d beside the chance, want its 401 back", i+1, got)
		}
		h.replayRejected("/bad", 3)
	}
	h.accepted("/bad", 3, false)
	if h.e.active.Load() || h.e.bad != 0 {
		t.Error("an acceptance did not clear it")
	}
}

// A resource that rejects a token which it has accepted itself: the token is at fault, whatever
// others did.
func TestEvidenceOfAnAcceptedToken(t *testing.T) {
	h := &hearingRoom{now: 1}
	h.replayRejected("/bad", 2)
	h.accepted("/good", 2, false)
	h.accepted("/other", 2, false)
	if got := h.rejected("/good", 2); got != renewNow {
		t.Errorf("got %d, want a renewal at once", got)
	}
	h.accepted("/good", 3, true)
	if got := h.replayRejected("/good", 3); got != renewNow {
		t.Errorf("a replay with a token that it accepted: got %d, want a renewal at once", got)
	}
}

// One without history waits for what others of its origin say about requests that began after it.
func TestEvidenceOfOthers(t *testing.T) {
	h := &hearingRoom{now: 1}
	h.replayRejected("/bad", 2)
	hear := func(path string) *hearing {
		t.Helper()
		j, got := h.e.rejected(h.now, at1(path).key(), Rejection{h.token(2), at1(path)})
		if j != hearOthers {
			t.Fatalf("%s: got %d, want to hear others", path, j)
		}
		return got
	}
	first := hear("/a")
	before := h.e.begun.Load() - 1
	h.e.accepted(at1("/b").Origin, at1("/b").key(), h.token(2), before, false) // begun before
	h.e.accepted("https://other.example.com:443", at1("/c").key(), h.token(2), before+2, false)
	h.accepted("/d", 1, false) // with another token
	select {
	case <-first.verdictc:
		t.Fatal("what was begun before, is of another origin, or another token counts")
	default:
	}
	h.accepted("/e", 2, false)
	if fault := <-first.verdictc; fault {
		t.Error("accepted elsewhere: the token is blamed")
	}
	h.e.ended(h.now, first, true)

	second := hear("/f")
	if got := h.rejected("/g", 2); got != renewNow || !<-second.verdictc {
		t.Errorf("two in a row: got %d, want both renewed", got)
	}
}

// Where renewing helped although others accepted the token, those are no evidence any more: a page
// that checks no token.
func TestEvidenceOfABlindResource(t *testing.T) {
	h := &hearingRoom{now: 1}
	h.replayRejected("/bad", 2)
	_, waits := h.e.rejected(h.now, at1("/a").key(), Rejection{h.token(2), at1("/a")})
	h.accepted("/health", 2, false)
	<-waits.verdictc
	h.e.ended(h.now, waits, true)
	h.now += int64(time.Second)
	if got := h.rejected("/a", 2); got != renewMaybe {
		t.Fatalf("after a second: got %d, want its chance", got)
	}
	h.accepted("/a", 3, true) // it helped
	_, waits = h.e.rejected(h.now, at1("/z").key(), Rejection{h.token(3), at1("/z")})
	h.accepted("/health", 3, false)
	select {
	case <-waits.verdictc:
		t.Error("the health page is evidence still")
	default:
	}
}

// With a refresh token at stake there is at most one renewal a second, and a burst of twenty.
func TestEvidenceIsBounded(t *testing.T) {
	h := &hearingRoom{now: 1}
	token := h.token(1)
	token.RefreshToken = NewSecret("R")
	n := 0
	for range 6000 { // a minute
		if h.e.proven(h.now, token) == renewNow {
			n++
		}
		h.now += int64(10 * time.Millisecond)
	}
	if n < 75 || n > 80 {
		t.Errorf("renewals in a minute: got %d, want 20 and one a second", n)
	}

	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	h.replayRejected("/bad", 2)
	for i := range 100_000 {
		h.accepted(fmt.Sprint("/", i), 2, false)
	}
	if len(h.e.resources) > maxResources || !h.e.resources[at1("/bad").key()].bad {
		t.Errorf("%d resources are remembered, want at most %d, and the bad one among them", len(h.e.resources), maxResources)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	t.Logf("%d resources take %d KiB", len(h.e.resources), (int64(after.HeapAlloc)-int64(before.HeapAlloc))/1024)
	h.now += int64(time.Hour)
	h.rejected("/x", 2)
	if h.e.bad != 0 || h.e.active.Load() {
		t.Error("a bad resource that nobody asks for is remembered after an hour")
	}
}

func BenchmarkEvidence(b *testing.B) {
	h := &hearingRoom{now: 1}
	h.replayRejected("/bad", 2)
	token := h.token(2)
	for i := 0; b.Loop(); i++ {
		r := at1("/good")
		h.e.accepted(r.Origin, r.key(), token, 1, false)
	}
}
