package postgresstore_test

import (
	"context"
	"net"
	"regexp"

	"github.com/jackc/pgx/v5/pgxpool"
)

// deaf makes connections on which LISTEN succeeds and does nothing, as behind a pooler.
func deaf(c *pgxpool.Config) {
	dial := c.ConnConfig.DialFunc
	c.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		return deafened{conn}, err
	}
}

type deafened struct{ net.Conn }

func (d deafened) Write(b []byte) (int, error) {
	return d.Conn.Write(listen.ReplaceAll(b, []byte(`SELECT '$1'`))) // of the same length
}

var listen = regexp.MustCompile(`LISTEN "([^"]*)"`)
