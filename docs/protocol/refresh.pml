/* The storage protocol of package manager, for Spin (https://spinroot.com).
 *
 * Processes share one credential in one store. An authorization server rotates the refresh token at
 * every use and revokes the whole family when a spent one comes back. Everything fails that may:
 * crashes, lost answers, saves, leases; and people log in and out meanwhile.
 *
 * The knobs are environment variables of the compiled checker, so that one compilation serves all
 * worlds; ./check has the matrix and README.md says what it shows.
 */

#define PROCESSES 3     /* at most */

/* The knobs. First the world: what may happen besides. */

byte processes;       /* 2 or 3 */
byte LEASE;           /* 0, KERNEL: freed by a crash only
                       * 1, BOUNDED: may end while its holder is slow, but outlives what the check saw coming
                       * 2, LOSSY: may end at any moment, even then: no client can stand that */
bool NEWS;            /* writes of others are heard of without the lease */
bool FAIL_CLOSED;     /* Policy.FailClosed, for logins and answers */
bool UNMARKED;        /* where the mark cannot be saved the token is sent unmarked: the default past the end of the
                       * access token. 0: it is not, as before that end, or with FailClosed */
bool ASKERS;          /* the last process is another client: the server refuses it every refresh token, and neither
                       * spends nor revokes anything for that ("issued to another client") */
byte READER;          /* 1: the last process has no Refresher. It takes no lease, sends nothing and writes nothing
                       * 2: it begins a refresh all the same, and stores its failure as a refusal: a naive form */
bool RELEASE;         /* process 0 releases the credential after an attempt of unknown outcome, and manages it anew */

/* The rules: as in manager/ by default, 0 (and for QUIET and ANSWERED 1) is a naive form, unless it is said otherwise. */

bool MARK;            /* a mark is durable before the refresh token is sent */
bool FENCE;           /* it is saved only while the lease is held */
bool CHECK;           /* the lease is looked at last, before sending */
bool CHECK_ALL;       /* before sending unmarked too */
byte QUIET;           /* a guarded try waits for the quiet time; 1: counted from the first sight of the mark;
                       * 2: from the first sight with the lease in hand */
bool DISTINCT;        /* marks of two attempts are never taken for each other */
bool VERDICT;         /* guarded tries go on until a verdict; 0: one guarded try, then "lost" */
bool STAY_GUARDED;    /* after a guarded try "not sent" and a suspicion do not clear the mark */
byte ANSWERED;        /* after an answer that decides nothing the mark stays, and the guarded try waits until as long again
                       * has passed; 1: it waits for nothing; 0: the mark is cleared */
bool ITS_MARK;        /* such an answer shortens the quiet time of its own attempt's mark only */
bool PER_ASKER;       /* a refusal binds only the asker that was refused */
bool KEEP_REFUSALS;   /* whoever writes about the same refresh token keeps the refusals of others */
bool KEEP_MARK;       /* a refusal clears the mark of a first try only: for other askers the doubt goes on */
bool SUSPECT_MARK;    /* after a suspicion the mark stays, as after an answer that decides nothing; 0: it is cleared, as after
                       * "not sent" */
bool SUSPECT_WAIT;    /* after a suspicion nothing is sent before as long again has passed as its answer took */
bool SUSPECT_FINAL;   /* 1, naive: the second suspicion is stored as a refusal */
bool HOLD;            /* the lease is held until the answer is saved */
bool ONLY_NEWER;      /* what the store holds is adopted only if it is newer than what is in memory */
bool ANSWER_WINS;     /* an answer is saved over anything that is not newer */
bool LOGIN_FIRST;     /* newer means greater (Login, Generation); 0: greater Generation */
bool TOMBSTONE;       /* Forget writes; 0: it deletes, and revisions start again */
bool HOLD_BACK;       /* an answer waits while a login is being saved; 0: it is dropped */
bool LOGIN_ADOPTS;    /* a login that meets a conflict adopts what is stored, not only its revision */
bool LOGIN_YIELDS;    /* a login that could not be stored gives way to one that was */

bool SPENT;           /* claim also that only a guarded try presents a spent refresh token */

/* What is left of the world's misfortunes. */

