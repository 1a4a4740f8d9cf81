package manager

import (
	"context"
	"errors"
	"log/slog"
)

// heraldSize is how many events may wait for a slow hook.
const heraldSize = 1024

// A herald tells the log and the hook what happened, on a goroutine of its own,
// so that one that blocks or panics harms nobody.
type herald struct {
	hook   func(Event)
	logger *slog.Logger
	stats  *stats
	eventc chan Event // closed by the loop when it ends
}

func newHerald(config Config, s *stats) *herald {
	return &herald{config.OnEvent, config.logger(), s, make(chan Event, heraldSize)}
}

// tell passes an event on or, where too many wait, counts it as dropped.
func (h *herald) tell(e Event) {
	select {
	case h.eventc <- e:
	default:
		h.stats.dropped.Add(1)
	}
}

func (h *herald) close() { close(h.eventc) }

func (h *herald) run() {
	for e := range h.eventc {
		h.log(e)
		if h.hook == nil {
			continue
		}
		_, err := guarded(func() (struct{}, error) { h.hook(e); return struct{}{}, nil })
		if p, ok := errors.AsType[*panicError](err); ok {
			h.logger.Error("manager: Config.OnEvent panicked", "error", p.Error(), "stack", string(p.stack))
		}
	}
}

func (h *herald) log(e Event) {
	level := e.Kind.level()
	ctx := context.Background()
	if !h.logger.Enabled(ctx, level) {
		return
	}
	attrs := e.LogValue().Group()
	if p, ok := errors.AsType[*panicError](e.Err); ok {
		attrs = append(attrs, slog.String("stack", string(p.stack)))
	}
	h.logger.LogAttrs(ctx, level, "manager: "+e.Kind.String(), attrs...)
}
