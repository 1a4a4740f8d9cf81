package tenure

import (
	"context"
	"time"
)

// An Engine compares and sets, in one atomic operation each. Its methods are called
// by several goroutines at once.
type Engine interface {
	// Take makes owner the holder of the lease for name until life from now, if
	// nobody has it. Otherwise it returns the owner who has, and how long the
	// lease is still held if nobody renews it.
	Take(ctx context.Context, name, owner string, life time.Duration) (taken bool, holder string, left time.Duration, err error)

	// Extend renews each claim that its owner still has, until life from now.
	// still says which those are.
	Extend(ctx context.Context, claims []Claim, life time.Duration) (still []bool, err error)

	// Free ends the claim if its owner still has it.
	Free(ctx context.Context, c Claim) error
}

// A Claim is who holds, or held, the lease for a name.
type Claim struct{ Name, Owner string }