byte renewals;          /* of each process; not counted down */
byte crashes;           /* of processes */
byte timeouts;          /* a process gives up waiting; request or answer may be under way still */
byte drops;             /* requests lost on their way to the server */
byte notSent;           /* requests that certainly were not sent */
byte errors;            /* complete answers that decide nothing; the request may be under way still, or the token spent */
byte suspects;          /* refusals in words that are not known, by a server that did not look at the token */
bool GATEWAY;           /* these come from a gateway instead, like errors: the server may be at work, or have spent the token */
byte fails;             /* saves that fail and are not applied */
byte unknowns;          /* saves that are applied and reported as failed */
byte steals;            /* leases that end early */
byte hesitations;       /* sendings long after the mark was stored */
byte logins;            /* Installs through process 0 */
byte forgets, installs; /* through a process that is not modelled, in this order */

c_code {
	static int knob(const char *name, int standard) {
		const char *value = getenv(name);
		return value ? atoi(value) : standard;
	}
}

#define KERNEL  0
#define BOUNDED 1
#define LOSSY   2

/* Outcomes of a save, and answers of the server. */
#define SAVED    1
#define CONFLICT 2
#define FAILED   3
#define ENDED    4         /* the lease has */
#define REFUSED  200       /* invalid_grant; any other answer but these two is the new refresh token */
#define SUSPECTED 201      /* refused, in words that are not known */

/* A refresh token is the index-th of a family. Families: 1 was there first, 2 comes by the Install of
 * another process, 3 by that of process 0; 0: logged out. */
typedef Token { byte login; byte generation; byte family; byte index }

#define copy(to, from) \
	to.login = from.login; to.generation = from.generation; to.family = from.family; to.index = from.index
#define larger(a, b) (a > b -> a : b)
#define same(a, b) (a.login == b.login && a.generation == b.generation && a.family == b.family && a.index == b.index)
#define newer(a, b) ((LOGIN_FIRST && (a.login > b.login || (a.login == b.login && a.generation > b.generation))) || \
	(!LOGIN_FIRST && a.generation > b.generation))

/* The store: one snapshot. */
Token stored;
byte revision = 1;         /* of the store */
byte mark;                 /* 0: none, 1: of a first try, 2: of a guarded try */
byte owner;                /* of the mark: the request that is sent under it, + 1 */
bool answered;             /* the mark says that its request was answered, and that the answer decides nothing */
unsigned refusals : 2;     /* set of askers to whom the refresh token was refused */
unsigned heard : 2;        /* the same, whether or not the store kept it */

byte lease;                /* holder: process + 1 */

/* The authorization server. */
byte newest[4] = 1;        /* index of the one refresh token that works */
bool alive[4] = true;

/* The network: two requests of each process at most. */
#define REQUESTS (2 * PROCESSES)
typedef Request {
	byte family;       /* 0: nothing under way to the server */
	byte index;
	bool guarded;
	bool awaited;      /* its process waits for the answer */
	bool told;         /* its process was answered, by a gateway, say: it is over when as long again has passed */
	byte answer;
	byte after;        /* set of processes whose quiet time for its mark began long before it was sent */
}
Request request[REQUESTS];

/* Memory of the processes; global, so that claims can see it. */
Token memory[PROCESSES];
Token shown[PROCESSES];    /* published */
bool busy[PROCESSES];      /* sending, or holding what must be saved: the lease is renewed that long */
byte clock;                /* set of processes whose quiet time for the stored mark has begun */

byte rightful = 1;         /* family of the last acknowledged Install or Forget */
bool overtaken;            /* another login or logout was acknowledged than the one process 0's failed one was to follow */

#define bit(process) (1 << (process))

/* claim ends the search where its condition does not hold, and the trace with what is wrong. */
#define claim(condition, otherwise) \
	if \
	:: condition \
	:: else -> printf(otherwise); assert(false) \
	fi

/* Askers: 1, and 2 for the client to which the server refuses everything. */
#define foreign(p) (ASKERS && p == processes - 1)
#define asker(p) (foreign(p) -> 2 : 1)
#define refused(p) ((refusals & (PER_ASKER -> asker(p) : 3)) != 0)

/* onlyCopy: process p alone knows the working refresh token of the rightful family. */
#define onlyCopy(p) (memory[p].family != 0 && memory[p].family == rightful && alive[rightful] && \
	memory[p].index == newest[rightful] && !(stored.family == rightful && stored.index == newest[rightful]))

#define underWay(p, r) (request[r].family != 0 && (request[r].after & bit(p)) == 0)
#define quietOver(p) \
	(!(underWay(p, 0) || underWay(p, 1) || underWay(p, 2) || underWay(p, 3) || underWay(p, 4) || underWay(p, 5)))

/* shortOver: as long again has passed since the answer to a request, numbered from 1, that decided nothing. That the
 * request is over by then is an assumption. */
