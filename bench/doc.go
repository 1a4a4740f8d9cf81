// Bench measures how libraries keep expiring tokens fresh under concurrency,
// tokenactor among them, side by side in one run:
//
//	go -C bench run .                                    everything
//	go -C bench run . -quick                             a first look
//	go -C bench run . -scene read -contender oauth2,aws -callers 1,100
//	go -C bench run . -json results.json                 for a script
//	go -C bench run . -report page.html -svg charts      another place for the page, its charts as files
//	go -C bench run . -check                             exit status 1 where a promised ratio is missed
//	go -C bench run . -help                              flags, scenes, contenders
//
// The exit status is 0, 1 for a failure or a missed promise, 2 for arguments that
// are not understood (go run itself turns 2 into 1, and prints it).
//
// As testing.B benchmarks, for benchstat:
//
//	go -C bench test -run - -bench . -benchtime 100ms -count 10 > new.txt
//	go tool -modfile=tools/go.mod benchstat -col /impl new.txt
//
// # What is measured
//
// A scene is a situation; each file of the package scene describes one.
//
// In read all callers read one valid token, as every request of a program does. Its
// ns/op is wall time divided by the reads of all callers together, so on two cores
// the limit for many callers is half of that for one. Its allocs/op counts every
// allocation of the process in that time, to a hundredth.
//
// In roundtrip one goroutine sends a request through the decorated RoundTripper, over
// a base that answers 200 without a network: what is left is the decorator. The number
// that other scenes have for callers counts the headers that the request has already.
// The token has 50 bytes, in the scene roundtrip-1500 as many as its name says. The
// row authorize is for those who own their requests, and need no copy; limit is what
// a RoundTripper is not allowed to do.
//
// In crawl so many workers fetch small pages over loopback, from a server in a
// process of its own, which the scene starts and stops. Its cpu_us/request is what
// this process, the client, had of the processors, the kernel's work for it included
// (getrusage); harness is the bare client, without a token. The requests/s are for
// both processes on one machine, and differ by noise only. So does cpu_us/request: what
// a decorator adds is less than that noise. added_us/request is it by itself, of the
// same http.Client over connections that answer from memory, where a bare client and
// the decorated one take turns every 256 requests.
//
// In stall tokens live for 200 ms, refreshes take 50, and all workers read without a
// pause: blocked_over_1ms are the calls that took longer than that, the rest is the
// distribution of all (HdrHistogram), two looks at the clock included, which the row
// harness shows. expired_reads are tokens given out after their expiry.
//
// In outage nobody has a token and the endpoint fails after 10 ms. In storm all
// callers are on their way with one token, which is rejected under them; last_awake_ms
// counts from the answer of the endpoint. In late the rejections come when the token
// has been renewed already. In cancel the caller who began a refresh is cancelled, and
// others who joined it have deadlines before its end: waiter_left_ms is when the last
// of them was gone.
//
// In keys a program has so many credentials. In persist 100 goroutines save them into
// a file, and load_1M_s is a start from it. In simulate virtual time passes, a day of
// it: the refreshes per second that the authorization server sees of a fleet.
//
// # What -check holds tokenactor to
//
// On any machine, and with -quick these only:
//
//   - read: no allocations. roundtrip: 3 with 4 headers, none for client.Authorize.
//   - stall: no renewal holds the readers up; no token is given out after its expiry.
//   - outage: 1 call, no deadline missed. storm: 1 refresh. late: none. cancel: 1.
//   - keys: goroutines that do not depend on the credentials.
//   - simulate: jitter takes the highest second down to a fifth.
//
// As ratios of two runs of one round:
//
//   - read: at most 6 times the limit, a bare atomic load; and with 1 and with 10,000
//     callers, that the best of all contenders in a round, hand-written ones included,
//     takes 30 times as long.
//   - roundtrip: with 4 headers x/oauth2 takes twice as long, with 1,500 bytes of token
//     three times.
//   - crawl: with 1,000 workers at most 1.03 times the CPU time per request of a header
//     set in place, which itself costs 1.03 to 1.06 times a bare client. Of each, what is
//     taken is the bare client's cpu_us/request and its own added_us/request. On a machine
//     that does something else as well, that is less than the noise, which stands
//     beside it: let it be idle, or raise -count.
//   - stall: the 99.9th percentile at most twice that of an empty call. outage: all
//     answered within 1.2 times what one shared call takes. storm: the last awake
//     within 1.6 times what one closed channel takes.
//   - keys, a million: at most 400 bytes each, a GC cycle no longer than with x/oauth2, a read at most 1.5 times
//     that of a bare pointer.
//   - persist: 7 times the saves of bbolt's Batch, 1.2 times those of a tuned one; a
//     start in at most 1.4 times what reading the file with bbolt takes.
//
// Authorize, limit, harness and tokenactor-unjittered are yardsticks and do not
// compete. A promise of a scene that was asked for and not measured, for want of a
// contender or a number of callers, counts as missed.
//
// # What is not
//
// Times are those of this machine at this moment, and worth nothing elsewhere.
// What carries over are ratios: the last column of each table, and all that
// -check looks at. Loops as tight as those of read and roundtrip show a call at its
// best, with its data in the first cache; in a program the differences are smaller:
// the scene crawl shows how much.
//
// # Fairness
//
//   - Contenders take turns: A B C, A B C, so that whatever else the machine does
//     falls on all of them alike. A ratio is taken of two runs of one round; what
//     is shown are medians over the rounds, with the least and the greatest.
//   - A run sets its contender up anew, and in read, roundtrip and crawl warms it up
//     until it knows how many calls fill the time; it collects garbage, and only then
//     measures. Goroutines are made before and wait at a gate. In these scenes all runs
//     last equally long, so that starting and ending the callers weighs on all
//     contenders alike. In crawl all send equally many requests, over the same open
//     connections.
//   - The timed loop of read is the contender's own, around the call that a user
//     would write, so that the compiler inlines what it would for a user. All loops
//     have one form. What was read, or arrived with the first request, is compared
//     with what was given out, and a second login during a run is an error.
//   - Each contender does its best; its file says with which options.
//   - The harness is a contender too: the row harness is a loop that reads
//     nothing, or sends the request as it is. Below each table stand what starting
//     and ending the goroutines takes of each run, and what a contender differs from
//     itself when it is run twice in one round: smaller differences say nothing.
//   - What a contender cannot do is shown as "cannot", with the reason.
package main
