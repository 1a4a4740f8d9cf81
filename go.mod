module example.com/tokenactor

go 1.26.0

require (
	github.com/benbjohnson/clock v1.3.5
	go.etcd.io/bbolt v1.5.0
	go.uber.org/goleak v1.3.0
	golang.org/x/oauth2 v0.37.0
	golang.org/x/sync v0.24.0
	golang.org/x/sys v0.45.0
)