#define shortOver(r) (ANSWERED == 1 || !request[(r) - 1].told)

/* waited: process me has waited as long as the stored mark demands. That its request was answered is known from
 * the mark, and to its own process even if the mark could not be saved with it. */
#define waited (quietOver(me) || answered && shortOver(owner) || told > 0 && (owner == told || !ITS_MARK) && shortOver(told))

/* see: process me has just seen the stored mark. Its quiet time begins, if it is a mark it did not know,
 * and will outlast whatever is under way now. */
inline see() {
	if
	:: mark > 0 && (clock & bit(me)) == 0 ->
		clock = clock | bit(me);
		i = 0;
		do
		:: i < REQUESTS -> request[i].after = request[i].after & ~bit(me); i++
		:: else -> break
		od;
		i = 0
	:: else
	fi
}

/* publish shows what is in memory. */
inline publish() {
	claim(memory[me].login > shown[me].login ||
		memory[me].login == shown[me].login && memory[me].generation >= shown[me].generation,
		"WRONG: an older token is published\n");
	copy(shown[me], memory[me])
}

/* take makes the store's token that of the process. A login that was never stored is no step for what takes its place
 * to be measured by. */
inline take() {
	claim(!onlyCopy(me), "WRONG: the only copy of a working refresh token is dropped\n");
	claim(!unsavedLogin || overtaken, "WRONG: a login is dropped for something older\n");
	copy(memory[me], stored);
	if :: unsavedLogin -> copy(shown[me], memory[me]) :: else fi;
	unsaved = false; unsavedLogin = false; told = 0;
	publish()
}

/* outranked: what is stored takes the place of what is in memory. */
#define outranked (newer(stored, memory[me]) || (!ONLY_NEWER && !same(stored, memory[me])) || \
	(LOGIN_YIELDS && unsavedLogin && stored.login >= memory[me].login && !same(stored, memory[me])))

/* adopt takes over what the store holds. */
inline adopt() {
	seen = revision;
	if
	:: outranked -> take()
	:: else
	fi
}

inline unlock() {
	if
	:: lease == me + 1 -> lease = 0
	:: else
	fi
}

/* apply writes the snapshot. */
inline apply(token, newMark, newOwner, newAnswered, refusing) {
	claim(!(LOGIN_FIRST && TOMBSTONE) || !newer(stored, token), "WRONG: newer state is overwritten by older\n");
	if
	:: unsavedLogin && !overtaken -> rightful = token.family
	:: else -> claim(token.family == rightful, "WRONG: an acknowledged login or logout is overwritten\n")
	fi;
	if
	:: !same(stored, token) -> refusals = refusing; heard = refusing
	:: same(stored, token) && KEEP_REFUSALS -> refusals = refusals | refusing; heard = heard | refusing
	:: same(stored, token) && !KEEP_REFUSALS -> refusals = refusing; heard = heard | refusing
	fi;
	copy(stored, token);
	revision++;
	if
	:: newMark > 0 && (reused && !DISTINCT)
	:: newMark > 0 && !(reused && !DISTINCT) && newAnswered && newOwner == owner    /* the mark that is there */
	:: newMark > 0 && !(reused && !DISTINCT) && !(newAnswered && newOwner == owner) -> clock = bit(me)
	:: newMark == 0 -> clock = 0
	fi;
	mark = newMark;
	owner = (newMark > 0 -> newOwner : 0);
	answered = newMark > 0 && newAnswered
}

/* save is the compare-and-swap. */
inline save(token, newMark, newOwner, newAnswered, refusing, fenced) {
	atomic {
		if
		:: fails > 0 ->
			fails--; outcome = FAILED;
			printf("P%d save fails\n", me)
		:: fenced && FENCE && lease != me + 1 ->
			outcome = ENDED;
			printf("P%d save refused: the lease has ended\n", me)
		:: !(fenced && FENCE && lease != me + 1) && revision != seen ->
			outcome = CONFLICT;
			printf("P%d save meets a conflict\n", me)
		:: !(fenced && FENCE && lease != me + 1) && revision == seen ->
			apply(token, newMark, newOwner, newAnswered, refusing);
			seen = revision; outcome = SAVED;
			printf("P%d saved: login=%d generation=%d token=%d.%d mark=%d answered=%d refusals=%d\n",
				me, stored.login, stored.generation, stored.family, stored.index, mark, answered, refusals)
		:: !(fenced && FENCE && lease != me + 1) && revision == seen && unknowns > 0 ->
			unknowns--;
			apply(token, newMark, newOwner, newAnswered, refusing);
			outcome = FAILED;
			printf("P%d save applied, and reported as failed: token=%d.%d mark=%d answered=%d\n",
				me, stored.family, stored.index, mark, answered)
		fi
	}
}

