package redisstore

import (
	"context"
	"fmt"
	"time"

	"example.com/tokenactor/persist/internal/tenure"
	"example.com/tokenactor/persist/record"
)

// leases are the keys beside the records, as package tenure asks for them.
type leases struct{ *Store }

func (s leases) Take(ctx context.Context, name, owner string, life time.Duration) (taken bool, holder string, left time.Duration, err error) {
	if err := record.CheckName(name); err != nil {
		return false, "", 0, err
	}
	answer, err := take.run(ctx, s.client, []call{{[]string{s.leaseKey(name)}, []any{owner, life.Milliseconds()}}})[0].Slice()
	switch {
	case err != nil:
		return false, "", 0, fmt.Errorf("redisstore: %w", err)
	case len(answer) < 2:
		return true, "", 0, nil
	}
	holder, _ = answer[0].(string)
	ms, _ := answer[1].(int64)
	return false, holder, time.Duration(max(ms, 0)) * time.Millisecond, nil
}

func (s leases) Extend(ctx context.Context, claims []tenure.Claim, life time.Duration) ([]bool, error) {
	calls := make([]call, len(claims))
	for i, c := range claims {
		calls[i] = call{[]string{s.leaseKey(c.Name)}, []any{c.Owner, life.Milliseconds()}}
	}
	still := make([]bool, len(claims))
	for i, answer := range extend.run(ctx, s.client, calls) {
		n, err := answer.Int()
		if err != nil {
			return nil, fmt.Errorf("redisstore: %w", err)
		}
		still[i] = n == 1
	}
	return still, nil
}

func (s leases) Free(ctx context.Context, c tenure.Claim) error {
	news := message{freed, 0, c.Name}
	err := free.run(ctx, s.client, []call{{[]string{s.leaseKey(c.Name)}, []any{c.Owner, s.channel(), news.String()}}})[0].Err()
	if err != nil {
		return fmt.Errorf("redisstore: cannot give up the lease of %q: %w", c.Name, err)
	}
	return nil
}
