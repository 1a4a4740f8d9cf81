package postgresstore

import (
	"context"
	"time"

	"example.com/tokenactor/persist/internal/tenure"
)

// Extend renews leases in the order given; the keeper's order is any.
func (s *Store) Extend(ctx context.Context, names []string, owners map[string]string) error {
	claims := make([]tenure.Claim, len(names))
	for i, name := range names {
		claims[i] = tenure.Claim{Name: name, Owner: owners[name]}
	}
	_, err := leases{s}.Extend(ctx, claims, time.Minute)
	return err
}
