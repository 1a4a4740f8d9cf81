package persisttest

import (
	"context"
	"time"
)

// lost is a lease that is held no more.
type lost struct{}

func (lost) Remaining() time.Duration { return 0 }

func (lost) Lost() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

func (lost) Unlock(context.Context) error { return nil }
