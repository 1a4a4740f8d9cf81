package redisstore

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// A script runs atomically in the server.
type script struct{ *redis.Script }

// save replaces a record if it has the revision that is expected, and if a lease is
// named, only while that is held. The client sends again what got no answer, so a write
// that was carried out before is known by its number. KEYS: the record, its lease. ARGV:
// revision expected, revision, record, owner of the lease or "", channel, news, number.
var save = script{redis.NewScript(`
local stored = redis.call('HMGET', KEYS[1], 'revision', 'write')
if stored[1] == ARGV[2] and stored[2] == ARGV[7] then
	return 'saved'
end
if ARGV[4] ~= '' and redis.call('GET', KEYS[2]) ~= ARGV[4] then
	return 'lease'
end
if (stored[1] or '0') ~= ARGV[1] then
	return 'conflict'
end
redis.call('HSET', KEYS[1], 'revision', ARGV[2], 'record', ARGV[3], 'write', ARGV[7])
redis.call('PUBLISH', ARGV[5], ARGV[6])
return 'saved'`)}

// take gives the lease to an owner who may have asked before and not heard the
// answer. KEYS: the lease. ARGV: owner, life in ms. It returns nothing, or who holds
// the lease and for how long, in ms.
var take = script{redis.NewScript(`
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
	return {holder, redis.call('PTTL', KEYS[1])}
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return {}`)}

// extend prolongs a lease for its owner. KEYS and ARGV as those of take.
var extend = script{redis.NewScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
	return 0
end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])`)}

// free ends a lease for its owner, and nobody else's. KEYS: the lease. ARGV: owner,
// channel, news.
var free = script{redis.NewScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
	return 0
end
redis.call('PUBLISH', ARGV[2], ARGV[3])
return redis.call('DEL', KEYS[1])`)}

// A call is one of a script.
type call struct {
	keys []string
	args []any
}

// run makes all calls in one round trip, and in a second one those of servers that
// did not know the script yet. Each answer has its own error.
func (s script) run(ctx context.Context, client redis.UniversalClient, calls []call) []*redis.Cmd {
	answers := make([]*redis.Cmd, len(calls))
	again := false
	send := func(ask func(redis.Pipeliner, call) *redis.Cmd, which func(int) bool) {
		_, _ = client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, c := range calls {
				if which(i) {
					answers[i] = ask(p, c)
				}
			}
			return nil
		})
	}
	send(func(p redis.Pipeliner, c call) *redis.Cmd { return s.EvalSha(ctx, p, c.keys, c.args...) },
		func(int) bool { return true })
	unknown := make([]bool, len(calls))
	for i, answer := range answers {
		unknown[i] = redis.HasErrorPrefix(answer.Err(), "NOSCRIPT")
		again = again || unknown[i]
	}
	if again {
		send(func(p redis.Pipeliner, c call) *redis.Cmd { return s.Eval(ctx, p, c.keys, c.args...) },
			func(i int) bool { return unknown[i] })
	}
	return answers
}