/* turn: process me uses its other request next. */
#define turn slot = 4 * me + 1 - slot

/* works: the refresh token of process me would be answered with a new one. */
#define works (memory[me].family == rightful && alive[rightful] && memory[me].index == newest[rightful])

/* leaveMark: the stored mark outlasts the refusal of this attempt. */
#define leaveMark (KEEP_MARK && guarded && !newer(memory[me], stored))

#define mayCrash \
	if \
	:: atomic { crashes > 0 -> crashes--; goto crashed } \
	:: skip \
	fi

proctype Process(byte me) {
	Token parent;              /* what the running refresh is to replace */
	Token login;               /* being installed */
	byte seen;                 /* revision of the store, as last seen */
	byte todo;                 /* renewals still wanted */
	byte found, foundOwner;    /* the mark that was there before one's own */
	bool foundAnswered;
	byte told;                 /* the request of the last attempt, + 1, if its answer decided nothing */
	bool suspected;            /* with SUSPECT_FINAL: once already */
	byte slot = 2 * me;        /* of the request */
	byte outcome, i;
	bool guarded, unmarked;    /* the running attempt is */
	bool unsaved;              /* memory is newer than the store */
	bool unsavedLogin;         /* by a login that could not be stored */
	bool reused;               /* the numbers of its attempts have started again */
	bool whileSending;

	todo = renewals;
start:
	atomic {
		seen = revision;
		copy(memory[me], stored);
		publish();
		if
		:: READER == 1 && me == processes - 1 -> goto reading
		:: else
		fi;
		if :: QUIET == 1 -> see() :: else fi
	}
resting:
	atomic {
		if :: unsaved :: else -> busy[me] = false; unlock() fi;
		if
		:: unsaved -> goto answer
		:: NEWS && seen != revision ->
			adopt();
			if :: QUIET == 1 -> see() :: else fi;
			goto resting
		:: me == 0 && logins > 0 -> whileSending = false; goto install
		:: todo > 0 && !(FAIL_CLOSED && unsaved) ->
			todo--;
			if
			:: lease == me + 1 -> goto journal       /* held since the last answer, unsaved */
			:: else
			fi
		:: todo == 0 && !unsaved -> goto done
		fi
	}
lock:
	mayCrash;
	atomic {
		if
		:: lease == 0 || lease == me + 1 -> lease = me + 1; printf("P%d has the lease\n", me)
		:: lease != 0 && lease != me + 1 && steals > 0 && (LEASE == LOSSY || LEASE == BOUNDED && !busy[lease - 1]) ->
			steals--; printf("P%d has the lease, that of P%d has ended\n", me, lease - 1); lease = me + 1
		:: NEWS && (seen != revision || QUIET == 1 && mark > 0 && (clock & bit(me)) == 0) ->
			adopt();
			if :: QUIET == 1 -> see() :: else fi;
			goto lock
		fi
	}
	mayCrash;
	atomic {                                               /* reload: adopt if newer */
		seen = revision;
		if
		:: outranked -> take(); goto resting
		:: !outranked && newer(memory[me], stored) -> unsaved = true
		:: else
		fi;
		if
		:: memory[me].family == 0 -> goto resting
		:: memory[me].family != 0 && refused(me) ->
			claim(foreign(me) || !works, "WRONG: a living family is taken for lost\n");
			goto resting
		:: else
		fi;
		see();
		if :: told != owner && ITS_MARK -> told = 0 :: else fi;
		if
		:: mark > 0 && QUIET > 0 && !newer(memory[me], stored) && !waited -> unlock(); goto quiet
		:: else
		fi
	}
journal:
	mayCrash;
	atomic {
		found = (newer(memory[me], stored) -> 0 : mark);   /* that of an older token is settled by the answer */
		foundOwner = (found > 0 -> owner : 0);
		foundAnswered = (found > 0 && answered);
		guarded = (found > 0);
		unmarked = false;
		copy(parent, memory[me]);
		if
		:: found == 2 && !VERDICT -> goto refuse
		:: !MARK -> guarded = false; goto check
		:: else
		fi
	}
	save(memory[me], (guarded -> 2 : 1), slot + 1, false, 0, true);
	atomic {
		if
		:: outcome == SAVED -> unsaved = false; unsavedLogin = false
		:: outcome == CONFLICT || outcome == ENDED -> unlock(); goto lock
		:: outcome == FAILED && revision == seen + 1 && owner == slot + 1 -> /* looked for, and it is there */
			seen = revision; unsaved = false; unsavedLogin = false
		:: outcome == FAILED && !(revision == seen + 1 && owner == slot + 1) && revision != seen ->
			unlock(); goto lock
		:: outcome == FAILED && revision == seen && UNMARKED ->
			unmarked = true; printf("P%d goes on unmarked\n", me)
		:: outcome == FAILED && revision == seen && !UNMARKED -> goto resting
		fi
	}
check:
	mayCrash;
	atomic {
		request[slot].family == 0;
		if
		:: READER == 2 && me == processes - 1 -> printf("P%d has no Refresher\n", me); goto refuse
		:: else
		fi;
		if
		:: lease != me + 1 && (!unmarked && CHECK || unmarked && CHECK_ALL) -> goto tooShort
		:: else
		fi;
		if
		:: reused && !DISTINCT -> request[slot].after = clock & ~bit(me)
		:: !(reused && !DISTINCT) -> request[slot].after = 0
		:: !(reused && !DISTINCT) && hesitations > 0 && (clock & ~bit(me)) != 0 ->
			hesitations--;
			request[slot].after = clock & ~bit(me);
			printf("P%d hesitates\n", me)
		fi;
		clock = clock | bit(me);
		claim(guarded || !same(stored, memory[me]) || (heard & asker(me)) == 0,
			"WRONG: a refresh token is sent again by whom it was refused to\n");
		busy[me] = true;
		told = 0; found = 0; foundOwner = 0; foundAnswered = false;
		request[slot].answer = 0;
		request[slot].awaited = true;
		request[slot].guarded = guarded;
		request[slot].index = memory[me].index;
		request[slot].family = memory[me].family;
		printf("P%d sends %d.%d guarded=%d\n", me, memory[me].family, memory[me].index, guarded)
	}
sending:
	atomic {
		if
		:: request[slot].answer > 0 && !same(memory[me], parent) ->   /* a login came first */
			printf("P%d drops the answer\n", me);
			request[slot].answer = 0; request[slot].awaited = false;
			goto resting
		:: request[slot].answer == REFUSED && same(memory[me], parent) ->
			request[slot].answer = 0; request[slot].awaited = false;
			goto refuse
		:: request[slot].answer == SUSPECTED && same(memory[me], parent) ->
			request[slot].answer = 0; request[slot].awaited = false;
			goto suspicious
		:: request[slot].answer > 0 && request[slot].answer < REFUSED && same(memory[me], parent) ->
			memory[me].generation = parent.generation + 1;
			memory[me].index = request[slot].answer;
			unsaved = true;
			request[slot].answer = 0; request[slot].awaited = false;
			printf("P%d has its answer %d.%d\n", me, memory[me].family, memory[me].index);
			goto answer
		:: request[slot].family != 0 && notSent > 0 && same(memory[me], parent) ->
			notSent--;
			request[slot].family = 0; request[slot].awaited = false;
			printf("P%d could not send\n", me);
			goto unspent
		:: GATEWAY && suspects > 0 && same(memory[me], parent) ->
			suspects--;
			request[slot].told = (request[slot].family != 0);
			request[slot].answer = 0; request[slot].awaited = false;
			printf("P%d is refused in a gateway's words\n", me);
			goto suspicious
		:: errors > 0 ->
			errors--;
			request[slot].told = (request[slot].family != 0);
			request[slot].answer = 0; request[slot].awaited = false;
			printf("P%d is answered, undecided\n", me);
			goto undecided
		:: request[slot].family == 0 && request[slot].answer == 0 ->
			request[slot].awaited = false; printf("P%d times out\n", me); goto unknown
		:: timeouts > 0 ->
			timeouts--;
			request[slot].answer = 0; request[slot].awaited = false; printf("P%d gives up waiting\n", me); goto unknown
		:: crashes > 0 -> crashes--; goto crashed
		:: me == 0 && logins > 0 -> whileSending = true; goto install
		fi
	}

suspicious: /* Refused in words that are not known. */
	atomic {
		if
		:: SUSPECT_FINAL && suspected -> goto refuse
		:: !(SUSPECT_FINAL && suspected) && SUSPECT_MARK -> goto undecided
		:: !(SUSPECT_FINAL && suspected) && !SUSPECT_MARK -> suspected = SUSPECT_FINAL
		fi
	}
	!SUSPECT_WAIT || request[slot].family == 0;   /* for all: it is stored with the cleared mark */
unspent: /* The refresh token was not used, this time. */
	atomic {
		if
		:: request[slot].family != 0 && !unmarked -> turn
		:: else
		fi;
		if
		:: unmarked -> goto unknown
		:: !unmarked && guarded && STAY_GUARDED -> busy[me] = false; unlock(); goto lock
		:: else -> goto clear
		fi
	}

undecided: /* The mark stays, and says that the request was answered. */
	atomic {
		if
		:: ANSWERED == 0 && same(memory[me], parent) -> goto unspent
		:: else -> told = slot + 1; turn
		fi;
		if
		:: !same(memory[me], parent) -> told = 0; goto resting
		:: same(memory[me], parent) && unmarked -> goto owed
		:: else
		fi
	}
noting:
	mayCrash;
	save(memory[me], (guarded -> 2 : 1), told, true, 0, false);
	atomic {
		busy[me] = false; unlock();
		if
		:: outcome == FAILED -> goto noting             /* tried again, without the lease */
		:: goto lock
		fi
	}

unknown: /* The fate of the refresh token is: the mark stays. */
	atomic {
		turn;
		if
		:: !same(memory[me], parent) -> goto resting
		:: same(memory[me], parent) && unmarked -> goto owed
		:: else
		fi;
		busy[me] = false; unlock();
		if
		:: RELEASE && me == 0 && !reused -> reused = true; told = 0; printf("P%d releases the credential and manages it anew\n", me)
		:: else
		fi;
		goto lock
	}

quiet: /* Waits without the lease; a mark that was not known begins the wait anew. */
	atomic { waited || (clock & bit(me)) == 0 -> goto lock }

owed: /* A mark could not be saved before; what was sent without is in doubt now. */
	mayCrash;
	save(memory[me], (guarded -> 2 : 1), 4 * me + 2 - slot, told > 0, 0, false);
	atomic {
		if
		:: outcome == FAILED && revision == seen -> goto owed
		:: outcome == CONFLICT && !newer(stored, memory[me]) && mark == 0 && !refused(me) -> seen = revision; goto owed
		:: else -> busy[me] = false; unlock(); goto lock
		fi
	}

clear: /* Puts the mark back that was found. */
	mayCrash;
	save(memory[me], found, foundOwner, foundAnswered, 0, false);
	atomic {
		if
		:: outcome == FAILED && revision == seen -> goto clear
		:: else -> found = 0; foundOwner = 0; foundAnswered = false; busy[me] = false; unlock(); goto lock
		fi
	}

tooShort: /* The lease does not last: the mark is taken back, nothing is sent. */
	if
	:: unmarked || !MARK -> goto lock
	:: else -> goto clear
	fi;

refuse:
	atomic {
		claim(foreign(me) || !works, "WRONG: a living family is declared lost\n");
		claim(foreign(me) || !SPENT || guarded || memory[me].family != rightful,
			"WRONG: a lost answer is taken for an ordinary refusal\n")
	}
storing:
	mayCrash;
	atomic {
		found = (leaveMark -> mark : 0);
		foundOwner = (leaveMark -> owner : 0);
		foundAnswered = leaveMark && (answered || owner == slot + 1)
	}
	save(memory[me], found, foundOwner, foundAnswered, asker(me), false);
	atomic {
		found = 0; foundOwner = 0; foundAnswered = false;
		if
		:: outcome == FAILED -> goto storing
		:: outcome == CONFLICT && !newer(stored, memory[me]) -> seen = revision; goto storing
		:: else -> goto resting
		fi
	}

answer: /* The answer, or whatever is newer than the store. */
	mayCrash;
	save(memory[me], 0, 0, false, 0, false);
	atomic {
		if
		:: outcome == SAVED -> unsaved = false; unsavedLogin = false; publish()
		:: outcome == FAILED ->                          /* used from memory; the saving is tried again */
			if :: FAIL_CLOSED && !unsavedLogin :: else -> publish() fi;
			if :: HOLD :: else -> busy[me] = false; unlock() fi;
			goto resting
		:: outcome == CONFLICT && same(stored, memory[me]) -> /* one's own write */
			seen = revision; unsaved = false; unsavedLogin = false; publish()
		:: outcome == CONFLICT && newer(memory[me], stored) && !outranked && ANSWER_WINS ->
			seen = revision; goto answer
		:: else -> seen = revision; take()
		fi;
		goto resting
	}

install: /* Takes no lease and waits for no refresh. */
	atomic {
		logins--;
		login.login = memory[me].login + 1; login.generation = memory[me].generation + 1;
		login.family = 3; login.index = 1
	}
installing:
	atomic {
		if
		:: fails > 0 -> fails--; outcome = FAILED
		:: revision != seen -> outcome = CONFLICT
		:: revision == seen ->
			rightful = 3; unsavedLogin = false; unsaved = false;
			apply(login, 0, 0, false, 0);
			seen = revision; outcome = SAVED
		fi;
		printf("P%d Install: %d (1 saved, 2 conflict, 3 failed)\n", me, outcome);
		if
		:: outcome == CONFLICT ->
			if :: LOGIN_ADOPTS -> adopt() :: else -> seen = revision fi;
			login.login = larger(stored.login, memory[me].login) + 1;
			login.generation = larger(stored.generation, memory[me].generation) + 1;
			goto installing
		:: outcome == SAVED -> copy(memory[me], login); publish()
		:: outcome == FAILED && !FAIL_CLOSED ->
			copy(memory[me], login);
			unsaved = true; unsavedLogin = true;
			overtaken = (stored.login >= login.login);
			publish()
		:: outcome == FAILED && FAIL_CLOSED
		fi;
		if
		:: whileSending && !HOLD_BACK && request[slot].answer > 0 ->
			claim(!same(memory[me], parent) || request[slot].answer == REFUSED,
				"WRONG: the only copy of a working refresh token is dropped\n");
			request[slot].answer = 0; request[slot].awaited = false
		:: else
		fi;
		if
		:: whileSending -> goto sending
		:: else -> goto resting
		fi
	}

crashed:
	atomic {
		printf("P%d crashes and starts again\n", me);
		request[2 * me].awaited = false; request[2 * me + 1].awaited = false;
		request[2 * me].answer = 0; request[2 * me + 1].answer = 0;
		memory[me].login = 0; memory[me].generation = 0; memory[me].family = 0; memory[me].index = 0;
		copy(shown[me], memory[me]);
		busy[me] = false; clock = clock & ~bit(me); unlock();
		unsaved = false; unsavedLogin = false; reused = false; todo++;
		told = 0; found = 0; foundOwner = 0; foundAnswered = false;
		if :: request[slot].family != 0 -> turn :: else fi;
		goto start
	}

reading: /* Without a Refresher: shows what the store holds, as often as it looks. */
	atomic {
		if
		:: seen != revision -> adopt(); goto reading
		:: goto done
		fi
	}
done:	skip
}

