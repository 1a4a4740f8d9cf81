package postgresstore

import (
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
)

// What PostgreSQL answers to mistakes of its operator (appendix A of its manual).
const (
	wrongLogin       = "28000"
	wrongPassword    = "28P01"
	noDatabase       = "3D000"
	noSchema         = "3F000"
	noRight          = "42501"
	noColumn         = "42703"
	noFunction       = "42883" // for columns of these types
	wrongType        = "42804"
	noTable          = "42P01"
	noStatement      = "26000"
	statementIsThere = "42P05"
	readOnly         = "25006"
	tooMany          = "53300"
)

// advice is what to do about them.
var advice = map[string]string{
	wrongLogin:       "look at the user in the pool's configuration and at the server's pg_hba.conf",
	wrongPassword:    "look at the user and the password in the pool's configuration",
	noDatabase:       "look at the database in the pool's configuration",
	noSchema:         "make the schema first",
	noRight:          "grant the role SELECT, INSERT and UPDATE on the table and USAGE on its schema; CREATE on that for CreateTable",
	noColumn:         anothers,
	noFunction:       anothers,
	wrongType:        anothers,
	noTable:          "call CreateTable, or run the SQL that Schema gives, or name the table in Options.Table",
	noStatement:      pooler,
	statementIsThere: pooler,
	readOnly:         "this is a standby: connect to the primary, such as by target_session_attrs=read-write",
	tooMany:          "give the pools of all processes together fewer connections than max_connections",
}

const anothers = "the table is not one of this package: name another in Options.Table"

const pooler = "behind a pooler that shares connections, set default_query_exec_mode=exec"

// explained says what was tried and, where that is known, what to do. Nil stays nil.
func explained(what string, err error) error {
	if err == nil {
		return nil
	}
	if hint := advice[code(err)]; hint != "" {
		return fmt.Errorf("postgresstore: %s: %w: %s", what, err, hint)
	}
	return fmt.Errorf("postgresstore: %s: %w", what, err)
}

// code is that of the server's answer; "": it gave none.
func code(err error) string {
	var answer *pgconn.PgError
	if errors.As(err, &answer) {
		return answer.Code
	}
	return ""
}

func missing(err error) bool { return code(err) == noTable }

// lasting reports whether err will be the same until its operator mends something.
func lasting(err error) bool { return advice[code(err)] != "" && code(err) != tooMany }
