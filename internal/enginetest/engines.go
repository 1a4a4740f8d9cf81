//go:build unix

package enginetest

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Redis starts a server that writes each change to its file before it answers.
func Redis(tb testing.TB) (addr string, server *Process) {
	tb.Helper()
	path := find(tb, "redis-server", "redis-server")
	port := ports(tb, 1)[0]
	server = &Process{tb: tb, path: path, ready: pong(port), args: []string{"--port", strconv.Itoa(port), "--bind", "127.0.0.1",
		"--save", "", "--appendonly", "yes", "--appendfsync", "always", "--dir", tb.TempDir()}}
	server.start()
	return address(port), server
}

// pong asks whether Redis has loaded its file and answers.
func pong(port int) func() error {
	return func() error {
		c, err := dialed(port)
		if err != nil {
			return err
		}
		defer c.Close()
		if _, err := c.Write([]byte("PING\r\n")); err != nil {
			return err
		}
		answer := make([]byte, 64)
		n, err := c.Read(answer)
		if err != nil {
			return err
		}
		if !strings.HasPrefix(string(answer[:n]), "+PONG") {
			return fmt.Errorf("it answers %q", answer[:n])
		}
		return nil
	}
}

// Postgres starts a server and gives the URL of its database.
func Postgres(tb testing.TB) (url string, server *Process) {
	tb.Helper()
	const places = "/usr/lib/postgresql/*/bin"
	initdb, path := find(tb, "initdb", "postgresql", places), find(tb, "postgres", "postgresql", places)
	isready := find(tb, "pg_isready", "postgresql-client", places)
	folder, err := os.MkdirTemp("", "postgres-") // not TempDir, whose parents another user may not enter
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { os.RemoveAll(folder) })
	as := notRoot(tb, folder)
	data := filepath.Join(folder, "data")
	cmd := exec.Command(initdb, "-D", data, "-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8", "--locale=C")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	cmd.Dir = folder
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("initdb: %v\n%s", err, out)
	}
	port := ports(tb, 1)[0]
	server = &Process{tb: tb, path: path, as: as, args: []string{"-D", data, "-p", strconv.Itoa(port), "-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories=" + folder}, ready: func() error {
		return exec.Command(isready, "-q", "-h", "127.0.0.1", "-p", strconv.Itoa(port), "-t", "1").Run()
	}}
	server.start()
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", port), server
}

// notRoot gives folder to the user that PostgreSQL is to run as, for it refuses root.
func notRoot(tb testing.TB, folder string) *syscall.Credential {
	tb.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	if err != nil {
		tb.Fatal(err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	if err := os.Chown(folder, uid, gid); err != nil {
		tb.Fatal(err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// Etcd starts a cluster of so many nodes.
func Etcd(tb testing.TB, nodes int) (endpoints []string, servers []*Process) {
	tb.Helper()
	path := find(tb, "etcd", "etcd-server")
	free := ports(tb, 2*nodes)
	var cluster []string
	for i := range nodes {
		cluster = append(cluster, fmt.Sprintf("n%d=http://%s", i, address(free[nodes+i])))
	}
	for i := range nodes {
		clients, peers := "http://"+address(free[i]), "http://"+address(free[nodes+i])
		p := &Process{tb: tb, path: path, args: []string{"--name", fmt.Sprintf("n%d", i), "--data-dir", tb.TempDir(),
			"--listen-client-urls", clients, "--advertise-client-urls", clients,
			"--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers,
			"--initial-cluster", strings.Join(cluster, ","), "--initial-cluster-token", "tokenactor"}}
		if i == nodes-1 { // one is ready when the most are there
			p.ready = func() error {
				for _, endpoint := range append(endpoints, clients) {
					if err := healthy(endpoint); err != nil {
						return err
					}
				}
				return nil
			}
		}
		p.start()
		endpoints, servers = append(endpoints, clients), append(servers, p)
	}
	for _, p := range servers {
		p.ready = nil // a node that comes back need not wait for the others
	}
	return endpoints, servers
}

func healthy(endpoint string) error {
	client := http.Client{Timeout: 2 * time.Second}
	defer client.CloseIdleConnections()
	resp, err := client.Get(endpoint + "/health")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", endpoint, resp.Status)
	}
	return nil
}