/* Server answers one request at a time. A family lives as long as somebody has, or will have, its newest refresh token. */
active proctype Server() {
	byte r, i;
	bool known;
end:
	do
	:: atomic {
		if
		:: request[0].family != 0 -> r = 0
		:: request[1].family != 0 -> r = 1
		:: request[2].family != 0 -> r = 2
		:: request[3].family != 0 -> r = 3
		:: request[4].family != 0 -> r = 4
		:: request[5].family != 0 -> r = 5
		fi;
#define asked request[r].family
		if
		:: drops > 0 -> drops--; printf("  the network loses P%d's request\n", r / 2)
		:: suspects > 0 && !GATEWAY ->
			suspects--; printf("  server: refuses P%d in words of its own\n", r / 2);
			request[r].answer = (request[r].awaited -> SUSPECTED : 0)
		:: foreign(r / 2) ->
			printf("  server: %d.%d is not P%d's\n", asked, request[r].index, r / 2);
			request[r].answer = (request[r].awaited -> REFUSED : 0)
		:: !foreign(r / 2) && alive[asked] && request[r].index == newest[asked] ->
			newest[asked]++;
			printf("  server: %d.%d becomes %d.%d\n", asked, request[r].index, asked, newest[asked]);
			request[r].answer = (request[r].awaited -> newest[asked] : 0)
		:: !foreign(r / 2) && alive[asked] && request[r].index != newest[asked] ->
			printf("  server: %d.%d is spent: family %d revoked\n", asked, request[r].index, asked);
			if
			:: asked == rightful ->
				known = stored.family == asked && stored.index == newest[asked];
				i = 0;
				do
				:: i < PROCESSES ->
					known = known || memory[i].family == asked && memory[i].index == newest[asked]; i++
				:: else -> break
				od;
				i = 0;
				do
				:: i < REQUESTS ->
					known = known || request[i].awaited && request[i].answer == newest[asked]; i++
				:: else -> break
				od;
				claim(!known, "WRONG: a living family is revoked\n");
				claim(!SPENT || request[r].guarded, "WRONG: a spent refresh token is sent without guard\n")
			:: else
			fi;
			alive[asked] = false;
			request[r].answer = (request[r].awaited -> REFUSED : 0)
		:: !foreign(r / 2) && !alive[asked] -> request[r].answer = (request[r].awaited -> REFUSED : 0)
		fi;
		request[r].family = 0; request[r].index = 0; request[r].guarded = false; request[r].after = 0;
		request[r].told = false;
		r = 0; i = 0; known = false
	   }
	od
}

