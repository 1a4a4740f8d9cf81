module example.com/tokenactor/examples/fleet

go 1.26.0

require (
	example.com/tokenactor v0.0.0
	golang.org/x/oauth2 v0.37.0
)

require (
	github.com/benbjohnson/clock v1.3.5 // indirect
	go.etcd.io/bbolt v1.5.0 // indirect
	golang.org/x/sync v0.24.0 // indirect
	golang.org/x/sys v0.45.0 // indirect
)

replace example.com/tokenactor => ../..
