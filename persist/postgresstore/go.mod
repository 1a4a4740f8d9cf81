module example.com/tokenactor/persist/postgresstore

go 1.26.0

require (
	example.com/tokenactor v0.0.0
	github.com/jackc/pgx/v5 v5.12.0
	go.uber.org/goleak v1.3.0
)

replace example.com/tokenactor => ../..