/* Outside is Forget and Install in another process: each is acknowledged at once. */
proctype Outside() {
	if
	:: forgets > 0 -> atomic {
		printf("Forget\n");
		rightful = 0; overtaken = true;
		if
		:: TOMBSTONE -> stored.login++; revision++
		:: !TOMBSTONE -> stored.login = 0; stored.generation = 0; revision = 0
		fi;
		stored.family = 0; stored.index = 0; mark = 0; owner = 0; answered = false; refusals = 0; heard = 0; clock = 0
	   }
	:: else
	fi;
	if
	:: installs > 0 -> atomic {
		printf("Install\n");
		rightful = 2; overtaken = true;
		stored.login++; stored.generation++; revision++;
		stored.family = 2; stored.index = newest[2]; mark = 0; owner = 0; answered = false; refusals = 0; heard = 0; clock = 0
	   }
	:: else
	fi
}

init {
	atomic {
		c_code {
			now.processes = knob("PROCESSES", 2);       now.LEASE = knob("LEASE", 0);
			now.NEWS = knob("NEWS", 0);                 now.FAIL_CLOSED = knob("FAIL_CLOSED", 0);
			now.UNMARKED = knob("UNMARKED", 0);         now.RELEASE = knob("RELEASE", 0);
			now.MARK = knob("MARK", 1);                 now.FENCE = knob("FENCE", 1);
			now.CHECK = knob("CHECK", 1);               now.CHECK_ALL = knob("CHECK_ALL", 1);
			now.QUIET = knob("QUIET", 2);               now.DISTINCT = knob("DISTINCT", 1);
			now.VERDICT = knob("VERDICT", 1);           now.STAY_GUARDED = knob("STAY_GUARDED", 1);
			now.HOLD = knob("HOLD", 1);                 now.ONLY_NEWER = knob("ONLY_NEWER", 1);
			now.ANSWER_WINS = knob("ANSWER_WINS", 1);   now.LOGIN_FIRST = knob("LOGIN_FIRST", 1);
			now.TOMBSTONE = knob("TOMBSTONE", 1);       now.HOLD_BACK = knob("HOLD_BACK", 1);
			now.LOGIN_ADOPTS = knob("LOGIN_ADOPTS", 1); now.LOGIN_YIELDS = knob("LOGIN_YIELDS", 1);
			now.ANSWERED = knob("ANSWERED", 2);         now.ITS_MARK = knob("ITS_MARK", 1);
			now.PER_ASKER = knob("PER_ASKER", 1);       now.KEEP_REFUSALS = knob("KEEP_REFUSALS", 1);
			now.KEEP_MARK = knob("KEEP_MARK", 1);       now.SUSPECT_FINAL = knob("SUSPECT_FINAL", 0);
			now.ASKERS = knob("ASKERS", 0);             now.READER = knob("READER", 0);
			now.SUSPECT_MARK = knob("SUSPECT_MARK", 0); now.SUSPECT_WAIT = knob("SUSPECT_WAIT", 1); now.GATEWAY = knob("GATEWAY", 0);
			now.errors = knob("ERRORS", 0);             now.suspects = knob("SUSPECTS", 0);
			now.SPENT = knob("SPENT", 1);               now.renewals = knob("RENEWALS", 1);
			now.crashes = knob("CRASHES", 0);           now.timeouts = knob("TIMEOUTS", 0);
			now.drops = knob("DROPS", 0);               now.notSent = knob("NOT_SENT", 0);
			now.fails = knob("FAILS", 0);               now.unknowns = knob("UNKNOWNS", 0);
			now.steals = knob("STEALS", 1);             now.hesitations = knob("HESITATIONS", 0);
			now.logins = knob("LOGINS", 0);             now.forgets = knob("FORGETS", 0);
			now.installs = knob("INSTALLS", 0);
		};
		stored.login = 1; stored.generation = 1; stored.family = 1; stored.index = 1;
		run Process(0);
		run Process(1);
		if
		:: processes > 2 -> run Process(2)
		:: else
		fi;
		if
		:: forgets + installs > 0 -> run Outside()
		:: else
		fi
	}
}
