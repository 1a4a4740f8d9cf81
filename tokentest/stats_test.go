package tokentest_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenactor/tokentest"
)

func TestMostAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := tokentest.New(tokentest.Options{Latency: time.Second})
		for _, n := range []int{3, 7, 2} {
			var wg sync.WaitGroup
			for range n {
				wg.Go(func() { refresh(srv, srv.Login().RefreshToken) })
			}
			wg.Wait()
		}
		if got, want := srv.Stats(), (tokentest.Stats{TokenCalls: 12, MostAtOnce: 7, Refreshes: 12, Logins: 12}); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	})
}
